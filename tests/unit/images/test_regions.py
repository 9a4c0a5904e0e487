from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from stylesearch.errors import ImageError, UnknownName
from stylesearch.images.decode import DecodedImage, decode
from stylesearch.images.regions import (
    REGION_PLANS,
    RelativeBox,
    centred_boxes,
    crop,
    crops,
    letterbox,
    plan_boxes,
    reduction,
)
from stylesearch.types import Box


class TestPlans:
    def test_whole_is_the_photo(self):
        assert plan_boxes("whole", 300, 400) == [Box(0, 0, 300, 400)]

    def test_street_is_the_photo_and_fifteen_centred_crops_of_four_sizes(self):
        boxes = plan_boxes("street", 1000, 2000)
        assert len(boxes) == 16
        assert boxes[0] == Box(0, 0, 1000, 2000)
        sizes = [(box.x1 - box.x0, box.y1 - box.y0) for box in boxes[1:]]
        assert sizes == [(800, 1600)] * 3 + [(600, 1200)] * 5 + [(800, 1000)] * 3 + [(600, 800)] * 4
        assert all(box.x0 + box.x1 == 1000 for box in boxes)
        assert {box.y0 for box in boxes if box.y1 - box.y0 == 1000} == {0, 500, 1000}

    @pytest.mark.parametrize("plan", REGION_PLANS)
    @pytest.mark.parametrize("size", [(16, 16), (17, 1999), (4032, 3024), (1, 1)])
    def test_every_plan_stays_inside_every_photo(self, plan, size):
        width, height = size
        for box in plan_boxes(plan, width, height):
            assert box.x1 <= width
            assert box.y1 <= height

    def test_a_plan_is_data(self):
        assert all(isinstance(box, RelativeBox) for boxes in REGION_PLANS.values() for box in boxes)
        assert centred_boxes(0.5, 0.5, 1) == (RelativeBox(0.25, 0.25, 0.75, 0.75),)

    def test_unknown_plan(self):
        with pytest.raises(UnknownName, match=r"no region plan is called 'stret'\. Did you mean 'street'"):
            plan_boxes("stret", 10, 10)
        with pytest.raises(UnknownName, match="no region plan"):
            reduction(224, "stret")

    @pytest.mark.parametrize("values", [(0, 0, 1.1, 1), (-0.1, 0, 1, 1), (0.5, 0, 0.5, 1), (0, 0.9, 1, 0.2)])
    def test_a_relative_box_lies_inside(self, values):
        with pytest.raises(ValueError, match="a relative box has"):
            RelativeBox(*values)


class TestCrop:
    @pytest.mark.parametrize(
        ("box", "color"),
        [
            (Box(0, 0, 32, 48), (220, 30, 30)),
            (Box(32, 0, 64, 48), (30, 180, 40)),
            (Box(0, 48, 32, 96), (30, 40, 200)),
            (Box(32, 48, 64, 96), (230, 220, 40)),
        ],
    )
    def test_each_quadrant_letterboxed_on_white(self, box, color, quadrants, encode):
        square = crop(decode(encode(quadrants, "PNG")), box, 48)
        assert square.shape == (48, 48, 3)
        assert (square[:, :8] == 255).all()
        assert (square[:, 40:] == 255).all()
        np.testing.assert_allclose(square[2:-2, 10:38].reshape(-1, 3), [color] * (44 * 28), atol=1)

    def test_boxes_are_in_full_resolution_whatever_the_pixels_are(self, garment, encode):
        large = garment.resize((1200, 1600))
        data = encode(large, "JPEG", quality=95)
        boxes = [Box(100, 200, 700, 1000), Box(600, 0, 1200, 1600), Box(301, 799, 977, 1403)]
        full = crops(decode(data), boxes, 96)
        reduced = decode(data, reduce_to=reduction(96, boxes))
        assert reduced.pixels.shape[0] < 1600
        ours = crops(reduced, boxes, 96)
        assert np.abs(ours.astype(int) - full).mean(axis=(1, 2, 3)).max() < 1.5

    def test_the_whole_as_a_crop_is_the_letterboxed_photo(self, garment, encode):
        image = decode(encode(garment, "PNG"))
        np.testing.assert_array_equal(crop(image, Box(0, 0, 300, 400), 224), letterbox(image.pixels, 224))

    def test_a_box_that_reaches_out_is_cut_off(self, quadrants, encode):
        image = decode(encode(quadrants, "PNG"))
        np.testing.assert_array_equal(
            crop(image, Box(32, 48, 5000, 9000), 40), crop(image, Box(32, 48, 64, 96), 40)
        )
        np.testing.assert_array_equal(
            crop(image, Box(-7, -9, 32, 48), 40), crop(image, Box(0, 0, 32, 48), 40)
        )

    @pytest.mark.parametrize(
        "box",
        [
            Box(-9, 0, 0, 10),
            Box(0, -9, 10, 0),
            Box(64, 0, 70, 10),
            Box(0, 96, 10, 100),
            Box(900, 900, 901, 901),
        ],
    )
    def test_a_box_outside_names_the_size_of_the_image(self, box, quadrants, encode):
        image = decode(encode(quadrants, "PNG"), reduce_to=20)
        with pytest.raises(ImageError, match=f"the box {box} lies outside the picture, which is 64 x 96"):
            crop(image, box, 32)

    def test_the_last_pixel_of_a_reduced_image(self):
        # 1001 / 3 is no whole number, and neither is the scale.
        image = DecodedImage(Image.new("RGB", (334, 334), (7, 7, 7)), 1001, 1001)
        assert (crop(image, Box(1000, 1000, 1001, 1001), 16) == 7).all()
        for edge in range(990, 1001):
            assert (crop(image, Box(edge, edge, 1001, 1001), 16) == 7).all()

    def test_rounding_carries_no_corner_over_the_edge(self):
        assert 113 * (15 / 113) > 15, "the case must show it"
        image = DecodedImage(Image.new("RGB", (15, 15), (7, 7, 7)), 113, 113)
        assert (crop(image, Box(50, 50, 113, 113), 16) == 7).all()

    def test_a_batch_is_one_array_in_the_order_of_the_boxes(self, garment, encode):
        image = decode(encode(garment, "PNG"))
        boxes = plan_boxes("street", image.width, image.height)
        batch = crops(image, boxes, 64)
        assert batch.shape == (16, 64, 64, 3)
        assert batch.dtype == np.uint8
        for box, square in zip(boxes, batch, strict=True):
            np.testing.assert_array_equal(square, crop(image, box, 64))
        assert crops(image, [], 64).shape == (0, 64, 64, 3)


class TestReduction:
    @pytest.mark.parametrize("size", [(3000, 4000), (4000, 3000), (1000, 1000), (600, 6000), (5000, 300)])
    @pytest.mark.parametrize("plan", REGION_PLANS)
    def test_no_crop_gets_fewer_pixels_than_its_square(self, plan, size):
        width, height = size
        scale = min(1.0, reduction(224, plan)(width, height) / max(width, height))
        for box in plan_boxes(plan, width, height):
            full_side = max(box.x1 - box.x0, box.y1 - box.y0)
            assert scale * full_side >= min(full_side, 224)

    def test_a_small_box_keeps_every_pixel(self, garment, encode):
        data = encode(garment.resize((1200, 1600)), "JPEG")
        image = decode(data, reduce_to=reduction(224, [Box(10, 10, 110, 110)]))
        assert image.pixels.shape == (1600, 1200, 3)

    def test_a_box_counts_with_what_lies_inside(self):
        assert reduction(100, [Box(900, 0, 5000, 50)])(1000, 1000) == reduction(100, [Box(900, 0, 1000, 50)])(
            1000, 1000
        )

    def test_a_box_outside_is_left_to_the_crop(self):
        assert reduction(100, [Box(5000, 5000, 6000, 6000)], oversampling=1)(1000, 1000) == 100
