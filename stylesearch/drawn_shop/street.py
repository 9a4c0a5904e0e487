"""Draws a street photo: a person who wears the product, in front of a background."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from PIL import Image

from stylesearch.drawn_shop.drawing.canvas import Canvas
from stylesearch.drawn_shop.drawing.curves import ellipse
from stylesearch.drawn_shop.drawing.palette import COLORS, SHOES
from stylesearch.drawn_shop.garments.garments import Garment, sew
from stylesearch.drawn_shop.garments.tailor import draw_spec
from stylesearch.drawn_shop.people.bodies import draw_body, draw_pose
from stylesearch.drawn_shop.people.dressing import wear_back, wear_body, wear_sleeve
from stylesearch.drawn_shop.people.heads import draw_back_hair, draw_front_hair, draw_head
from stylesearch.drawn_shop.people.limbs import draw_arm, draw_hand, draw_legs_skin, draw_shoes, draw_trunk
from stylesearch.drawn_shop.people.skeletons import Skeleton
from stylesearch.drawn_shop.scenes.camera import Camera, draw_camera, expose
from stylesearch.drawn_shop.scenes.props import draw_foreground, draw_held, draw_mirror, draw_worn_bag
from stylesearch.drawn_shop.scenes.scenes import draw_scene
from stylesearch.drawn_shop.wardrobe import GarmentSpec
from stylesearch.types import Box

__all__ = ["StreetPhoto", "draw_street_photo"]

_ASPECTS = (3 / 4, 3 / 4, 2 / 3, 2 / 3, 9 / 16, 4 / 5, 4 / 5, 1.0, 4 / 3)
_SHOWN = {  # heights on the body that the image's upper and lower edge may show
    "full": (-36.0, 150.0),
    "knees": (-36.0, 108.0),
    "hips": (-34.0, 78.0),
    "headless": (-10.0, 150.0),
    "headless hips": (-12.0, 84.0),
    "legs": (22.0, 152.0),
    "middle": (10.0, 118.0),
}
_FRAMINGS = {
    "long": ("full", "full", "full", "headless", "knees"),
    "short": ("full", "full", "knees", "hips", "hips", "headless hips"),
    "legs": ("full", "full", "headless", "legs", "legs"),
    "half": ("full", "knees", "headless", "middle", "middle"),
}
_PLACES = (*("street",) * 3, *("room", "wall", "mirror") * 2, "park", "shop", "beach", "studio", "night")
"""A place named twice is drawn twice as often."""

_ABOVE = {False: ("t-shirt", "t-shirt", "shirt", "jumper"), True: ("t-shirt", "top", "shirt", "jumper")}
_BELOW = {False: ("trousers", "trousers", "shorts"), True: ("trousers", "trousers", "skirt", "shorts")}
"""What else is worn, for a masculine or feminine build."""

_TRIES = 6
_LEAST_SEEN = 0.035


@dataclass(frozen=True, slots=True)
class StreetPhoto:
    """A photo with its ground truth.

    Attributes:
        image: RGB, before compression.
        box: the visible part of the garment.
        visible: L, 255 where the garment is visible.
        camera: camera of the photo.
        person: who wears it, in pixels of the photo; parts of the body may lie outside.
    """

    image: Image.Image
    box: Box
    visible: Image.Image
    camera: Camera
    person: Skeleton


def draw_street_photo(
    spec: GarmentSpec, random: Random, *, size: int = 640, hard: bool = False
) -> StreetPhoto:
    """Draws a photo of a person who wears the garment.

    Args:
        spec: the garment.
        random: decides person, pose, background, other clothes, light, framing.
        size: the longer side in pixels.
        hard: whether it is taken with a poor camera in bad light.
    """
    best: tuple[int, Canvas, bool, Skeleton] | None = None
    for _ in range(_TRIES):
        canvas, dark, person = _scene_with_person(spec, random, size)
        seen = canvas.wanted.histogram()[255]
        if best is None or seen > best[0]:
            best = (seen, canvas, dark, person)
        if seen > _LEAST_SEEN * canvas.image.width * canvas.image.height:
            break
    assert best is not None
    _, canvas, dark, person = best
    camera = draw_camera(random, dark=dark, hard=hard)
    visible = canvas.wanted.point([255 if value >= 128 else 0 for value in range(256)])
    edges = visible.getbbox()
    if edges is None:  # no framing above leaves it out; a photo without its garment could not be answered
        raise AssertionError(f"the garment is not in its street photo: {spec}")
    return StreetPhoto(expose(canvas.image.convert("RGB"), camera), Box(*edges), visible, camera, person)


def _scene_with_person(spec: GarmentSpec, random: Random, size: int) -> tuple[Canvas, bool, Skeleton]:
    aspect = random.choice(_ASPECTS)
    width, height = (round(size * aspect), size) if aspect <= 1 else (size, round(size / aspect))
    kind = random.choice(_PLACES)
    women_only = spec.category in ("dress", "skirt", "top")
    body = draw_body(random, build=random.choice((0.0, 0.1, 0.2)) if women_only else None)
    pose = draw_pose(random, mirror_photo=kind == "mirror")
    framing = random.choice(_FRAMINGS[_framing_of(spec)])
    top, bottom = _SHOWN[framing]
    scale = height / (bottom - top) / body.tall * random.uniform(0.86, 1.02)
    if framing == "full":
        scale *= random.choice((1.0, 1.0, 0.92, 0.78))
    spare = height - scale * body.tall * (bottom - top)
    origin_y = -top * scale * body.tall + spare * random.uniform(0.35, 0.65)
    origin_x = width * min(0.7, max(0.3, random.gauss(0.5, 0.08)))
    person = Skeleton(body, pose, (origin_x, origin_y), scale)
    feet = origin_y + 143 * scale * body.tall
    floor = feet - scale * random.uniform(14, 42)
    background = draw_scene(
        "room" if kind == "mirror" else kind,
        random,
        (width, height),
        floor,
        origin_y + 10 * scale,
        165 * scale,
    )
    canvas = Canvas(background)
    _cast_shadow(canvas, person, random)
    _paint_person(canvas, person, spec, random)
    if kind == "mirror":
        draw_mirror(canvas, person, random)
    draw_foreground(canvas, random, scale)
    return canvas, kind == "night", person


def _framing_of(spec: GarmentSpec) -> str:
    if spec.category in ("dress", "coat"):
        return "long"
    if spec.category == "trousers" or (spec.category == "skirt" and spec.length in ("midi", "maxi")):
        return "legs"
    return "half" if spec.category in ("skirt", "shorts") else "short"


def _cast_shadow(canvas: Canvas, person: Skeleton, random: Random) -> None:
    feet = 0.5 * (person.leg(0)[-1] + person.leg(1)[-1])
    x, y = float(feet[0]) + person.scale * random.uniform(-10, 10), float(feet[1]) + 9 * person.scale
    if y < canvas.image.height + 20:
        canvas.veil(ellipse(x, y, 30 * person.scale, 6 * person.scale), (20, 18, 22), 0.5, 4 * person.scale)


@dataclass(frozen=True, slots=True)
class _Layer:
    garment: Garment
    wanted: bool


def _clothes(
    spec: GarmentSpec, random: Random, scale: float, feminine: bool
) -> tuple[_Layer | None, list[_Layer], bool]:
    """Chooses the clothes below the waist, those above it inside first, and whether they are tucked in."""

    def other(categories: tuple[str, ...], **wishes: tuple[str, ...]) -> _Layer:
        category = random.choice(categories)
        found = draw_spec(category, random)
        while any(getattr(found, name) not in values for name, values in wishes.items()):
            found = draw_spec(category, random)
        return _Layer(sew(found, scale, random, worn=True), False)

    wanted = _Layer(sew(spec, scale, random, worn=True), True)
    if spec.category in (
        "skirt",
        "trousers",
        "shorts",
    ):  # with something short, or little of it would be seen
        above = other(
            _ABOVE[feminine], length=("cropped", "hip"), cut=("fitted", "regular", "loose", "peplum")
        )
        return wanted, [above], random.random() < 0.65
    if spec.category == "dress":
        return None, [wanted], False
    below = other(_BELOW[feminine])
    if spec.category in ("coat", "jacket"):
        layers = [wanted]
        if spec.neckline in ("lapel", "biker", "collar"):
            layers.insert(0, other(("t-shirt", "jumper"), sleeves=("short", "elbow")))
        return below, layers, False
    tucked = spec.category != "jumper" and spec.length != "cropped" and random.random() < 0.4
    return below, [wanted], tucked


def _paint_person(canvas: Canvas, person: Skeleton, spec: GarmentSpec, random: Random) -> None:
    body, pose = person.body, person.pose
    below, above, tucked = _clothes(spec, random, person.scale * 1.12, body.build < 0.5)
    outer = above[-1]
    draw_back_hair(canvas, person, random)

    def arm(side: int) -> None:
        sleeve = outer.garment.cut.sleeve
        draw_arm(canvas, person, side, bare_from=(sleeve - 7.0) / 52.5 if sleeve else 0.0)
        draw_held(canvas, person, side, random, behind=True)
        draw_hand(canvas, person, side, fist=pose.hands[side] != "open")
        wear_sleeve(canvas, person, outer.garment, side, wanted=outer.wanted)

    for side in (0, 1):
        if not pose.arms_in_front[side]:
            arm(side)
    for layer in above:
        wear_back(canvas, person, layer.garment, wanted=layer.wanted)
    draw_trunk(canvas, person)
    tights = (
        random.choice(((34, 32, 36), (60, 44, 40))) if body.build < 0.5 and random.random() < 0.12 else None
    )
    draw_legs_skin(canvas, person, tights=tights)
    kinds = (
        ("sneaker", "sneaker", "boot", "pump", "sandal")
        if body.build < 0.5
        else ("sneaker", "sneaker", "boot")
    )
    draw_shoes(
        canvas,
        person,
        random.choice(kinds),
        random.choice((*SHOES, random.choice(list(COLORS.values())))),
        random,
    )
    if below is not None and not tucked:
        wear_body(canvas, person, below.garment, wanted=below.wanted)
    for layer in above:
        cut_at = 39.0 if tucked and layer.garment.cut.length > 42 else None
        wear_body(canvas, person, layer.garment, wanted=layer.wanted, below=cut_at)
    if below is not None and tucked:
        wear_body(canvas, person, below.garment, wanted=below.wanted)
    draw_head(canvas, person, random)
    draw_front_hair(canvas, person, random)
    draw_worn_bag(canvas, person, random)
    for side in (0, 1):
        if pose.arms_in_front[side]:
            arm(side)
            draw_held(canvas, person, side, random, behind=False)
