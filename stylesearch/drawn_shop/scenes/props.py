"""Draws things held, worn over the clothes, or in the way: bags, phones, cups, a mirror's frame, leaves."""

from __future__ import annotations

import math
from random import Random

import numpy as np

from stylesearch.drawn_shop.drawing.canvas import Canvas, Sketch
from stylesearch.drawn_shop.drawing.curves import Points, between, ellipse, move, polyline, spline
from stylesearch.drawn_shop.drawing.palette import COLORS, Color, relight
from stylesearch.drawn_shop.people.limbs import hand_place
from stylesearch.drawn_shop.people.skeletons import Skeleton

__all__ = ["draw_foreground", "draw_held", "draw_mirror", "draw_worn_bag"]

_BAGS: tuple[Color, ...] = (
    (36, 34, 36),
    (122, 78, 48),
    (196, 150, 104),
    (226, 216, 198),
    (150, 32, 40),
    (60, 76, 66),
    (232, 190, 90),
)


def draw_held(canvas: Canvas, person: Skeleton, side: int, random: Random, *, behind: bool) -> None:
    """Draws what a hand holds: the part behind the fingers, or in front of them."""
    held, scale = person.pose.hands[side], person.scale
    if held == "phone" and not behind:
        corners = polyline([(-4.0, -5.5), (4.0, -5.5), (4.0, 10.5), (-4.0, 10.5)])
        centre = hand_place(person, side, polyline([(0.0, 3.5)]))[0]
        upright = person.pose.name == "mirror"
        tilt = random.uniform(-0.15, 0.15) if upright else random.uniform(-0.4, 0.4)
        turn = np.array([[math.cos(tilt), math.sin(tilt)], [-math.sin(tilt), math.cos(tilt)]])
        placed = centre + scale * (move(corners, 0, -2.5)) @ turn
        color: Color = random.choice(((24, 24, 28), (232, 232, 234), (190, 120, 130), (70, 90, 120)))
        sketch = Sketch(placed, canvas.image.size, color)
        sketch.fill(placed, color)
        lens = centre + scale * (ellipse(-2.0, -6.0, 1.2, 1.2)) @ turn
        sketch.fill(lens, relight(color, 0.5))
        sketch.lay_on(canvas, relief=0.6 * scale, amount=0.3, shadow=0.3, spread=scale)
    elif held == "cup" and behind:
        centre = hand_place(person, side, polyline([(0.0, 3.5)]))[0]
        cup = centre + scale * polyline([(-3.6, -7.5), (3.6, -7.5), (2.9, 5.5), (-2.9, 5.5)])
        sketch = Sketch(cup, canvas.image.size, (240, 238, 232))
        sketch.fill(cup, (240, 238, 232))
        sketch.fill(
            centre + scale * polyline([(-3.3, -3.0), (3.3, -3.0), (3.0, 2.0), (-3.0, 2.0)]),
            random.choice(_BAGS),
        )
        sketch.fill(
            centre + scale * polyline([(-4.0, -8.8), (4.0, -8.8), (3.8, -7.2), (-3.8, -7.2)]), (60, 50, 46)
        )
        sketch.lay_on(canvas, relief=1.2 * scale, amount=0.4, shadow=0.25, spread=scale)
    elif held == "bag" and behind:
        _handbag(canvas, hand_place(person, side, polyline([(0.0, 5.0)]))[0], scale, random)


def _handbag(canvas: Canvas, grip: Points, scale: float, random: Random) -> None:
    color, wide, tall = random.choice(_BAGS), random.uniform(11, 18), random.uniform(16, 28)
    drop = random.uniform(8, 15)
    body = grip + scale * np.vstack(
        [
            spline([(-wide * 0.86, drop), (0, drop + 0.8), (wide * 0.86, drop)]),
            spline(
                [
                    (wide, drop + 0.9 * tall),
                    (wide * 0.9, drop + tall),
                    (-wide * 0.9, drop + tall),
                    (-wide, drop + 0.9 * tall),
                ]
            ),
        ]
    )
    handle = grip + scale * spline(
        [
            (-wide * 0.5, drop + 1),
            (-wide * 0.35, 0.3 * drop),
            (0, -0.5),
            (wide * 0.35, 0.3 * drop),
            (wide * 0.5, drop + 1),
        ]
    )
    sketch = Sketch(np.vstack([body, handle]), canvas.image.size, color)
    sketch.line(handle, 1.1 * scale, relight(color, 0.75))
    sketch.fill(body, color)
    sketch.line(
        grip
        + scale
        * spline(
            [(-wide * 0.9, drop + 0.3 * tall), (0, drop + 0.36 * tall), (wide * 0.9, drop + 0.3 * tall)]
        ),
        0.5 * scale,
        relight(color, 0.7),
    )
    sketch.fill(grip + scale * ellipse(0, drop + 0.36 * tall, 1.2, 1.2), (206, 180, 110))
    sketch.lay_on(canvas, relief=2.0 * scale, amount=0.45, shadow=0.35, spread=1.5 * scale)


def draw_worn_bag(canvas: Canvas, person: Skeleton, random: Random) -> None:
    """Sometimes draws a bag across the body or on a shoulder, the straps of a backpack, a scarf."""
    kind = random.random()
    color, scale = random.choice(_BAGS), person.scale
    side = random.choice((-1.0, 1.0))
    if kind < 0.1:
        strap = person.on_trunk(spline([(-side * 9.0, 1.0), (side * 1.0, 24.0), (side * 14.5, 50.0)]))
        sketch = Sketch(strap, canvas.image.size, color, pad=16 * scale)
        sketch.line(strap, 1.7 * scale, relight(color, 0.85))
        bag = person.on_trunk(
            spline(
                [(side * 9, 48), (side * 24, 47), (side * 25, 60), (side * 23, 63), (side * 10, 63)],
                closed=True,
            )
        )
        sketch.fill(bag, color)
        sketch.line(
            person.on_trunk(polyline([(side * 9.5, 53), (side * 24.5, 52.5)])),
            0.5 * scale,
            relight(color, 0.7),
        )
        sketch.lay_on(canvas, relief=1.5 * scale, amount=0.4, shadow=0.35, spread=1.4 * scale)
    elif kind < 0.18:
        strap = person.on_trunk(spline([(side * 12.0, 2.0), (side * 17.0, 20.0), (side * 19.0, 36.0)]))
        bag = person.on_trunk(
            np.vstack(
                [
                    spline([(side * 12, 35), (side * 30, 35)]),
                    spline([(side * 31, 66), (side * 28, 68), (side * 13, 68), (side * 11, 66)]),
                ]
            )
        )
        sketch = Sketch(np.vstack([strap, bag]), canvas.image.size, color)
        sketch.line(strap, 1.8 * scale, relight(color, 0.85))
        sketch.fill(bag, color)
        sketch.lay_on(canvas, relief=2.0 * scale, amount=0.4, shadow=0.35, spread=1.6 * scale)
    elif kind < 0.23:
        for sign in (-1.0, 1.0):
            strap = person.on_trunk(spline([(sign * 10.0, 1.5), (sign * 12.5, 14.0), (sign * 15.0, 30.0)]))
            canvas.fill(between(strap, 1.7 * scale), relight(color, 0.9), relief=scale, shadow=0.3)
    elif kind < 0.29:
        wool = random.choice(list(COLORS.values()))
        loop = person.on_trunk(
            spline([(-9.5, -2.0), (0.0, -5.0), (9.5, -2.0), (9.0, 4.0), (0.0, 7.0), (-9.0, 4.0)], closed=True)
        )
        tail = person.on_trunk(
            spline(
                [(side * 1.0, 4.0), (side * 8.5, 4.0), (side * 10.0, 30.0), (side * 2.5, 31.0)], closed=True
            )
        )
        sketch = Sketch(np.vstack([loop, tail]), canvas.image.size, wool)
        sketch.fill(tail, relight(wool, 0.93))
        for row in range(4):
            sketch.line(
                person.on_trunk(polyline([(side * 2.0, 12 + 4.5 * row), (side * 9.5, 12 + 4.5 * row)])),
                0.8 * scale,
                relight(wool, 0.8),
            )
        sketch.fill(loop, wool)
        sketch.line(
            person.on_trunk(spline([(-8.5, 0.0), (0.0, 3.0), (8.5, -0.5)])),
            0.6 * scale,
            relight(wool, 0.75),
        )
        sketch.lay_on(canvas, relief=1.8 * scale, amount=0.5, shadow=0.4, spread=1.5 * scale)


def draw_mirror(canvas: Canvas, person: Skeleton, random: Random) -> None:
    """Draws the frame of the mirror in which the photo was taken, the wall around it, light on the glass."""
    width, height = canvas.image.size
    wall: Color = random.choice(((226, 222, 214), (196, 200, 196), (150, 156, 164), (236, 230, 226)))
    frame: Color = random.choice(((40, 36, 34), (150, 110, 70), (206, 180, 120), (238, 238, 236)))
    inset, thick = random.uniform(0.0, 0.1) * width, max(3.0, random.uniform(0.012, 0.03) * width)
    for x0, x1 in ((0.0, inset), (width - inset, float(width))):
        if x1 - x0 > 1:
            canvas.fill(
                polyline([(x0 - 2, -2), (x1 + 2, -2), (x1 + 2, height + 2), (x0 - 2, height + 2)]), wall
            )
    for x in (inset, width - inset - thick):
        canvas.fill(
            polyline([(x, -2), (x + thick, -2), (x + thick, height + 2), (x, height + 2)]),
            frame,
            relief=thick / 3,
        )
    if random.random() < 0.5:
        at, wide = random.uniform(0.1, 0.7) * width, random.uniform(0.04, 0.12) * width
        canvas.veil(
            polyline(
                [
                    (at, -5),
                    (at + wide, -5),
                    (at + wide - 0.5 * height, height + 5),
                    (at - 0.5 * height, height + 5),
                ]
            ),
            (255, 255, 255),
            0.14,
            6,
        )


def draw_foreground(canvas: Canvas, random: Random, scale: float) -> None:
    """Sometimes draws something near the camera, out of focus, at an edge."""
    kind, (width, height) = random.random(), canvas.image.size
    side = random.choice((0.0, 1.0))
    if kind < 0.06:
        leaf = random.choice(((58, 92, 54), (96, 122, 62), (44, 76, 56)))
        for _ in range(5):
            x, y = side * width + random.uniform(-0.12, 0.12) * width, random.uniform(0.2, 1.0) * height
            canvas.fill(
                ellipse(x, y, 0.1 * width, 0.03 * height, turn=random.uniform(0, 3.1), corners=16),
                relight(leaf, random.uniform(0.8, 1.2)),
                relief=6.0,
            )
    elif kind < 0.1:
        color = random.choice(list(COLORS.values()))
        x = side * width
        shoulder = spline(
            [
                (x - 0.16 * width, height + 4),
                (x - 0.14 * width, 0.72 * height),
                (x, 0.6 * height),
                (x + 0.14 * width, 0.72 * height),
                (x + 0.16 * width, height + 4),
            ]
        )
        canvas.fill(shoulder, relight(color, 0.8), relief=8.0)
    elif kind < 0.13:
        y = random.uniform(0.86, 0.95) * height
        canvas.fill(
            polyline([(-3, y), (width + 3, y), (width + 3, height + 3), (-3, height + 3)]),
            random.choice(((120, 86, 60), (210, 206, 200), (70, 74, 80))),
        )
