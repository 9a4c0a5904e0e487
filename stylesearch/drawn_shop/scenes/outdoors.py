"""Draws backgrounds outdoors: parks, walls, beaches, nights."""

from __future__ import annotations

import math
from random import Random

from stylesearch.drawn_shop.drawing.curves import ellipse, spline
from stylesearch.drawn_shop.drawing.palette import COLORS, mix, relight
from stylesearch.drawn_shop.scenes.stage import Stage, muted_color

__all__ = ["beach", "night", "park", "tree", "wall"]


def tree(stage: Stage, random: Random, x: float, y: float, tall: float) -> None:
    """Draws a tree that stands at (x, y)."""
    stage.box(x - 0.03 * tall, y - 0.5 * tall, x + 0.03 * tall, y, (88, 70, 56))
    leaf = random.choice(((74, 112, 62), (98, 130, 70), (58, 92, 60), (164, 124, 60), (206, 150, 160)))
    for index in range(16):
        angle, away = random.uniform(0, 6.28), math.sqrt(random.random()) * 0.28 * tall
        size = random.uniform(0.07, 0.14) * tall
        blob = ellipse(
            x + away * math.cos(angle),
            y - 0.72 * tall + 0.9 * away * math.sin(angle),
            size,
            size * 0.85,
            corners=12,
        )
        stage.shape(blob, relight(leaf, 0.8 + 0.03 * index))


def park(stage: Stage, random: Random) -> None:
    """Draws trees, lawn, perhaps a path and a bench."""
    sky = random.choice(((176, 206, 236), (214, 222, 228), (244, 222, 196)))
    stage.fade(0, stage.height, sky, relight(sky, 1.06))
    leaf = random.choice(((78, 116, 66), (60, 96, 62), (120, 130, 66), (150, 110, 56)))
    for index in range(26):
        x, size = random.uniform(-0.1, 1.1) * stage.width, stage.person * random.uniform(0.3, 0.7)
        y = stage.floor - stage.person * random.uniform(0.2, 1.7)
        stage.shape(ellipse(x, y, size, size * 0.8, corners=14), relight(leaf, 0.62 + 0.016 * index))
    for _ in range(3):
        tree(
            stage,
            random,
            random.uniform(0, 1) * stage.width,
            stage.floor + 1,
            stage.person * random.uniform(1.4, 2.4),
        )
    lawn = random.choice(((112, 146, 74), (138, 158, 88), (92, 128, 70)))
    stage.ground(lawn, relight(lawn, 0.82))
    if random.random() < 0.6 and stage.floor < stage.height:
        middle = random.uniform(0.3, 0.7) * stage.width
        path = mix((206, 190, 160), lawn, 0.15)
        stage.shape(
            [
                (middle - 4, stage.floor),
                (middle + 4, stage.floor),
                (stage.width * 1.1, stage.height),
                (-0.1 * stage.width, stage.height),
            ],
            path,
        )
    for _ in range(40):
        x, y = random.uniform(0, stage.width), random.uniform(stage.floor, max(stage.floor + 1, stage.height))
        stage.box(
            x,
            y,
            x + 1.5,
            y + 1.5,
            random.choice(((240, 240, 230), (250, 214, 80), relight(lawn, 1.2), relight(lawn, 0.75))),
        )
    if random.random() < 0.4:
        x, y, wide = (
            random.uniform(-0.2, 0.7) * stage.width,
            stage.floor + 0.1 * stage.person,
            0.9 * stage.person,
        )
        for row in (0.5, 0.4, 0.27):
            stage.box(x, y - row * stage.person, x + wide, y - (row - 0.07) * stage.person, (122, 84, 56))
        for leg in (0.05, 0.9):
            stage.box(x + leg * wide, y - 0.27 * stage.person, x + (leg + 0.05) * wide, y, (60, 56, 54))


def wall(stage: Stage, random: Random) -> None:
    """Draws a wall of bricks, tiles, concrete or paint, and the ground before it."""
    kind = random.choice(("brick", "painted", "concrete", "tiles", "graffiti", "shutter"))
    base = {
        "brick": random.choice(((168, 92, 72), (196, 176, 156), (150, 80, 66))),
        "concrete": (170, 170, 168),
        "tiles": random.choice(((226, 230, 230), (120, 160, 160), (196, 210, 190))),
    }.get(kind, random.choice(list(COLORS.values())))
    base = mix(base, (190, 190, 190), 0.25)
    stage.fade(0, stage.height, relight(base, 1.05), relight(base, 0.9))
    if kind in ("brick", "tiles"):
        tall = max(3.0, stage.person * (0.045 if kind == "brick" else 0.1))
        joint = relight(base, 1.25 if kind == "brick" else 0.85)
        row, y = 0, stage.floor
        while y > 0:
            x = -(row % 2) * tall * 1.2
            while x < stage.width:
                stage.box(x, y - tall, x + 2.4 * tall, y, relight(base, random.uniform(0.88, 1.08)))
                x += 2.4 * tall
                stage.box(x - 1, y - tall, x, y, joint)
            stage.box(0, y - 1, stage.width, y, joint)
            y -= tall
            row += 1
    elif kind == "shutter":
        step = max(3, int(0.05 * stage.person))
        for y in range(0, int(max(1, min(stage.floor, stage.height))), step):
            stage.box(0, y, stage.width, y + 1, relight(base, 0.78))
    elif kind == "graffiti":
        for _ in range(12):
            color = random.choice(list(COLORS.values()))
            x, y, size = (
                random.uniform(0, stage.width),
                random.uniform(0, max(2.0, stage.floor)),
                stage.person * random.uniform(0.1, 0.4),
            )
            points = [
                (x + size * random.uniform(-1, 1), y + size * random.uniform(-0.7, 0.7)) for _ in range(5)
            ]
            if random.random() < 0.5:
                stage.shape(spline(points, closed=True), color)
            else:
                stage.draw.line(
                    spline(points).ravel().tolist(),
                    fill=color,
                    width=max(2, int(0.05 * stage.person)),
                    joint="curve",
                )
    ground = muted_color(random, 110, 180, 8)
    stage.ground(ground, relight(ground, 0.85))
    stage.lines_across(4, relight(ground, 0.9))


def beach(stage: Stage, random: Random) -> None:
    """Draws sky, sea and sand."""
    stage.fade(0, stage.horizon, (150, 196, 236), (222, 234, 242))
    stage.fade(stage.horizon, stage.floor, (60, 128, 160), (120, 186, 190))
    stage.fade(stage.floor, stage.height, (226, 206, 168), (206, 180, 138))
    for _ in range(8):
        y = random.uniform(stage.horizon, max(stage.horizon + 1, stage.floor))
        x = random.uniform(0, stage.width)
        stage.box(x, y, x + random.uniform(10, 60), y + 1.5, (236, 244, 244))
    if random.random() < 0.6:
        x, y, p = random.uniform(0, 1) * stage.width, stage.floor + 0.1 * stage.person, stage.person
        stage.box(x - 1.5, y - 0.9 * p, x + 1.5, y, (230, 228, 220))
        color = random.choice(list(COLORS.values()))
        for index in range(6):
            a, b = -0.5 + index / 6, -0.5 + (index + 1) / 6
            stage.shape(
                [(x, y - 1.15 * p), (x + a * p, y - 0.82 * p), (x + b * p, y - 0.82 * p)],
                color if index % 2 else (244, 240, 232),
            )


def night(stage: Stage, random: Random) -> None:
    """Draws lights out of focus in the dark."""
    stage.fade(0, stage.height, (34, 36, 56), (66, 56, 62))
    stage.ground((70, 66, 70), (46, 44, 52))
    for _ in range(60):
        light = random.choice(
            ((255, 214, 140), (255, 170, 100), (240, 90, 80), (150, 200, 255), (250, 240, 220))
        )
        size = stage.person * random.uniform(0.015, 0.06)
        x, y = random.uniform(0, stage.width), stage.floor - abs(random.gauss(0, 0.7)) * stage.person
        stage.shape(ellipse(x, y, size, size, corners=24), mix(light, (50, 46, 60), random.uniform(0.1, 0.6)))
