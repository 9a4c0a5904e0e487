"""Draws backgrounds indoors: rooms, shops, a studio."""

from __future__ import annotations

import math
from random import Random

import numpy as np

from stylesearch.drawn_shop.drawing.curves import ellipse, spline
from stylesearch.drawn_shop.drawing.palette import COLORS, mix, relight
from stylesearch.drawn_shop.scenes.stage import Stage, muted_color

__all__ = ["room", "shop", "studio"]


def room(stage: Stage, random: Random) -> None:
    """Draws a room with furniture."""
    wall = random.choice(
        (
            muted_color(random, 190, 236, 12),
            (222, 214, 200),
            (206, 214, 208),
            (196, 204, 216),
            (232, 220, 214),
            (170, 178, 160),
            (120, 132, 140),
        )
    )
    stage.fade(0, stage.floor, relight(wall, 1.02), relight(wall, 0.93))
    boards = random.choice(((176, 136, 96), (204, 172, 132), (130, 98, 72), (190, 186, 180), (150, 146, 144)))
    stage.ground(relight(boards, 1.05), relight(boards, 0.85))
    stage.lines_to_horizon(random.choice((6, 9, 12)), relight(boards, 0.78))
    stage.box(0, stage.floor - 0.05 * stage.person, stage.width, stage.floor, relight(wall, 1.12))
    p, f = stage.person, stage.floor
    if random.random() < 0.55:
        _window(
            stage, random, random.choice((0.02, 0.1, 0.62)) * stage.width, f - 1.35 * p, 0.55 * p, 0.8 * p
        )
    for _ in range(random.choice((0, 1, 2, 4))):
        _wall_frame(stage, random)
    pieces = random.sample((_sofa, _plant, _lamp, _shelf, _door, _wardrobe), random.choice((1, 2, 3)))
    for piece in pieces:
        piece(stage, random, random.choice((-0.12, 0.0, 0.62, 0.72)) * stage.width)
    if random.random() < 0.4 and f < stage.height:
        rug = random.choice(list(COLORS.values()))
        stage.shape(
            ellipse(
                stage.width / 2, f + 0.45 * (stage.height - f), 0.55 * stage.width, 0.3 * (stage.height - f)
            ),
            mix(rug, boards, 0.3),
        )


def _window(stage: Stage, random: Random, x: float, y: float, wide: float, tall: float) -> None:
    stage.box(x - 3, y - 3, x + wide + 3, y + tall + 3, (240, 240, 238))
    stage.box(x, y, x + wide, y + tall, random.choice(((214, 228, 240), (244, 246, 248), (186, 206, 190))))
    stage.box(x + wide / 2 - 1, y, x + wide / 2 + 1, y + tall, (240, 240, 238))
    stage.box(x, y + 0.45 * tall, x + wide, y + 0.45 * tall + 2, (240, 240, 238))
    cloth = muted_color(random, 150, 230, 16)
    for side in (-1, 1):
        a = x - 0.16 * wide if side < 0 else x + 0.86 * wide
        for index in range(5):
            stage.box(
                a + index * 0.06 * wide,
                y - 0.1 * tall,
                a + (index + 1) * 0.06 * wide,
                y + 1.4 * tall,
                relight(cloth, (1.0, 0.9)[index % 2]),
            )


def _wall_frame(stage: Stage, random: Random) -> None:
    wide, tall = stage.person * random.uniform(0.12, 0.34), stage.person * random.uniform(0.16, 0.4)
    x, y = random.uniform(0, 0.9) * stage.width, stage.floor - stage.person * random.uniform(0.75, 1.3)
    frame = random.choice(((40, 38, 38), (196, 160, 110), (240, 238, 234)))
    stage.box(x, y, x + wide, y + tall, frame)
    stage.box(x + 2, y + 2, x + wide - 2, y + tall - 2, (240, 236, 228))
    a, b = random.choice(list(COLORS.values())), random.choice(list(COLORS.values()))
    stage.box(x + 0.2 * wide, y + 0.2 * tall, x + 0.8 * wide, y + 0.8 * tall, a)
    stage.shape(ellipse(x + 0.5 * wide, y + 0.55 * tall, 0.2 * wide, 0.18 * tall), b)


def _sofa(stage: Stage, random: Random, x: float) -> None:
    color, p, y = muted_color(random, 80, 190, 40), stage.person, stage.floor + 0.15 * stage.person
    wide = 1.0 * p
    stage.shape(
        spline(
            [
                (x, y - 0.1 * p),
                (x, y - 0.48 * p),
                (x + 0.1 * p, y - 0.52 * p),
                (x + wide - 0.1 * p, y - 0.52 * p),
                (x + wide, y - 0.48 * p),
                (x + wide, y - 0.1 * p),
            ]
        ),
        relight(color, 0.85),
    )
    stage.box(x + 0.03 * p, y - 0.3 * p, x + wide - 0.03 * p, y - 0.03 * p, color)
    for side in (0.0, 0.9):
        stage.shape(
            spline(
                [
                    (x + side * p - 0.03 * p, y),
                    (x + side * p - 0.03 * p, y - 0.36 * p),
                    (x + side * p + 0.12 * p, y - 0.36 * p),
                    (x + side * p + 0.12 * p, y),
                ]
            ),
            relight(color, 0.92),
        )
    pillow = random.choice(list(COLORS.values()))
    stage.shape(
        spline(
            [
                (x + 0.2 * p, y - 0.28 * p),
                (x + 0.2 * p, y - 0.46 * p),
                (x + 0.4 * p, y - 0.47 * p),
                (x + 0.41 * p, y - 0.28 * p),
            ],
            closed=True,
        ),
        pillow,
    )


def _plant(stage: Stage, random: Random, x: float) -> None:
    p, y = stage.person, stage.floor + 0.1 * stage.person
    x += 0.2 * p
    leaf = random.choice(((62, 104, 66), (84, 126, 80), (48, 86, 62)))
    for index in range(11):
        angle = math.pi * (0.1 + 0.8 * index / 10)
        tip = (
            x - 0.34 * p * math.cos(angle),
            y - 0.3 * p - 0.42 * p * math.sin(angle) * random.uniform(0.7, 1.1),
        )
        stage.shape(
            [
                (x, y - 0.25 * p),
                ((x + tip[0]) / 2 - 0.04 * p, (y - 0.25 * p + tip[1]) / 2 - 0.03 * p),
                tip,
                ((x + tip[0]) / 2 + 0.04 * p, (y - 0.25 * p + tip[1]) / 2 + 0.03 * p),
            ],
            relight(leaf, 0.85 + 0.03 * index),
        )
    pot = random.choice(((196, 120, 86), (230, 228, 224), (70, 72, 76)))
    stage.shape(
        [(x - 0.11 * p, y - 0.26 * p), (x + 0.11 * p, y - 0.26 * p), (x + 0.08 * p, y), (x - 0.08 * p, y)],
        pot,
    )


def _lamp(stage: Stage, random: Random, x: float) -> None:
    p, y = stage.person, stage.floor + 0.06 * stage.person
    x += 0.2 * p
    stage.box(x - 1.5, y - 0.9 * p, x + 1.5, y, (60, 56, 54))
    stage.shape(
        [
            (x - 0.1 * p, y - 1.08 * p),
            (x + 0.1 * p, y - 1.08 * p),
            (x + 0.16 * p, y - 0.85 * p),
            (x - 0.16 * p, y - 0.85 * p),
        ],
        (250, 232, 190),
    )


def _shelf(stage: Stage, random: Random, x: float) -> None:
    p, y, wide = stage.person, stage.floor + 0.03 * stage.person, 0.6 * stage.person
    wood = random.choice(((240, 238, 232), (150, 110, 76), (90, 70, 58)))
    stage.box(x, y - 1.2 * p, x + wide, y, wood)
    for row in range(5):
        top = y - 1.17 * p + row * 0.235 * p
        stage.box(x + 2, top, x + wide - 2, top + 0.2 * p, relight(wood, 0.72))
        at = x + 3
        while at < x + wide - 0.08 * p:
            thick = random.uniform(0.02, 0.05) * p + 1
            if random.random() < 0.85:
                stage.box(
                    at,
                    top + random.uniform(0.02, 0.09) * p,
                    at + thick,
                    top + 0.2 * p,
                    mix(random.choice(list(COLORS.values())), wood, 0.2),
                )
            at += thick + 1


def _door(stage: Stage, random: Random, x: float) -> None:
    p, y = stage.person, stage.floor
    paint = muted_color(random, 170, 240, 12)
    stage.box(x, y - 1.22 * p, x + 0.55 * p, y, relight(paint, 0.88))
    stage.box(x + 3, y - 1.19 * p, x + 0.55 * p - 3, y, paint)
    for top, bottom in ((1.12, 0.66), (0.56, 0.1)):
        stage.box(x + 0.09 * p, y - top * p, x + 0.46 * p, y - bottom * p, relight(paint, 0.93))
    stage.shape(ellipse(x + 0.49 * p, y - 0.6 * p, 0.02 * p + 1, 0.02 * p + 1), (180, 150, 90))


def _wardrobe(stage: Stage, random: Random, x: float) -> None:
    _rail(stage, random, x, 0.7 * stage.person)


def _rail(stage: Stage, random: Random, x: float, wide: float) -> None:
    """Draws clothes on a rail, other than the wanted garment."""
    p, y = stage.person, stage.floor + 0.05 * stage.person
    for end in (0.0, wide):
        stage.box(x + end - 1.5, y - 0.98 * p, x + end + 1.5, y, (90, 90, 94))
    stage.box(x, y - 0.98 * p, x + wide, y - 0.96 * p, (90, 90, 94))
    at = x + 0.04 * p
    while at < x + wide - 0.1 * p:
        color, long = random.choice(list(COLORS.values())), random.uniform(0.35, 0.7) * p
        step = random.uniform(0.04, 0.075) * p
        top, low = y - 0.95 * p, y - 0.95 * p + long
        stage.shape(
            np.vstack(
                [
                    spline(
                        [
                            (at - 0.1 * step, top + 0.07 * p),
                            (at + 0.5 * step, top),
                            (at + 1.3 * step, top + 0.07 * p),
                        ]
                    ),
                    [(at + 1.4 * step, low), (at - 0.1 * step, low)],
                ]
            ),
            color,
        )
        for fold in range(2):
            stage.draw.line(
                (
                    at + (0.3 + 0.5 * fold) * step,
                    y - 0.86 * p,
                    at + (0.3 + 0.5 * fold) * step,
                    y - 0.97 * p + long,
                ),
                fill=relight(color, 0.8),
            )
        at += step


def shop(stage: Stage, random: Random) -> None:
    """Draws a shop with clothes on rails."""
    wall = muted_color(random, 205, 240, 8)
    stage.fade(0, stage.floor, wall, relight(wall, 0.94))
    floor = muted_color(random, 150, 215, 14)
    stage.ground(floor, relight(floor, 0.88))
    stage.lines_to_horizon(4, relight(floor, 0.9))
    stage.lines_across(4, relight(floor, 0.9))
    for row in range(random.choice((1, 2))):
        x = -0.1 * stage.width + random.uniform(0, 20)
        while x < stage.width:
            wide = stage.person * random.uniform(0.6, 1.1)
            if random.random() < 0.85:
                _rail(stage, random, x, wide)
            x += wide + 0.1 * stage.person
        if row == 0 and random.random() < 0.5:
            break
    for index in range(6):
        stage.shape(
            ellipse(
                (index + 0.5) * stage.width / 6,
                stage.floor - 1.9 * stage.person,
                0.05 * stage.person,
                0.03 * stage.person,
            ),
            (255, 250, 236),
        )


def studio(stage: Stage, random: Random) -> None:
    """Draws a plain backdrop."""
    tone = random.choice(
        (
            muted_color(random, 170, 235, 10),
            mix(random.choice(list(COLORS.values())), (200, 200, 200), 0.6),
        )
    )
    stage.fade(0, stage.height, relight(tone, 1.06), relight(tone, 0.86))
