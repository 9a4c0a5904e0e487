"""The spots of a photo: which there are, in which order, and what is cut out for each."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from stylesearch.errors import ImageError, NoSuchSpot, WeightsNotFound
from stylesearch.images.decode import decode
from stylesearch.images.inputs import make_inputs
from stylesearch.persons import regions
from stylesearch.persons.finder import Person
from stylesearch.persons.parts import share_of_mask
from stylesearch.persons.regions import make_person_inputs
from stylesearch.persons.spots import make_box_inputs, make_region_inputs, make_spot_inputs
from stylesearch.types import Box
from tests.unit.persons.fake_finder import BODY, HEIGHT, WIDTH, FakeFinder

TORSO, LEGS, WHOLE = Box(115, 80, 185, 210), Box(115, 180, 185, 350), Box(0, 0, WIDTH, HEIGHT)
SIZE = 64


def photo_of(width: int = WIDTH, height: int = HEIGHT) -> bytes:
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 200, (HEIGHT // 10, WIDTH // 10, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def photo() -> bytes:
    return photo_of()


@pytest.fixture
def finder(monkeypatch: pytest.MonkeyPatch) -> FakeFinder:
    fake = FakeFinder()
    monkeypatch.setattr(regions, "_FINDER", fake)
    regions._say_once.cache_clear()
    return fake


def told(photo: bytes) -> list[tuple[int, int, str, Box]]:
    _, spots = make_spot_inputs(photo, SIZE)
    assert all(spot.kind is None and spot.confidence is None for spot in spots)
    return [(spot.number, spot.person, spot.region, spot.box) for spot in spots]


def test_a_person_has_torso_legs_and_body_and_the_whole_photo_is_last(
    photo: bytes, finder: FakeFinder
) -> None:
    assert told(photo) == [
        (1, 1, "torso", TORSO),
        (2, 1, "legs", LEGS),
        (3, 1, "body", BODY),
        (4, 0, "whole", WHOLE),
    ]


def test_several_persons_follow_each_other(photo: bytes, finder: FakeFinder) -> None:
    finder.n_persons = 3
    found = told(photo)
    assert [(number, person, region) for number, person, region, _ in found] == [
        (number, (number + 2) // 3, ("torso", "legs", "body")[(number - 1) % 3]) for number in range(1, 10)
    ] + [(10, 0, "whole")]
    assert found[5][3] == Box(200, 50, 300, 350)
    assert found[6][3] == Box(15, 80, 85, 210)


def test_boxes_are_those_of_the_photo_as_it_is(finder: FakeFinder) -> None:
    finder.n_persons = 1
    for _, _, region, box in told(photo_of(6 * WIDTH, 6 * HEIGHT)):
        small = {"torso": TORSO, "legs": LEGS, "body": BODY, "whole": WHOLE}[region]
        wanted = (small.x0, small.y0, small.x1, small.y1)
        assert (box.x0 / 6, box.y0 / 6, box.x1 / 6, box.y1 / 6) == pytest.approx(wanted, abs=0.5)


@pytest.mark.parametrize("joints", [[25, 26], [23, 24]])
def test_legs_that_are_hidden_are_no_spot(photo: bytes, finder: FakeFinder, joints: list[int]) -> None:
    finder.visibility[joints] = 0.2
    assert [region for _, _, region, _ in told(photo)] == ["torso", "body", "whole"]


def test_legs_below_the_photo_are_no_spot_however_sure_the_finder_is(
    photo: bytes, finder: FakeFinder
) -> None:
    finder.knees = HEIGHT + 1
    assert [region for _, _, region, _ in told(photo)] == ["torso", "body", "whole"]


def test_one_visible_leg_is_enough(photo: bytes, finder: FakeFinder) -> None:
    finder.visibility[[23, 25]] = 0
    assert [region for _, _, region, _ in told(photo)] == ["torso", "legs", "body", "whole"]


def test_a_person_of_whom_hardly_anything_is_seen_is_none(
    photo: bytes, finder: FakeFinder, monkeypatch: pytest.MonkeyPatch
) -> None:
    persons = FakeFinder(n_persons=2).find(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    first, second = persons
    tiny = Person(second.score, Box(200, 50, 210, 60), second.landmarks, second.visibility, second.mask)
    monkeypatch.setattr(finder, "find", lambda pixels, max_persons: [first, tiny])
    assert {person for _, person, _, _ in told(photo)} == {0, 1}


def test_the_whole_photo_is_the_only_spot_where_nobody_is(photo: bytes, finder: FakeFinder) -> None:
    finder.somebody = False
    assert told(photo) == [(1, 0, "whole", WHOLE)]
    inputs, _ = make_spot_inputs(photo, SIZE)
    assert inputs.n_squares == 0


def test_without_the_files_too(photo: bytes, finder: FakeFinder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pixels: np.ndarray, max_persons: int = 4) -> list[Person]:
        raise WeightsNotFound("no files", hint="stylesearch weights fetch")

    monkeypatch.setattr(finder, "find", refuse)
    assert told(photo) == [(1, 0, "whole", WHOLE)]
    for region in ("torso", "2"):
        with pytest.raises(NoSuchSpot, match="persons are not looked for here") as caught:
            make_region_inputs(photo, SIZE, region)
        assert "stylesearch weights fetch" in caught.value.hint
    assert make_region_inputs(photo, SIZE, "1").boxes == (WHOLE,)


def test_what_is_cut_is_white_around_the_person(photo: bytes, finder: FakeFinder) -> None:
    finder.shoulders = 0  # the torso reaches above the mask
    inputs, spots = make_spot_inputs(photo, SIZE)
    assert inputs.boxes == (WHOLE, *(spot.box for spot in spots[:-1]))
    assert inputs.pixels[SIZE].shape == (4, SIZE, SIZE, 3)
    torso = inputs.pixels[SIZE][1]
    of_mask = round(SIZE * (BODY.y0 - inputs.boxes[1].y0) / (inputs.boxes[1].y1 - inputs.boxes[1].y0))
    assert (torso[: of_mask - 2] == 255).all()
    assert (torso[of_mask + 2 :, 20:44] < 255).any()


@pytest.mark.parametrize("scale", [1, 6])
def test_a_spot_is_searched_as_it_was_detected(finder: FakeFinder, scale: int) -> None:
    finder.n_persons = 2
    photo = photo_of(scale * WIDTH, scale * HEIGHT)
    all_inputs, spots = make_spot_inputs(photo, SIZE)
    for row, spot in enumerate(spots[:-1], start=1):
        inputs = make_region_inputs(photo, SIZE, str(spot.number))
        assert inputs.boxes == (spot.box, spot.box)  # as it is, and with white around the person
        assert [(one.region, one.box) for one in inputs.squares] == [(spot.region, spot.box)]
        if scale == 1:  # of a larger photo a spot alone is cut from more or fewer pixels
            assert np.array_equal(inputs.pixels[SIZE][1], all_inputs.pixels[SIZE][row])
        if spot.person == 1:
            named = make_region_inputs(photo, SIZE, spot.region)
            assert named.boxes == inputs.boxes
            assert np.array_equal(named.pixels[SIZE], inputs.pixels[SIZE])
    whole = make_region_inputs(photo, SIZE, str(len(spots)))
    assert np.array_equal(whole.pixels[SIZE], make_inputs(photo, [SIZE], "whole").pixels[SIZE])
    assert whole.n_squares == 0


def test_the_parts_are_those_of_the_plan(photo: bytes, finder: FakeFinder) -> None:
    planned = make_person_inputs(photo, [SIZE])
    for place, one in enumerate(planned.squares, start=4):
        alone = make_region_inputs(photo, SIZE, one.region)
        assert alone.boxes == (one.box, one.box)
        assert np.array_equal(alone.pixels[SIZE][1], planned.pixels[SIZE][place])
    assert [one.region for one in planned.squares] == ["torso", "legs", "body"]


@pytest.mark.parametrize(
    ("region", "words"),
    [
        ("legs", "no legs can be seen"),
        ("4", "no spot 4: the photo has 3"),
        ("99", "no spot 99: the photo has 3"),
    ],
)
def test_what_is_not_there_is_told(photo: bytes, finder: FakeFinder, region: str, words: str) -> None:
    finder.knees = HEIGHT + 50
    with pytest.raises(NoSuchSpot, match=words) as caught:
        make_region_inputs(photo, SIZE, region)
    assert "region auto or whole, or for a box" in caught.value.hint


@pytest.mark.parametrize("region", ["torso", "2"])
def test_where_nobody_is_there_is_no_part_of_anybody(photo: bytes, finder: FakeFinder, region: str) -> None:
    finder.somebody = False
    with pytest.raises(NoSuchSpot, match="nobody is seen in the photo"):
        make_region_inputs(photo, SIZE, region)


def share_box(percent: int) -> Box:
    """A box 100 pixels wide, of which the first person covers that share: its right columns."""
    return Box(BODY.x0 - 100 + percent, 100, BODY.x0 + percent, 300)


@pytest.mark.parametrize("scale", [1, 6])
@pytest.mark.parametrize(("percent", "is_masked"), [(0, False), (29, False), (31, True), (100, True)])
def test_white_is_put_around_a_person_who_fills_enough_of_a_box(
    finder: FakeFinder, percent: int, is_masked: bool, scale: int
) -> None:
    photo = photo_of(scale * WIDTH, scale * HEIGHT)
    of_share = share_box(percent)
    box = Box(*(scale * edge for edge in (of_share.x0, of_share.y0, of_share.x1, of_share.y1)))
    inputs = make_box_inputs(photo, SIZE, box)
    as_it_is = make_inputs(photo, [SIZE], [box]).pixels[SIZE][0]
    assert np.abs(inputs.pixels[SIZE][0].astype(int) - as_it_is).mean() < 5
    assert inputs.boxes == ((box, box) if is_masked else (box,))
    assert inputs.n_squares == int(is_masked)
    if is_masked:
        assert [(one.region, one.box) for one in inputs.squares] == [("box", box)]
        square = inputs.pixels[SIZE][1]
        n_white = round(SIZE * (100 - percent) / 200)  # the box is half as wide as high
        middle = square[SIZE // 2, SIZE // 4 : 3 * SIZE // 4]
        assert (middle[: max(0, n_white - 2)] == 255).all()
        assert (middle[n_white + 2 :] < 255).any(axis=1).mean() > 0.9


def test_the_share_is_of_the_photo_as_it_is(finder: FakeFinder) -> None:
    for scale in (1, 6):
        photo = photo_of(scale * WIDTH, scale * HEIGHT)
        searched = decode(photo, reduce_to=regions.reduction_for_finder(SIZE))
        (person,) = finder.find(searched.pixels)
        for percent in (0, 29, 31, 100):
            one = share_box(percent)
            box = Box(*(scale * edge for edge in (one.x0, one.y0, one.x1, one.y1)))
            assert share_of_mask(person.mask, box, searched) == pytest.approx(percent / 100, abs=0.005)


def test_the_person_who_fills_most_of_a_box_counts(photo: bytes, finder: FakeFinder) -> None:
    finder.n_persons = 3
    second = Box(BODY.x0 + 90, 100, BODY.x1 + 90, 300)
    inputs = make_box_inputs(photo, SIZE, second)
    assert inputs.n_squares == 1
    middle = inputs.pixels[SIZE][1][SIZE // 2, SIZE // 4 : 3 * SIZE // 4]
    assert (middle[:2] == 255).all(), "the first person, who fills a tenth, is white"
    assert (middle[8:] < 255).any(axis=1).all()


def test_a_box_over_the_edge_is_cut_off(photo: bytes, finder: FakeFinder) -> None:
    over = Box(BODY.x0, 200, WIDTH + 500, HEIGHT + 900)
    inside = Box(BODY.x0, 200, WIDTH, HEIGHT)
    inputs, wanted = make_box_inputs(photo, SIZE, over), make_box_inputs(photo, SIZE, inside)
    assert inputs.boxes == (inside, inside), "the person fills 0.375 of what is inside"
    assert np.array_equal(inputs.pixels[SIZE], wanted.pixels[SIZE])
    finder.somebody = False
    assert make_box_inputs(photo, SIZE, over).boxes == (inside,)


def test_a_box_over_the_left_and_upper_edge_is_cut_off(photo: bytes, finder: FakeFinder) -> None:
    finder.somebody = False
    assert make_box_inputs(photo, SIZE, Box(-70, -90, 50, 60)).boxes == (Box(0, 0, 50, 60),)


@pytest.mark.parametrize(
    "box",
    [Box(-9, 0, 0, 9), Box(0, -9, 9, 0), Box(WIDTH, 0, WIDTH + 9, 9), Box(0, HEIGHT, 9, HEIGHT + 9)],
)
@pytest.mark.parametrize("somebody", [True, False])
def test_a_box_outside_of_the_photo_is_refused(
    photo: bytes, finder: FakeFinder, box: Box, somebody: bool
) -> None:
    finder.somebody = somebody
    with pytest.raises(ImageError, match="outside the picture"):
        make_box_inputs(photo, SIZE, box)


def test_without_the_files_a_box_is_searched_as_it_is(
    photo: bytes, finder: FakeFinder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(pixels: np.ndarray, max_persons: int = 4) -> list[Person]:
        raise WeightsNotFound("no files", hint="stylesearch weights fetch")

    monkeypatch.setattr(finder, "find", refuse)
    assert make_box_inputs(photo, SIZE, TORSO).boxes == (TORSO,)


def test_a_turned_photo_is_seen_upright(finder: FakeFinder) -> None:
    upright = Image.open(io.BytesIO(photo_of()))
    exif = Image.Exif()
    exif[0x0112] = 6  # held sideways: the camera wrote it lying
    file = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(file, "PNG", exif=exif)
    turned, (inputs, spots) = file.getvalue(), make_spot_inputs(photo_of(), SIZE)
    of_turned, turned_spots = make_spot_inputs(turned, SIZE)
    assert turned_spots == spots
    assert np.array_equal(of_turned.pixels[SIZE], inputs.pixels[SIZE])
    planned, straight = make_person_inputs(turned, [SIZE]), make_person_inputs(photo_of(), [SIZE])
    assert planned.boxes == straight.boxes
    assert np.array_equal(planned.pixels[SIZE], straight.pixels[SIZE])
