"""Draws heads: faces, hair, hats, glasses."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np

from stylesearch.drawn_shop.drawing.canvas import Canvas, Sketch
from stylesearch.drawn_shop.drawing.curves import (
    Points,
    along,
    ellipse,
    mirror_half,
    move,
    outline,
    polyline,
    spline,
)
from stylesearch.drawn_shop.drawing.palette import COLORS, Color, lightness, mix, relight
from stylesearch.drawn_shop.people.skeletons import Skeleton

__all__ = ["draw_back_hair", "draw_front_hair", "draw_head"]

_FACE = mirror_half(
    spline(
        [
            (0, -11.0),
            (3.8, -10.4),
            (6.4, -7.4),
            (7.2, -2.5),
            (7.0, 1.6),
            (6.2, 5.2),
            (4.4, 8.6),
            (2.2, 10.7),
            (0, 11.2),
        ]
    )
)
_SKULL = mirror_half(spline([(0, -12.6), (4.6, -11.9), (7.6, -8.4), (8.4, -3.0), (7.9, 1.0)]))
_LONG = {"long", "wavy", "fringe"}


def draw_back_hair(canvas: Canvas, person: Skeleton, random: Random) -> None:
    """Draws hair behind the neck and shoulders."""
    style, color = person.body.hairstyle, relight(person.body.hair, 0.82)
    shapes: list[Points] = []
    if style in _LONG:
        wide, low = random.uniform(9.5, 11.5), random.uniform(20, 33)
        shapes.append(
            mirror_half(
                spline(
                    [
                        (0, -12.0),
                        (6.0, -11.0),
                        (9.4, -4.0),
                        (wide, 8.0),
                        (wide + 0.5, 0.7 * low),
                        (0.6 * wide, low),
                        (0, low - 1.0),
                    ]
                )
            )
        )
    elif style == "bob":
        shapes.append(
            mirror_half(spline([(0, -12.0), (6.5, -11.0), (9.8, -3.0), (10.6, 6.0), (8.4, 11.0), (0, 10.0)]))
        )
    elif style == "ponytail":
        side = random.choice((-1.0, 1.0))
        shapes.append(
            spline(
                [
                    (side * 3, -9),
                    (side * 9.5, -8),
                    (side * 12.0, 2),
                    (side * 10.5, 16),
                    (side * 8.5, 20),
                    (side * 7.5, 6),
                    (side * 6, -2),
                ],
                closed=True,
            )
        )
    elif style == "bun":
        shapes.append(ellipse(random.uniform(-2, 2), -14.2, 5.0, 4.6))
    elif style == "curls":
        angle = np.linspace(0.8 * np.pi, 2.2 * np.pi, 15)
        reach = random.uniform(10.5, 13.5)
        shapes.extend(
            ellipse(reach * 0.82 * np.cos(a), -2.5 + reach * np.sin(a), 4.4, 4.4, corners=14) for a in angle
        )
        shapes.append(ellipse(0, -3, reach * 0.86, reach))
    if not shapes:
        return
    placed = [person.head(shape) for shape in shapes]
    sketch = Sketch(np.vstack(placed), canvas.image.size, color)
    for shape in placed:
        sketch.fill(shape, color)
    sketch.lay_on(canvas, relief=2.2 * person.scale, amount=0.4)


def draw_head(canvas: Canvas, person: Skeleton, random: Random) -> None:
    """Draws ears, face, and the hair on top."""
    body, scale = person.body, person.scale
    turn = person.pose.head_turn
    skin = body.skin
    sketch = Sketch(person.head(ellipse(0, -1, 17, 19)), canvas.image.size, skin)
    fill = _filler(sketch, person)
    ear = relight(skin, 0.9)
    if turn < 0.55:
        fill(ellipse(-7.4 - 0.3 * turn, 0.6, 1.5, 2.8), ear)
    if turn > -0.55:
        fill(ellipse(7.4 - 0.3 * turn, 0.6, 1.5, 2.8), ear)
    fill(_FACE, skin)
    _draw_features(sketch, person, turn, random)
    sketch.lay_on(canvas, relief=2.4 * scale, amount=0.42, shadow=0.5, spread=1.3 * scale)
    _draw_top_hair(canvas, person, turn, random)


def _filler(sketch: Sketch, person: Skeleton) -> Callable[[Points, Color], None]:
    """Returns a function that fills outlines given in the head's centimetres."""
    return lambda points, color: sketch.fill(person.head(points), color)


def _draw_features(sketch: Sketch, person: Skeleton, turn: float, random: Random) -> None:
    """Draws cheeks, eyes, brows, nose, mouth; a beard; glasses."""
    fill = _filler(sketch, person)

    def line(points: Points, width: float, color: Color) -> None:
        sketch.line(person.head(points), max(0.5, width * person.scale), color)

    body = person.body
    skin, hair = body.skin, body.hair
    shift = 2.6 * turn
    brow = mix(hair, (40, 30, 26), 0.4) if lightness(hair) < 0.7 else relight(hair, 0.7)
    for side in (-1.0, 1.0):
        near = 1.0 - 0.22 * side * turn  # the far half of the face is narrower
        fill(
            ellipse(shift + side * 4.4 * near, 3.6, 1.9 * near, 1.3),
            mix(skin, (226, 110, 96), 0.11 * lightness(skin) ** 2),
        )
        x = shift + side * 3.1 * near
        fill(ellipse(x, -0.6, 1.75 * near, 1.15), relight(skin, 0.9))
        fill(ellipse(x, -0.2, 1.35 * near, 0.72), (246, 244, 240))
        fill(
            ellipse(x + 0.12 * shift, -0.2, 0.72, 0.74, corners=14),
            (70, 100, 120) if lightness(hair) > 0.4 and lightness(skin) > 0.7 else (70, 48, 34),
        )
        fill(ellipse(x + 0.12 * shift, -0.2, 0.36, 0.38, corners=10), (16, 14, 14))
        line(spline([(x - 1.5 * near, 0.0), (x, -1.0), (x + 1.5 * near, -0.05)]), 0.34, (44, 32, 28))
        line(
            spline([(x - 1.8 * near, -2.6 - 0.12 * side), (x, -3.3), (x + 1.8 * near, -2.6 + 0.12 * side)]),
            0.5,
            brow,
        )
    nose = relight(skin, 0.8)
    line(
        spline(
            [
                (shift * 0.9 + 0.5, -0.4),
                (shift * 1.35 + 0.9, 3.4),
                (shift * 1.3 + 0.2, 4.1),
                (shift * 1.1 - 0.9, 3.8),
            ]
        ),
        0.28,
        nose,
    )
    if body.hairstyle == "beard":
        jaw = mirror_half(
            spline(
                [(0, 5.0), (3.0, 4.6), (4.4, 6.0), (6.6, 3.0), (6.4, 6.0), (4.4, 9.6), (2.2, 11.6), (0, 12.2)]
            )
        )
        fill(move(jaw, shift * 0.35, 0.0), mix(hair, skin, 0.12))
    lips = mix(skin, (176, 52, 60), random.uniform(0.3, 0.75) if body.build < 0.5 else 0.25)
    wide = 2.3
    fill(
        outline(
            [(shift - wide, 6.6), (shift - 0.8, 6.2), (shift, 6.45), (shift + 0.8, 6.2), (shift + wide, 6.6)],
            [(shift + wide, 6.6), (shift, 8.1), (shift - wide, 6.6)],
        ),
        lips,
    )
    line(
        spline([(shift - wide - 0.2, 6.45), (shift, 7.15), (shift + wide + 0.2, 6.45)]),
        0.22,
        relight(lips, 0.65),
    )
    kind = random.random()
    if kind < 0.13:  # sunglasses
        for side in (-1.0, 1.0):
            fill(ellipse(shift + side * 3.3, 0.0, 2.6, 2.1), (26, 26, 30))
        line(polyline([(-7.2, -0.8), (7.2, -0.8)]), 0.5, (26, 26, 30))
    elif kind < 0.24:
        for side in (-1.0, 1.0):
            ring = ellipse(shift + side * 3.3, 0.0, 2.5, 2.1)
            line(np.vstack([ring, ring[:1]]), 0.32, (50, 40, 36))
        line(polyline([(shift - 0.9, -0.2), (shift + 0.9, -0.2)]), 0.3, (50, 40, 36))


def _draw_top_hair(canvas: Canvas, person: Skeleton, turn: float, random: Random) -> None:
    """Draws hair over the forehead and temples, or a cap."""
    style, color = person.body.hairstyle, person.body.hair
    if style == "bald":
        return
    part = random.choice((-1.0, 1.0)) * random.uniform(0.5, 3.0)
    sides = 1.5
    if style in _LONG or style == "bob":
        sides = 8.5
    elif style == "curls":
        sides = 3.0
    skull = spline(
        [
            (-8.2, sides),
            (-8.6, -3.0),
            (-7.6, -8.4),
            (-4.6, -11.9),
            (0, -12.9),
            (4.6, -11.9),
            (7.6, -8.4),
            (8.6, -3.0),
            (8.2, sides),
        ]
    )
    if style == "fringe":
        front = spline(
            [(6.5, sides), (6.7, -1.6), (5.0, -3.2), (0.0, -2.9), (-5.0, -3.2), (-6.7, -1.6), (-6.5, sides)]
        )
    elif style in ("crop", "beard", "short", "cap"):
        front = spline(
            [(7.1, sides), (6.5, -3.6), (5.4, -7.2), (part, -7.9), (-5.4, -7.2), (-6.5, -3.6), (-7.1, sides)]
        )
    else:
        front = spline(
            [
                (6.6, sides),
                (6.5, 0.0),
                (5.2, -5.0),
                (part + 0.6, -9.2),
                (part - 0.4, -9.2),
                (-5.2, -5.0),
                (-6.5, 0.0),
                (-6.6, sides),
            ]
        )
    front = front + np.column_stack([0.9 * turn * (front[:, 1] < 0), np.zeros(len(front))])
    shape = np.vstack([skull, front])
    sketch = Sketch(person.head(ellipse(0, -3, 16, 17)), canvas.image.size, color)
    if style == "curls":
        for angle in np.linspace(1.02 * np.pi, 1.98 * np.pi, 11):
            sketch.fill(
                person.head(ellipse(8.0 * np.cos(angle), -3.5 + 8.6 * np.sin(angle), 3.0, 3.0, corners=12)),
                color,
            )
    sketch.fill(person.head(shape), color)
    back, face = along(skull, np.linspace(0, 1, 24)), along(front, np.linspace(1, 0, 24))
    for share, light in ((0.3, 1.22), (0.52, 0.8), (0.75, 1.14)):  # strands
        strand = (back * (1 - share) + face * share)[1:-1]
        sketch.line(person.head(strand), 0.28 * person.scale, relight(color, light))
    if style == "cap":
        cap = COLORS[random.choice(("black", "navy", "off-white", "red", "olive", "grey"))]
        dome = spline(
            [(-8.8, -4.6), (-8.0, -10.2), (-4.2, -13.8), (0, -14.4), (4.2, -13.8), (8.0, -10.2), (8.8, -4.6)]
        )
        sketch.fill(person.head(np.vstack([dome, spline([(8.8, -4.6), (0, -6.6), (-8.8, -4.6)])])), cap)
        brim = spline(
            [
                (-8.0, -5.6),
                (0, -7.4),
                (8.0, -5.6),
                (6.2 + 3 * turn, -2.8),
                (2.4 * turn, -3.6),
                (-6.2 + 3 * turn, -2.8),
            ],
            closed=True,
        )
        sketch.fill(person.head(brim), relight(cap, 0.8))
    sketch.lay_on(canvas, relief=2.0 * person.scale, amount=0.5, shadow=0.35, spread=0.8 * person.scale)


def draw_front_hair(canvas: Canvas, person: Skeleton, random: Random) -> None:
    """Draws long hair over the shoulders, in front of the clothes."""
    style, color = person.body.hairstyle, person.body.hair
    if style not in _LONG:
        return
    sketch = Sketch(person.head(ellipse(0, 14, 17, 34)), canvas.image.size, color)
    for side in (-1.0, 1.0):
        if random.random() < 0.25:
            continue
        low, sway = random.uniform(20, 36), random.uniform(-1, 2)
        bend = 1.1 if style == "wavy" else 0.2
        outer = spline(
            [
                (7.9, -4.0),
                (9.0 + bend, 4.0),
                (9.2 - bend, 11.0),
                (10.2 + bend + sway, 18.0),
                (8.6 + sway, low),
            ]
        )
        inner = spline([(7.6 + sway, low), (6.2 + sway, 18.0), (5.6 - bend, 11.0), (6.5, 4.0), (6.6, -4.0)])
        lock = np.vstack([outer, inner]) * (side, 1)
        sketch.fill(person.head(lock), color)
        for share in (0.3, 0.62):
            strand = (outer * (1 - share) + inner[::-1] * share) * (side, 1)
            sketch.line(
                person.head(strand), 0.35 * person.scale, relight(color, 1.22 if share < 0.5 else 0.8)
            )
    sketch.lay_on(canvas, relief=1.4 * person.scale, amount=0.45, shadow=0.4, spread=1.2 * person.scale)
