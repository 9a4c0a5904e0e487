from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageFilter

from stylesearch.drawn_shop.cloth.patterns import draw_pattern
from stylesearch.drawn_shop.cloth.textures import cloth_of
from stylesearch.drawn_shop.cloth.tiles import Dyes
from stylesearch.drawn_shop.garments.cuts import cut_of
from stylesearch.drawn_shop.garments.garments import sew
from stylesearch.drawn_shop.garments.tailor import draw_spec
from stylesearch.drawn_shop.scenes.camera import Camera, draw_camera, encode_jpeg, expose
from stylesearch.drawn_shop.scenes.scenes import SCENES, draw_scene
from stylesearch.drawn_shop.shop import draw_shop_image
from stylesearch.drawn_shop.street import draw_street_photo
from stylesearch.drawn_shop.wardrobe import CATEGORIES, CHOICES

pytestmark = pytest.mark.slow

_PATTERNS = sorted({pattern for choices in CHOICES.values() for pattern in choices["pattern"]})


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("view", [0, 1, 2])
def test_a_shop_image_is_a_garment_in_the_middle_of_white(category: str, view: int) -> None:
    spec = replace(draw_spec(category, Random(f"shop/{category}")), color="green")
    image = draw_shop_image(spec, Random(1), size=200, view=view)
    assert image.size == (160, 200)
    pixels = np.asarray(image).astype(int)
    # the close-up fills the picture up to its edges, the others leave the corners white
    if view < 2:
        for corner in (pixels[:6, :6], pixels[:6, -6:], pixels[-6:, :6], pixels[-6:, -6:]):
            assert corner.min() >= 240
    garment = (pixels.max(axis=2) - pixels.min(axis=2)) > 25
    rows, columns = np.nonzero(garment)
    assert 0.08 < garment.mean() < 0.95
    assert abs(columns.mean() - 80) < 16
    assert abs(rows.mean() - 100) < 40


def test_views_differ_and_repeat_after_three() -> None:
    spec = draw_spec("shirt", Random(5))
    images = [draw_shop_image(spec, Random(1), size=120, view=view).tobytes() for view in range(4)]
    assert len(set(images)) == 3
    assert images[3] == images[0]


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_same_random_draws_the_same_image(category: str) -> None:
    spec = draw_spec(category, Random(3))
    shop = [draw_shop_image(spec, Random("a"), size=120).tobytes() for _ in range(2)]
    street = [draw_street_photo(spec, Random("a"), size=160).image.tobytes() for _ in range(2)]
    assert shop[0] == shop[1]
    assert street[0] == street[1]
    assert draw_street_photo(spec, Random("b"), size=160).image.tobytes() != street[0]


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_box_is_that_of_the_visible_garment(category: str) -> None:
    for number in range(4):
        random = Random(f"{category}/{number}")
        photo = draw_street_photo(draw_spec(category, random), random, size=200)
        seen = np.asarray(photo.visible) > 0
        rows, columns = np.nonzero(seen)
        box = photo.box
        assert (box.x0, box.y0) == (columns.min(), rows.min())
        assert (box.x1, box.y1) == (columns.max() + 1, rows.max() + 1)
        assert photo.image.size == photo.visible.size
        assert box.x1 <= photo.image.width
        assert box.y1 <= photo.image.height
        assert seen.mean() > 0.02


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_garment_is_where_the_truth_says(category: str) -> None:
    """The same photo with a dark and a light garment differs in the garment, and nowhere else."""
    spec = replace(
        draw_spec(category, Random(8)), pattern="plain", material="cotton", trim="none", second="white"
    )
    dark, light = (
        draw_street_photo(replace(spec, color=color), Random(2), size=240) for color in ("black", "white")
    )
    assert dark.box == light.box
    changed = (
        np.abs(np.asarray(dark.image).astype(int) - np.asarray(light.image).astype(int)).max(axis=2) > 24
    )
    near = np.asarray(dark.visible.filter(ImageFilter.MaxFilter(9))) > 0
    seen = np.asarray(dark.visible) > 0
    assert changed[seen].mean() > 0.7
    assert changed[~near].mean() < 5e-4  # only edges that are mostly something else


def test_photos_have_several_shapes_most_of_them_upright() -> None:
    spec = draw_spec("dress", Random(1))
    sizes = [draw_street_photo(spec, Random(number), size=96).image.size for number in range(30)]
    assert all(max(size) == 96 for size in sizes)
    assert len(set(sizes)) >= 4
    assert sum(height > width for width, height in sizes) > 15


@pytest.mark.parametrize("pattern", _PATTERNS)
def test_patterns_repeat_without_a_seam_and_scale(pattern: str) -> None:
    dyes = Dyes((240, 240, 240), (20, 20, 120), (200, 30, 30))
    small, large = (
        np.asarray(draw_pattern(pattern, dyes, 1.0, scale, 3)).astype(float) for scale in (6.0, 12.0)
    )
    assert abs(large.shape[0] - 2 * small.shape[0]) <= 2
    np.testing.assert_allclose(small.mean(axis=(0, 1)), large.mean(axis=(0, 1)), atol=14)
    steps = np.abs(np.diff(large, axis=0)).mean(axis=(1, 2))
    seam = np.abs(large[0] - large[-1]).mean()
    assert seam <= steps.max() + 1.0
    assert (
        np.abs(large[:, 0] - large[:, -1]).mean()
        <= np.abs(np.diff(large, axis=1)).mean(axis=(0, 2)).max() + 1.0
    )


def test_dye_depends_on_the_seed_and_the_color_alone() -> None:
    spec = draw_spec("dress", Random(2))
    same = replace(spec, cut="shift", pattern="plain", second="white")
    assert cloth_of(spec).base == cloth_of(same).base
    assert cloth_of(replace(spec, seed=spec.seed + 1)).base != cloth_of(spec).base


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_category_is_cut_and_sewn_at_any_scale(category: str) -> None:
    for number in range(8):
        spec = draw_spec(category, Random(number))
        cut = cut_of(spec)
        heights = np.linspace(cut.top + 22.0, cut.length, 30)
        assert (cut.half(heights) > 8).all()
        for scale in (0.6, 3.0):
            garment = sew(spec, scale, Random(number), worn=True)
            assert (garment.sleeve is not None) == (spec.sleeves not in ("none", "straps", "sleeveless"))
            cloth = np.asarray(garment.body.strip.image.getchannel("X"))
            assert 0.2 < (cloth > 127).mean() < 0.95


@pytest.mark.parametrize("kind", sorted(SCENES))
@pytest.mark.parametrize(("floor", "horizon"), [(100.0, 40.0), (400.0, 60.0), (12.0, 5.0)])
def test_scenes_fill_the_image_wherever_the_floor_is(kind: str, floor: float, horizon: float) -> None:
    image = draw_scene(kind, Random(kind), (91, 130), floor, horizon, 90.0)
    assert image.size == (91, 130)
    assert image.mode == "RGB"
    assert np.asarray(image).std() > 2


def test_a_camera_changes_light_and_sharpness_but_not_size() -> None:
    image = Image.fromarray(np.random.default_rng(1).integers(0, 255, (60, 40, 3), dtype=np.uint8))
    before = image.tobytes()
    plain = Camera((1, 1, 1), 1.0, 0.0, 0.0, 0.0, 0, 0.0, 1.0, 90, 0)
    assert expose(image, plain).tobytes() == before
    warm = np.asarray(expose(image, replace(plain, gains=(1.0, 1.0, 0.5)))).mean(axis=(0, 1))
    assert warm[2] < 0.6 * warm[0]
    for change in ({"blur": 2.0}, {"shake": 5}, {"coarse": 0.4}):
        softer = expose(image, replace(plain, **change))  # type: ignore[arg-type]
        assert softer.size == image.size
        assert np.asarray(softer).std() < 0.8 * np.asarray(image).std()
    noisy = expose(Image.new("RGB", (300, 300), (120, 120, 120)), replace(plain, noise=6.0))
    assert 5.0 < np.asarray(noisy).std() < 7.0
    assert image.tobytes() == before


def test_hard_photos_show_the_same_scene_with_less_of_its_detail_and_other_colors() -> None:
    spec = draw_spec("dress", Random(3))
    easy, hard = (draw_street_photo(spec, Random("a"), size=320, hard=hard) for hard in (False, True))
    assert hard.box == easy.box
    assert hard.visible.tobytes() == easy.visible.tobytes()
    assert hard.image.tobytes() != easy.image.tobytes()
    cameras = [[draw_camera(Random(i), hard=hard) for i in range(200)] for hard in (False, True)]
    warmth = [np.std([camera.gains[0] / camera.gains[2] for camera in some]) for some in cameras]
    assert warmth[1] > 1.5 * warmth[0]
    coarse = [np.mean([camera.coarse for camera in some]) for some in cameras]
    assert coarse[1] < 0.5 * coarse[0]


def test_cameras_are_drawn_within_what_jpeg_takes() -> None:
    for number in range(50):
        camera = draw_camera(Random(number), dark=number % 2 == 0)
        assert 1 <= camera.quality <= 95
        assert 0 < camera.coarse <= 1
        assert min(camera.gains) > 0
    assert encode_jpeg(Image.new("RGB", (8, 8)), 80)[:2] == b"\xff\xd8"
