"""What is behind the people: streets, rooms, parks, walls, shops, beaches.

A scene is drawn at half size and enlarged, so that it lies a little out of focus, as behind a person in a photo.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from stylesearch.synth.curves import ellipse, spline
from stylesearch.synth.palette import COLOURS, HAIR, SKIN, Colour, mixed, shaded
from stylesearch.synth.textures import grain

__all__ = ["SCENES", "draw_scene"]


class _Stage:
    """A small picture to draw on, with the two lines that everything else goes by.

    Args:
        size: width and height.
        floor: where the floor ends and the back wall begins, or the far side of the street; may lie outside.
        horizon: the height of the camera.
        person: pixels of a person's height at the floor line.
    """

    def __init__(self, size: tuple[int, int], floor: float, horizon: float, person: float) -> None:
        self.width, self.height = size
        self.floor, self.horizon, self.person = floor, horizon, person
        self.image = Image.new("RGB", size)
        self.draw = ImageDraw.Draw(self.image)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        if x1 > x0 and y1 > y0:
            self.draw.rectangle((x0, y0, x1 - 1, y1 - 1), fill=colour)

    def shape(self, points: np.ndarray | list[tuple[float, float]], colour: Colour) -> None:  # type: ignore[type-arg]
        self.draw.polygon(np.asarray(points, dtype=np.float64).ravel().tolist(), fill=colour)

    def fade(self, y0: float, y1: float, top: Colour, bottom: Colour) -> None:
        """A vertical gradient."""
        first, last = max(0, math.floor(y0)), min(self.height, math.ceil(y1))
        if last <= first:
            return
        share = (np.arange(first, last) - y0) / max(1.0, y1 - y0)
        rows = np.array(top) + np.clip(share, 0, 1)[:, None] * (np.array(bottom) - np.array(top))
        strip = np.broadcast_to(rows[:, None, :], (last - first, self.width, 3)).astype(np.uint8)
        self.image.paste(Image.fromarray(np.ascontiguousarray(strip)), (0, first))

    def ground(self, near: Colour, far: Colour) -> None:
        self.fade(self.floor, self.height, far, near)

    def lines_to_horizon(self, count: int, colour: Colour, width: int = 1) -> None:
        """Joints of a pavement or of floor boards, running away from the camera."""
        if self.floor >= self.height:
            return
        for index in range(-count, count + 1):
            far_x = self.width / 2 + index * self.width / count * 0.55
            drop = (self.height - self.horizon) / max(4.0, self.floor - self.horizon)
            near_x = self.width / 2 + (far_x - self.width / 2) * min(drop, 12.0)
            self.draw.line((far_x, self.floor, near_x, self.height), fill=colour, width=width)

    def lines_across(self, count: int, colour: Colour) -> None:
        for index in range(1, count):
            y = self.floor + (self.height - self.floor) * (index / count) ** 2
            self.draw.line((0, y, self.width, y), fill=colour)


def draw_scene(
    kind: str, random: Random, size: tuple[int, int], floor: float, horizon: float, person: float
) -> Image.Image:
    """A background.

    Args:
        kind: a key of :data:`SCENES`.
        random: decides everything else.
        size: width and height in pixels.
        floor: height in the picture where the floor ends; beyond the picture for a close-up.
        horizon: height in the picture of the camera.
        person: height of a person there, pixels.

    Returns:
        RGB, of ``size``.
    """
    half = (-(-size[0] // 2), -(-size[1] // 2))
    stage = _Stage(half, floor / 2, horizon / 2, person / 2)
    SCENES[kind](stage, random)
    picture = stage.image
    blur = random.choice((0.4, 0.7, 1.0, 1.6, 2.6)) if kind != "studio" else 0.5
    picture = picture.filter(ImageFilter.BoxBlur(blur * size[1] / 900))
    pixels = np.asarray(picture, dtype=np.float32)
    i, j = random.randrange(180), random.randrange(180)
    blotches = Image.fromarray(grain()[i : i + 24, j : j + 18]).resize(half, Image.Resampling.BICUBIC)
    pixels = pixels * (1.0 + 0.035 * np.asarray(blotches))[:, :, None]
    lit = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return lit.resize(size, Image.Resampling.BILINEAR)


def _muted(random: Random, low: int = 120, high: int = 225, spread: int = 22) -> Colour:
    base = random.randint(low, high)
    red, green, blue = (max(0, min(255, base + random.randint(-spread, spread))) for _ in range(3))
    return red, green, blue


def _street(stage: _Stage, random: Random) -> None:
    sky = random.choice(((196, 214, 232), (220, 224, 228), (168, 198, 230), (236, 222, 206)))
    stage.fade(0, stage.height, sky, shaded(sky, 1.05))
    x = -random.uniform(0, 0.3) * stage.width
    while x < stage.width:
        wide = stage.person * random.uniform(0.55, 1.5)
        tall = stage.person * random.uniform(1.5, 3.6)
        _house(stage, random, x, stage.floor - tall, x + wide, stage.floor)
        x += wide
    tar = _muted(random, 92, 150, 6)
    pavement = _muted(random, 150, 200, 8)
    stage.ground(pavement, shaded(pavement, 0.92))
    deep = stage.height - stage.floor
    if random.random() < 0.6 and deep > 4:
        stage.fade(stage.floor, stage.floor + 0.22 * deep, shaded(tar, 0.95), tar)
        stage.box(0, stage.floor + 0.22 * deep, stage.width, stage.floor + 0.26 * deep, shaded(pavement, 1.12))
    stage.lines_to_horizon(random.choice((5, 7, 9)), shaded(pavement, 0.86))
    stage.lines_across(random.choice((4, 6)), shaded(pavement, 0.88))
    if random.random() < 0.5:
        _car(stage, random)
    for _ in range(random.choice((0, 1, 1, 2))):
        _tree(stage, random, random.uniform(0, stage.width), stage.floor, stage.person * random.uniform(1.3, 2.2))
    if random.random() < 0.5:
        post = random.choice((0.08, 0.9)) * stage.width
        stage.box(post, stage.floor - 2.4 * stage.person, post + 0.035 * stage.person + 1, stage.floor + 2, (62, 64, 68))
    for _ in range(random.choice((0, 0, 1, 2, 3))):
        _passer_by(stage, random)


def _house(stage: _Stage, random: Random, x0: float, y0: float, x1: float, y1: float) -> None:
    wall = random.choice((_muted(random), (178, 104, 82), (206, 186, 158), (150, 92, 78), (196, 200, 202), (226, 206, 180)))
    stage.box(x0, y0, x1, y1, wall)
    stage.box(x0, y0, x1, y0 + 0.05 * stage.person, shaded(wall, 0.8))
    glass = random.choice(((92, 110, 128), (64, 74, 86), (150, 170, 186), (214, 196, 150)))
    step_x, step_y = stage.person * random.uniform(0.3, 0.45), stage.person * random.uniform(0.5, 0.65)
    shop = random.random() < 0.6
    y = y1 - (0.95 if shop else 0.55) * stage.person
    while y > y0 + 0.1 * stage.person:
        x = x0 + 0.2 * step_x
        while x + 0.6 * step_x < x1:
            stage.box(x - 1, y - 0.6 * step_y - 1, x + 0.55 * step_x + 1, y + 1, shaded(wall, 1.13))
            stage.box(x, y - 0.6 * step_y, x + 0.55 * step_x, y, shaded(glass, random.uniform(0.8, 1.2)))
            x += step_x
        y -= step_y
    if shop:
        top = y1 - 0.72 * stage.person
        stage.box(x0 + 2, top, x1 - 2, y1 - 0.06 * stage.person, (70, 78, 84))
        for index in range(random.randint(2, 5)):  # goods in the window
            at = x0 + (index + 0.5) * (x1 - x0) / 5
            goods = random.choice(list(COLOURS.values()))
            stage.box(at, y1 - random.uniform(0.3, 0.6) * stage.person, at + 0.12 * stage.person, y1 - 0.1 * stage.person, mixed(goods, (70, 78, 84), 0.35))
        awning = random.choice(list(COLOURS.values()))
        stripes = max(3, int((x1 - x0) / (0.12 * stage.person)))
        for index in range(stripes):
            a, b = x0 + (x1 - x0) * index / stripes, x0 + (x1 - x0) * (index + 1) / stripes
            stage.box(a, top - 0.14 * stage.person, b, top + 0.06 * stage.person, awning if index % 2 else (236, 232, 224))
    else:
        door = x0 + random.uniform(0.2, 0.6) * (x1 - x0)
        stage.box(door, y1 - 0.95 * 0.62 * stage.person * 1.3, door + 0.3 * stage.person, y1, shaded(random.choice(list(COLOURS.values())), 0.75))


def _car(stage: _Stage, random: Random) -> None:
    paint = random.choice(((180, 30, 34), (40, 44, 52), (222, 224, 226), (60, 84, 120), (150, 154, 158), (206, 190, 140)))
    long, x, y = 2.3 * stage.person, random.uniform(-0.8, 0.9) * stage.width, stage.floor + 0.1 * stage.person
    body = spline([(0, 0), (0, -0.2), (0.1, -0.27), (0.27, -0.29), (0.38, -0.46), (0.66, -0.46), (0.8, -0.29), (0.96, -0.24), (1.0, -0.12), (1.0, 0)])
    stage.shape(body * (long, long * 0.72) + (x, y), paint)
    window = spline([(0.3, -0.29), (0.4, -0.43), (0.64, -0.43), (0.75, -0.29)])
    stage.shape(window * (long, long * 0.72) + (x, y), (54, 62, 72))
    for wheel in (0.2, 0.8):
        stage.shape(ellipse(x + wheel * long, y, 0.085 * long, 0.085 * long), (26, 26, 28))
        stage.shape(ellipse(x + wheel * long, y, 0.045 * long, 0.045 * long), (150, 152, 156))


def _tree(stage: _Stage, random: Random, x: float, y: float, tall: float) -> None:
    stage.box(x - 0.03 * tall, y - 0.5 * tall, x + 0.03 * tall, y, (88, 70, 56))
    leaf = random.choice(((74, 112, 62), (98, 130, 70), (58, 92, 60), (164, 124, 60), (206, 150, 160)))
    for index in range(16):
        angle, away = random.uniform(0, 6.28), math.sqrt(random.random()) * 0.28 * tall
        size = random.uniform(0.07, 0.14) * tall
        blob = ellipse(x + away * math.cos(angle), y - 0.72 * tall + 0.9 * away * math.sin(angle), size, size * 0.85, corners=12)
        stage.shape(blob, shaded(leaf, 0.8 + 0.03 * index))


def _passer_by(stage: _Stage, random: Random) -> None:
    tall = stage.person * random.uniform(0.55, 0.95)
    x, y = random.uniform(0.0, 1.0) * stage.width, stage.floor + 0.12 * stage.person
    coat, trousers = (random.choice(list(COLOURS.values())) for _ in range(2))
    for side in (-1, 1):
        stage.shape([(x, y - 0.5 * tall), (x + side * 0.11 * tall, y - 0.5 * tall), (x + side * 0.09 * tall, y), (x + side * 0.02 * tall, y)], shaded(trousers, 0.8))
        stage.shape(spline([(x + side * 0.1 * tall, y - 0.8 * tall), (x + side * 0.15 * tall, y - 0.62 * tall), (x + side * 0.13 * tall, y - 0.46 * tall), (x + side * 0.08 * tall, y - 0.7 * tall)], closed=True), shaded(coat, 0.9))
    stage.shape(spline([(x - 0.12 * tall, y - 0.82 * tall), (x + 0.12 * tall, y - 0.82 * tall), (x + 0.11 * tall, y - 0.45 * tall), (x - 0.11 * tall, y - 0.45 * tall)], closed=True), coat)
    stage.shape(ellipse(x, y - 0.92 * tall, 0.05 * tall, 0.065 * tall), random.choice(SKIN))
    stage.shape(ellipse(x, y - 0.95 * tall, 0.055 * tall, 0.045 * tall), random.choice(HAIR))


def _park(stage: _Stage, random: Random) -> None:
    sky = random.choice(((176, 206, 236), (214, 222, 228), (244, 222, 196)))
    stage.fade(0, stage.height, sky, shaded(sky, 1.06))
    leaf = random.choice(((78, 116, 66), (60, 96, 62), (120, 130, 66), (150, 110, 56)))
    for index in range(26):
        x, size = random.uniform(-0.1, 1.1) * stage.width, stage.person * random.uniform(0.3, 0.7)
        y = stage.floor - stage.person * random.uniform(0.2, 1.7)
        stage.shape(ellipse(x, y, size, size * 0.8, corners=14), shaded(leaf, 0.62 + 0.016 * index))
    for _ in range(3):
        _tree(stage, random, random.uniform(0, 1) * stage.width, stage.floor + 1, stage.person * random.uniform(1.4, 2.4))
    lawn = random.choice(((112, 146, 74), (138, 158, 88), (92, 128, 70)))
    stage.ground(lawn, shaded(lawn, 0.82))
    if random.random() < 0.6 and stage.floor < stage.height:
        middle = random.uniform(0.3, 0.7) * stage.width
        path = mixed((206, 190, 160), lawn, 0.15)
        stage.shape([(middle - 4, stage.floor), (middle + 4, stage.floor), (stage.width * 1.1, stage.height), (-0.1 * stage.width, stage.height)], path)
    for _ in range(40):
        x, y = random.uniform(0, stage.width), random.uniform(stage.floor, max(stage.floor + 1, stage.height))
        stage.box(x, y, x + 1.5, y + 1.5, random.choice(((240, 240, 230), (250, 214, 80), shaded(lawn, 1.2), shaded(lawn, 0.75))))
    if random.random() < 0.4:
        x, y, wide = random.uniform(-0.2, 0.7) * stage.width, stage.floor + 0.1 * stage.person, 0.9 * stage.person
        for row in (0.5, 0.4, 0.27):
            stage.box(x, y - row * stage.person, x + wide, y - (row - 0.07) * stage.person, (122, 84, 56))
        for leg in (0.05, 0.9):
            stage.box(x + leg * wide, y - 0.27 * stage.person, x + (leg + 0.05) * wide, y, (60, 56, 54))


def _room(stage: _Stage, random: Random) -> None:
    wall = random.choice((_muted(random, 190, 236, 12), (222, 214, 200), (206, 214, 208), (196, 204, 216), (232, 220, 214), (170, 178, 160), (120, 132, 140)))
    stage.fade(0, stage.floor, shaded(wall, 1.02), shaded(wall, 0.93))
    boards = random.choice(((176, 136, 96), (204, 172, 132), (130, 98, 72), (190, 186, 180), (150, 146, 144)))
    stage.ground(shaded(boards, 1.05), shaded(boards, 0.85))
    stage.lines_to_horizon(random.choice((6, 9, 12)), shaded(boards, 0.78))
    stage.box(0, stage.floor - 0.05 * stage.person, stage.width, stage.floor, shaded(wall, 1.12))
    p, f = stage.person, stage.floor
    if random.random() < 0.55:
        _window(stage, random, random.choice((0.02, 0.1, 0.62)) * stage.width, f - 1.35 * p, 0.55 * p, 0.8 * p)
    for _ in range(random.choice((0, 1, 2, 4))):
        _picture_frame(stage, random)
    pieces = random.sample((_sofa, _plant, _lamp, _shelf, _door, _wardrobe), random.choice((1, 2, 3)))
    for piece in pieces:
        piece(stage, random, random.choice((-0.12, 0.0, 0.62, 0.72)) * stage.width)
    if random.random() < 0.4 and f < stage.height:
        rug = random.choice(list(COLOURS.values()))
        stage.shape(ellipse(stage.width / 2, f + 0.45 * (stage.height - f), 0.55 * stage.width, 0.3 * (stage.height - f)), mixed(rug, boards, 0.3))


def _window(stage: _Stage, random: Random, x: float, y: float, wide: float, tall: float) -> None:
    stage.box(x - 3, y - 3, x + wide + 3, y + tall + 3, (240, 240, 238))
    stage.box(x, y, x + wide, y + tall, random.choice(((214, 228, 240), (244, 246, 248), (186, 206, 190))))
    stage.box(x + wide / 2 - 1, y, x + wide / 2 + 1, y + tall, (240, 240, 238))
    stage.box(x, y + 0.45 * tall, x + wide, y + 0.45 * tall + 2, (240, 240, 238))
    cloth = _muted(random, 150, 230, 16)
    for side in (-1, 1):
        a = x - 0.16 * wide if side < 0 else x + 0.86 * wide
        for index in range(5):
            stage.box(a + index * 0.06 * wide, y - 0.1 * tall, a + (index + 1) * 0.06 * wide, y + 1.4 * tall, shaded(cloth, (1.0, 0.9)[index % 2]))


def _picture_frame(stage: _Stage, random: Random) -> None:
    wide, tall = stage.person * random.uniform(0.12, 0.34), stage.person * random.uniform(0.16, 0.4)
    x, y = random.uniform(0, 0.9) * stage.width, stage.floor - stage.person * random.uniform(0.75, 1.3)
    frame = random.choice(((40, 38, 38), (196, 160, 110), (240, 238, 234)))
    stage.box(x, y, x + wide, y + tall, frame)
    stage.box(x + 2, y + 2, x + wide - 2, y + tall - 2, (240, 236, 228))
    a, b = random.choice(list(COLOURS.values())), random.choice(list(COLOURS.values()))
    stage.box(x + 0.2 * wide, y + 0.2 * tall, x + 0.8 * wide, y + 0.8 * tall, a)
    stage.shape(ellipse(x + 0.5 * wide, y + 0.55 * tall, 0.2 * wide, 0.18 * tall), b)


def _sofa(stage: _Stage, random: Random, x: float) -> None:
    colour, p, y = _muted(random, 80, 190, 40), stage.person, stage.floor + 0.15 * stage.person
    wide = 1.0 * p
    stage.shape(spline([(x, y - 0.1 * p), (x, y - 0.48 * p), (x + 0.1 * p, y - 0.52 * p), (x + wide - 0.1 * p, y - 0.52 * p), (x + wide, y - 0.48 * p), (x + wide, y - 0.1 * p)]), shaded(colour, 0.85))
    stage.box(x + 0.03 * p, y - 0.3 * p, x + wide - 0.03 * p, y - 0.03 * p, colour)
    for side in (0.0, 0.9):
        stage.shape(spline([(x + side * p - 0.03 * p, y), (x + side * p - 0.03 * p, y - 0.36 * p), (x + side * p + 0.12 * p, y - 0.36 * p), (x + side * p + 0.12 * p, y)]), shaded(colour, 0.92))
    pillow = random.choice(list(COLOURS.values()))
    stage.shape(spline([(x + 0.2 * p, y - 0.28 * p), (x + 0.2 * p, y - 0.46 * p), (x + 0.4 * p, y - 0.47 * p), (x + 0.41 * p, y - 0.28 * p)], closed=True), pillow)


def _plant(stage: _Stage, random: Random, x: float) -> None:
    p, y = stage.person, stage.floor + 0.1 * stage.person
    x += 0.2 * p
    leaf = random.choice(((62, 104, 66), (84, 126, 80), (48, 86, 62)))
    for index in range(11):
        angle = math.pi * (0.1 + 0.8 * index / 10)
        tip = (x - 0.34 * p * math.cos(angle), y - 0.3 * p - 0.42 * p * math.sin(angle) * random.uniform(0.7, 1.1))
        stage.shape([(x, y - 0.25 * p), ((x + tip[0]) / 2 - 0.04 * p, (y - 0.25 * p + tip[1]) / 2 - 0.03 * p), tip, ((x + tip[0]) / 2 + 0.04 * p, (y - 0.25 * p + tip[1]) / 2 + 0.03 * p)], shaded(leaf, 0.85 + 0.03 * index))
    pot = random.choice(((196, 120, 86), (230, 228, 224), (70, 72, 76)))
    stage.shape([(x - 0.11 * p, y - 0.26 * p), (x + 0.11 * p, y - 0.26 * p), (x + 0.08 * p, y), (x - 0.08 * p, y)], pot)


def _lamp(stage: _Stage, random: Random, x: float) -> None:
    p, y = stage.person, stage.floor + 0.06 * stage.person
    x += 0.2 * p
    stage.box(x - 1.5, y - 0.9 * p, x + 1.5, y, (60, 56, 54))
    stage.shape([(x - 0.1 * p, y - 1.08 * p), (x + 0.1 * p, y - 1.08 * p), (x + 0.16 * p, y - 0.85 * p), (x - 0.16 * p, y - 0.85 * p)], (250, 232, 190))


def _shelf(stage: _Stage, random: Random, x: float) -> None:
    p, y, wide = stage.person, stage.floor + 0.03 * stage.person, 0.6 * stage.person
    wood = random.choice(((240, 238, 232), (150, 110, 76), (90, 70, 58)))
    stage.box(x, y - 1.2 * p, x + wide, y, wood)
    for row in range(5):
        top = y - 1.17 * p + row * 0.235 * p
        stage.box(x + 2, top, x + wide - 2, top + 0.2 * p, shaded(wood, 0.72))
        at = x + 3
        while at < x + wide - 0.08 * p:
            thick = random.uniform(0.02, 0.05) * p + 1
            if random.random() < 0.85:
                stage.box(at, top + random.uniform(0.02, 0.09) * p, at + thick, top + 0.2 * p, mixed(random.choice(list(COLOURS.values())), wood, 0.2))
            at += thick + 1


def _door(stage: _Stage, random: Random, x: float) -> None:
    p, y = stage.person, stage.floor
    paint = _muted(random, 170, 240, 12)
    stage.box(x, y - 1.22 * p, x + 0.55 * p, y, shaded(paint, 0.88))
    stage.box(x + 3, y - 1.19 * p, x + 0.55 * p - 3, y, paint)
    for top, bottom in ((1.12, 0.66), (0.56, 0.1)):
        stage.box(x + 0.09 * p, y - top * p, x + 0.46 * p, y - bottom * p, shaded(paint, 0.93))
    stage.shape(ellipse(x + 0.49 * p, y - 0.6 * p, 0.02 * p + 1, 0.02 * p + 1), (180, 150, 90))


def _wardrobe(stage: _Stage, random: Random, x: float) -> None:
    _rail(stage, random, x, 0.8 * stage.person)


def _rail(stage: _Stage, random: Random, x: float, wide: float) -> None:
    """Clothes on a rail: other garments than the wanted one."""
    p, y = stage.person, stage.floor + 0.05 * stage.person
    for end in (0.0, wide):
        stage.box(x + end - 1.5, y - 0.98 * p, x + end + 1.5, y, (90, 90, 94))
    stage.box(x, y - 0.98 * p, x + wide, y - 0.96 * p, (90, 90, 94))
    at = x + 0.04 * p
    while at < x + wide - 0.1 * p:
        colour, long = random.choice(list(COLOURS.values())), random.uniform(0.35, 0.7) * p
        step = random.uniform(0.05, 0.1) * p
        stage.shape(spline([(at, y - 0.9 * p), (at + 0.5 * step, y - 0.95 * p), (at + 1.3 * step, y - 0.89 * p), (at + 1.4 * step, y - 0.95 * p + long), (at - 0.1 * step, y - 0.95 * p + long)], closed=True), colour)
        for fold in range(2):
            stage.draw.line((at + (0.3 + 0.5 * fold) * step, y - 0.86 * p, at + (0.3 + 0.5 * fold) * step, y - 0.97 * p + long), fill=shaded(colour, 0.8))
        at += step


def _shop(stage: _Stage, random: Random) -> None:
    wall = _muted(random, 205, 240, 8)
    stage.fade(0, stage.floor, wall, shaded(wall, 0.94))
    floor = _muted(random, 150, 215, 14)
    stage.ground(floor, shaded(floor, 0.88))
    stage.lines_to_horizon(4, shaded(floor, 0.9))
    stage.lines_across(4, shaded(floor, 0.9))
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
        stage.shape(ellipse((index + 0.5) * stage.width / 6, stage.floor - 1.9 * stage.person, 0.05 * stage.person, 0.03 * stage.person), (255, 250, 236))


def _wall(stage: _Stage, random: Random) -> None:
    kind = random.choice(("brick", "painted", "concrete", "tiles", "graffiti", "shutter"))
    base = {"brick": random.choice(((168, 92, 72), (196, 176, 156), (150, 80, 66))), "concrete": (170, 170, 168),
            "tiles": random.choice(((226, 230, 230), (120, 160, 160), (196, 210, 190)))}.get(kind, random.choice(list(COLOURS.values())))  # fmt: skip
    base = mixed(base, (190, 190, 190), 0.25)
    stage.fade(0, stage.height, shaded(base, 1.05), shaded(base, 0.9))
    if kind in ("brick", "tiles"):
        tall = max(3.0, stage.person * (0.045 if kind == "brick" else 0.1))
        joint = shaded(base, 1.25 if kind == "brick" else 0.85)
        row, y = 0, stage.floor
        while y > 0:
            x = -(row % 2) * tall * 1.2
            while x < stage.width:
                stage.box(x, y - tall, x + 2.4 * tall, y, shaded(base, random.uniform(0.88, 1.08)))
                x += 2.4 * tall
                stage.box(x - 1, y - tall, x, y, joint)
            stage.box(0, y - 1, stage.width, y, joint)
            y -= tall
            row += 1
    elif kind == "shutter":
        step = max(3, int(0.05 * stage.person))
        for y in range(0, int(max(1, min(stage.floor, stage.height))), step):
            stage.box(0, y, stage.width, y + 1, shaded(base, 0.78))
    elif kind == "graffiti":
        for _ in range(12):
            colour = random.choice(list(COLOURS.values()))
            x, y, size = random.uniform(0, stage.width), random.uniform(0, max(2.0, stage.floor)), stage.person * random.uniform(0.1, 0.4)
            points = [(x + size * random.uniform(-1, 1), y + size * random.uniform(-0.7, 0.7)) for _ in range(5)]
            if random.random() < 0.5:
                stage.shape(spline(points, closed=True), colour)
            else:
                stage.draw.line(spline(points).ravel().tolist(), fill=colour, width=max(2, int(0.05 * stage.person)), joint="curve")
    ground = _muted(random, 110, 180, 8)
    stage.ground(ground, shaded(ground, 0.85))
    stage.lines_across(4, shaded(ground, 0.9))


def _beach(stage: _Stage, random: Random) -> None:
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
        colour = random.choice(list(COLOURS.values()))
        for index in range(6):
            a, b = -0.5 + index / 6, -0.5 + (index + 1) / 6
            stage.shape([(x, y - 1.15 * p), (x + a * p, y - 0.82 * p), (x + b * p, y - 0.82 * p)], colour if index % 2 else (244, 240, 232))


def _studio(stage: _Stage, random: Random) -> None:
    tone = random.choice((_muted(random, 170, 235, 10), mixed(random.choice(list(COLOURS.values())), (200, 200, 200), 0.6)))
    stage.fade(0, stage.height, shaded(tone, 1.06), shaded(tone, 0.86))


def _night(stage: _Stage, random: Random) -> None:
    stage.fade(0, stage.height, (34, 36, 56), (66, 56, 62))
    stage.ground((70, 66, 70), (46, 44, 52))
    for _ in range(60):
        light = random.choice(((255, 214, 140), (255, 170, 100), (240, 90, 80), (150, 200, 255), (250, 240, 220)))
        size = stage.person * random.uniform(0.015, 0.06)
        x, y = random.uniform(0, stage.width), stage.floor - abs(random.gauss(0, 0.7)) * stage.person
        stage.shape(ellipse(x, y, size, size, corners=12), mixed(light, (50, 46, 60), random.uniform(0.1, 0.6)))


SCENES: dict[str, Callable[[_Stage, Random], None]] = {
    "street": _street,
    "park": _park,
    "room": _room,
    "shop": _shop,
    "wall": _wall,
    "beach": _beach,
    "studio": _studio,
    "night": _night,
}
"""Every kind of background."""
