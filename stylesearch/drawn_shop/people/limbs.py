"""Draws trunk, neck, arms, hands and legs, and shoes."""

from __future__ import annotations

from random import Random

import numpy as np

from stylesearch.drawn_shop.drawing.canvas import Canvas, Sketch
from stylesearch.drawn_shop.drawing.curves import Points, between, ellipse, move, polyline, spline
from stylesearch.drawn_shop.drawing.palette import Color, relight
from stylesearch.drawn_shop.people.skeletons import Skeleton

__all__ = ["draw_arm", "draw_hand", "draw_legs_skin", "draw_shoes", "draw_trunk", "hand_place"]


def draw_trunk(canvas: Canvas, person: Skeleton) -> None:
    """Draws neck, shoulders and trunk."""
    skin = person.body.skin
    heights = np.concatenate([np.linspace(-13.0, 8.0, 22), np.linspace(10.0, 66.0, 16)])
    half = person.body.trunk_half(heights)
    right = np.column_stack([half, heights])
    shape = person.on_trunk(np.vstack([right, (right * (-1, 1))[::-1]]))
    sketch = Sketch(shape, canvas.image.size, skin)
    sketch.fill(shape, skin)
    dark = relight(skin, 0.86)
    for side in (-1.0, 1.0):  # collar bones
        bone = person.on_trunk(spline([(side * 2.0, 5.0), (side * 7.0, 4.2), (side * 14.0, 3.4)]))
        sketch.line(bone, 0.45 * person.scale, dark)
    sketch.line(person.on_trunk(polyline([(0, 45.0), (0, 46.5)])), 0.6 * person.scale, relight(skin, 0.75))
    sketch.lay_on(canvas, relief=2.6 * person.scale, amount=0.4)
    chin = person.on_trunk(
        spline([(-5.6, -9.0), (5.6, -9.0), (5.0, -4.4), (0.0, -2.2), (-5.0, -4.4)], closed=True)
    )
    canvas.veil(chin, relight(skin, 0.55), 0.5, 0.7 * person.scale)


def draw_legs_skin(canvas: Canvas, person: Skeleton, *, tights: Color | None = None) -> None:
    """Draws bare legs, or legs in tights."""
    color = tights or person.body.skin
    heights = np.linspace(58.0, 134.0, 40)
    half = person.body.leg_half(heights) * person.scale
    for side in (0, 1):
        shape = between(person.leg(side), half)
        sketch = Sketch(shape, canvas.image.size, color)
        sketch.fill(shape, color)
        sketch.lay_on(canvas, relief=2.2 * person.scale, amount=0.5, shadow=0.25, spread=1.5 * person.scale)


def draw_arm(canvas: Canvas, person: Skeleton, side: int, *, bare_from: float = 0.0) -> None:
    """Draws a bare arm, without its hand; ``bare_from`` (0 to 1) is the end of a sleeve."""
    first = min(37, int(39 * max(0.0, bare_from)))
    curve = person.arm(side)
    half = person.body.arm_half(np.linspace(0, 1, 40)) * person.scale
    shapes = [between(curve[max(first, 20) :], half[max(first, 20) :])]
    if first < 20:
        shapes.append(between(curve[first:22], half[first:22]))
        shapes.append(_disc(curve[20], half[20]))
    if first == 0:
        shapes.append(_disc(curve[0], half[1]))
    skin = person.body.skin
    sketch = Sketch(np.vstack(shapes), canvas.image.size, skin)
    for shape in shapes:
        sketch.fill(shape, skin)
    sketch.lay_on(canvas, relief=1.7 * person.scale, amount=0.5, shadow=0.22, spread=1.4 * person.scale)


def _disc(centre: Points, radius: float) -> Points:
    return ellipse(float(centre[0]), float(centre[1]), float(radius), float(radius))


def hand_place(person: Skeleton, side: int, points: Points) -> Points:
    """Converts points on a hand to pixels: x > 0 on the thumb's side, y down from the wrist, centimetres."""
    curve = person.arm(side)
    down = curve[-1] - curve[-4]
    down = down / max(1e-6, float(np.hypot(*down)))
    across = np.array([down[1], -down[0]]) * (1.0 if side == 0 else -1.0)
    reach = person.scale * (0.9 + 0.14 * person.body.build)
    placed: Points = curve[-1] + reach * (points[:, :1] * across + points[:, 1:] * down)
    return placed


def draw_hand(canvas: Canvas, person: Skeleton, side: int, *, fist: bool = False) -> None:
    """Draws a hand: relaxed, or closed around something."""
    skin = person.body.skin
    if fist:
        palm = spline(
            [(-2.5, -1.5), (2.5, -1.5), (3.8, 2.4), (3.4, 6.4), (-3.2, 6.4), (-3.6, 2.4)], closed=True
        )
        fingers: list[Points] = [
            ellipse(-0.4, 1.6 + 1.6 * index, 3.6, 0.95, corners=14) for index in range(4)
        ]
        thumb = ellipse(3.2, 3.0, 1.2, 2.6, turn=0.3)
    else:
        palm = spline(
            [(-2.4, -2.0), (2.4, -2.0), (3.8, 2.5), (3.4, 8.0), (-3.0, 8.0), (-3.5, 3.0)], closed=True
        )
        ends = ((-2.5, 13.2), (-0.7, 15.6), (1.1, 15.8), (2.6, 14.2))
        fingers = [
            between(
                spline([(0.94 * x - 0.1, 6.5), (x, 10.5), (x * 0.85 + 0.5, y)]), np.linspace(1.02, 0.72, 15)
            )
            for x, y in ends
        ]
        thumb = between(spline([(2.2, 1.5), (4.6, 4.5), (5.0, 8.6)]), np.linspace(1.5, 0.9, 15))
    everything = hand_place(person, side, np.vstack([palm, thumb, *fingers]))
    sketch = Sketch(everything, canvas.image.size, skin)
    edge = relight(skin, 0.84)
    sketch.fill(hand_place(person, side, palm), skin)
    for finger in fingers:
        placed = hand_place(person, side, finger)
        sketch.fill(placed, skin)
        sketch.line(placed if fist else placed[: len(placed) // 2], 0.26 * person.scale, edge)
    sketch.fill(hand_place(person, side, thumb), skin)
    sketch.lay_on(canvas, relief=1.2 * person.scale, amount=0.4, shadow=0.25, spread=1.0 * person.scale)


def draw_shoes(canvas: Canvas, person: Skeleton, kind: str, color: Color, random: Random) -> None:
    """Draws shoes seen from the front: "sneaker", "boot", "pump", "sandal"."""
    sole: Color = (242, 242, 240) if kind == "sneaker" else relight(color, 0.5)
    for side, sign in ((0, -1.0), (1, 1.0)):
        ankle = person.leg(side)[-1]
        toe = sign * (1.6 + 1.0 * person.pose.leg_reach[side])
        tip = 10.0 * person.pose.leg_reach[side]

        def place(points: Points, ankle: Points = ankle) -> Points:
            return ankle + person.scale * (points * (0.86, 1.0))

        vamp = spline(
            [
                (-3.9, -1.0),
                (3.9, -1.0),
                (4.9 + 0.5 * toe, 4.5),
                (4.3 + toe, tip),
                (toe, tip + 1.2),
                (-4.3 + toe, tip),
                (-4.9 + 0.5 * toe, 4.5),
            ],
            closed=True,
        )
        shaft = polyline([(-4.0, -11.0), (4.0, -11.0), (4.1, 2.0), (-4.1, 2.0)])
        sketch = Sketch(place(np.vstack([vamp, move(shaft, 0, -3)])), canvas.image.size, color, pad=3)
        if kind == "boot":
            sketch.fill(place(shaft), color)
        if kind in ("pump", "sandal"):
            sketch.fill(place(vamp), person.body.skin)
            if kind == "pump":
                sketch.fill(
                    place(
                        spline(
                            [
                                (-5.0 + 0.5 * toe, 4.6),
                                (toe, 6.4),
                                (5.0 + 0.5 * toe, 4.6),
                                (4.2 + toe, tip),
                                (toe, tip + 1.6),
                                (-4.2 + toe, tip),
                            ],
                            closed=True,
                        )
                    ),
                    color,
                )
            else:
                for y in (2.0, 6.6):
                    sketch.line(
                        place(polyline([(-4.6 + 0.07 * y * toe, y), (4.6 + 0.07 * y * toe, y)])),
                        1.5 * person.scale,
                        color,
                    )
        else:
            sketch.fill(place(vamp), color)
        sketch.line(
            place(spline([(-4.7 + toe, tip - 1.4), (toe, tip + 1.1), (4.7 + toe, tip - 1.4)])),
            (1.7 if kind == "sneaker" else 0.8) * person.scale,
            sole,
        )
        if kind == "sneaker":
            for y in (1.2, 2.9, 4.6):
                sketch.line(
                    place(polyline([(-1.8 + 0.1 * y * toe, y), (1.8 + 0.1 * y * toe, y)])),
                    0.5 * person.scale,
                    (250, 250, 250) if sum(color) < 600 else (150, 150, 150),
                )
        sketch.lay_on(canvas, relief=1.5 * person.scale, amount=0.45, shadow=0.4, spread=1.4 * person.scale)
