"""Draws backgrounds in town: houses, shop windows, cars, trees, passers-by."""

from __future__ import annotations

from random import Random

from stylesearch.drawn_shop.drawing.curves import ellipse, spline
from stylesearch.drawn_shop.drawing.palette import COLORS, HAIR, SKIN, Color, mix, relight
from stylesearch.drawn_shop.scenes.outdoors import tree
from stylesearch.drawn_shop.scenes.stage import Stage, muted_color

__all__ = ["street"]


def street(stage: Stage, random: Random) -> None:
    """Draws houses, pavement, perhaps cars, trees and people."""
    sky = random.choice(((196, 214, 232), (220, 224, 228), (168, 198, 230), (236, 222, 206)))
    stage.fade(0, stage.height, sky, relight(sky, 1.05))
    x = -random.uniform(0, 0.3) * stage.width
    while x < stage.width:
        wide = stage.person * random.uniform(0.55, 1.5)
        tall = stage.person * random.uniform(1.5, 3.6)
        _house(stage, random, x, stage.floor - tall, x + wide, stage.floor)
        x += wide
    tar = muted_color(random, 92, 150, 6)
    pavement = muted_color(random, 150, 200, 8)
    stage.ground(pavement, relight(pavement, 0.92))
    deep = stage.height - stage.floor
    if random.random() < 0.6 and deep > 4:
        stage.fade(stage.floor, stage.floor + 0.22 * deep, relight(tar, 0.95), tar)
        stage.box(
            0, stage.floor + 0.22 * deep, stage.width, stage.floor + 0.26 * deep, relight(pavement, 1.12)
        )
    stage.lines_to_horizon(random.choice((5, 7, 9)), relight(pavement, 0.86))
    stage.lines_across(random.choice((4, 6)), relight(pavement, 0.88))
    if random.random() < 0.5:
        _car(stage, random)
    for _ in range(random.choice((0, 1, 1, 2))):
        tree(
            stage,
            random,
            random.uniform(0, stage.width),
            stage.floor,
            stage.person * random.uniform(1.3, 2.2),
        )
    if random.random() < 0.5:
        post = random.choice((0.08, 0.9)) * stage.width
        stage.box(
            post,
            stage.floor - 2.4 * stage.person,
            post + 0.035 * stage.person + 1,
            stage.floor + 2,
            (62, 64, 68),
        )
    for _ in range(random.choice((0, 0, 1, 2, 3))):
        _passer_by(stage, random)


def _house(stage: Stage, random: Random, x0: float, y0: float, x1: float, y1: float) -> None:
    wall = random.choice(
        (
            muted_color(random),
            (178, 104, 82),
            (206, 186, 158),
            (150, 92, 78),
            (196, 200, 202),
            (226, 206, 180),
        )
    )
    stage.box(x0, y0, x1, y1, wall)
    stage.box(x0, y0, x1, y0 + 0.05 * stage.person, relight(wall, 0.8))
    glass = random.choice(((92, 110, 128), (64, 74, 86), (150, 170, 186), (214, 196, 150)))
    step_x, step_y = stage.person * random.uniform(0.3, 0.45), stage.person * random.uniform(0.5, 0.65)
    shop = random.random() < 0.6
    y = y1 - (0.95 if shop else 0.55) * stage.person
    while y > y0 + 0.1 * stage.person:
        x = x0 + 0.2 * step_x
        while x + 0.6 * step_x < x1:
            stage.box(x - 1, y - 0.6 * step_y - 1, x + 0.55 * step_x + 1, y + 1, relight(wall, 1.13))
            stage.box(x, y - 0.6 * step_y, x + 0.55 * step_x, y, relight(glass, random.uniform(0.8, 1.2)))
            x += step_x
        y -= step_y
    if shop:
        top = y1 - 0.72 * stage.person
        stage.box(x0 + 2, top, x1 - 2, y1 - 0.06 * stage.person, (70, 78, 84))
        for index in range(random.randint(2, 5)):  # goods in the window
            at = x0 + (index + 0.5) * (x1 - x0) / 5
            goods = random.choice(list(COLORS.values()))
            stage.box(
                at,
                y1 - random.uniform(0.3, 0.6) * stage.person,
                at + 0.12 * stage.person,
                y1 - 0.1 * stage.person,
                mix(goods, (70, 78, 84), 0.35),
            )
        awning = random.choice(list(COLORS.values()))
        stripes = max(3, int((x1 - x0) / (0.12 * stage.person)))
        for index in range(stripes):
            a, b = x0 + (x1 - x0) * index / stripes, x0 + (x1 - x0) * (index + 1) / stripes
            stage.box(
                a,
                top - 0.14 * stage.person,
                b,
                top + 0.06 * stage.person,
                awning if index % 2 else (236, 232, 224),
            )
    else:
        door = x0 + random.uniform(0.2, 0.6) * (x1 - x0)
        stage.box(
            door,
            y1 - 0.95 * 0.62 * stage.person * 1.3,
            door + 0.3 * stage.person,
            y1,
            relight(random.choice(list(COLORS.values())), 0.75),
        )


def _car(stage: Stage, random: Random) -> None:
    paint = random.choice(
        ((180, 30, 34), (40, 44, 52), (222, 224, 226), (60, 84, 120), (150, 154, 158), (206, 190, 140))
    )
    long, x, y = 2.3 * stage.person, random.uniform(-0.8, 0.9) * stage.width, stage.floor + 0.1 * stage.person
    body = spline(
        [
            (0, 0),
            (0, -0.2),
            (0.1, -0.27),
            (0.27, -0.29),
            (0.38, -0.46),
            (0.66, -0.46),
            (0.8, -0.29),
            (0.96, -0.24),
            (1.0, -0.12),
            (1.0, 0),
        ]
    )
    stage.shape(body * (long, long * 0.72) + (x, y), paint)
    window = spline([(0.3, -0.29), (0.4, -0.43), (0.64, -0.43), (0.75, -0.29)])
    stage.shape(window * (long, long * 0.72) + (x, y), (54, 62, 72))
    for wheel in (0.2, 0.8):
        stage.shape(ellipse(x + wheel * long, y, 0.085 * long, 0.085 * long), (26, 26, 28))
        stage.shape(ellipse(x + wheel * long, y, 0.045 * long, 0.045 * long), (150, 152, 156))


def _passer_by(stage: Stage, random: Random) -> None:
    tall = stage.person * random.uniform(0.55, 0.95)
    x, y = random.uniform(0.0, 1.0) * stage.width, stage.floor + 0.12 * stage.person
    coat, trousers = (random.choice(list(COLORS.values())) for _ in range(2))
    long, step = random.choice((0.47, 0.47, 0.36, 0.28)), random.uniform(-0.03, 0.03)

    def put(points: list[tuple[float, float]], color: Color) -> None:
        stage.shape(spline(points, samples=4) * (tall, -tall) + (x, y), color)

    def put_straight(points: list[tuple[float, float]], color: Color) -> None:
        stage.shape([(x + tall * px, y - tall * py) for px, py in points], color)

    for side in (-1, 1):
        lift = 0.03 if side * step > 0.005 else 0.0
        put_straight(
            [
                (side * 0.005, 0.5),
                (side * 0.09, 0.5),
                (side * 0.075 + step, 0.25),
                (side * 0.06 + step, lift),
                (side * 0.02 + step, lift),
                (side * 0.015, 0.3),
            ],
            relight(trousers, 0.85),
        )
        put(
            [
                (side * 0.1, 0.81),
                (side * 0.135, 0.76),
                (side * 0.15, 0.6),
                (side * 0.145 + step, 0.45),
                (side * 0.115 + step, 0.45),
                (side * 0.1, 0.62),
            ],
            relight(coat, 0.88),
        )
    put(
        [
            (-0.04, 0.84),
            (-0.11, 0.805),
            (-0.115, 0.7),
            (-0.095, 0.6),
            (-0.12, long),
            (0.12, long),
            (0.095, 0.6),
            (0.115, 0.7),
            (0.11, 0.805),
            (0.04, 0.84),
        ],
        coat,
    )
    put([(-0.022, 0.83), (-0.02, 0.88), (0.02, 0.88), (0.022, 0.83)], relight(random.choice(SKIN), 0.9))
    stage.shape(ellipse(x, y - 0.925 * tall, 0.045 * tall, 0.06 * tall), random.choice(SKIN))
    stage.shape(ellipse(x, y - 0.955 * tall, 0.05 * tall, 0.04 * tall), random.choice(HAIR))
