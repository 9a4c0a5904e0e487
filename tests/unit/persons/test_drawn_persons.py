"""Drawn street photos, whose persons have joints that we know."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from stylesearch.drawn_shop.garments.tailor import draw_spec
from stylesearch.drawn_shop.street import StreetPhoto, draw_street_photo
from stylesearch.persons.finder import Person, PersonFinder
from stylesearch.persons.landmarks import HIPS, SHOULDERS
from stylesearch.persons.squares import torso_box

pytestmark = pytest.mark.slow

CATEGORIES = ("dress", "coat", "t-shirt", "jumper", "trousers", "jacket", "top", "shirt", "skirt", "shorts")

Found = list[tuple[StreetPhoto, Person]]


def joints_of(photo: StreetPhoto) -> np.ndarray:
    """Left and right shoulder, left and right hip, as seen in the photo."""
    person = photo.person
    return person.pixels(
        np.array([person.arms[0][0], person.arms[1][0], person.legs[0][0], person.legs[1][0]])
    )


def joints_found(person: Person) -> np.ndarray:
    pairs = [sorted(person.landmarks[list(pair)].tolist()) for pair in (SHOULDERS, HIPS)]
    return np.array([*pairs[0], *pairs[1]])


@pytest.fixture(scope="module")
def photos() -> list[StreetPhoto]:
    """20 photos that show shoulders and hips of a person with a head: others are not promised."""
    chosen: list[StreetPhoto] = []
    number = 0
    while len(chosen) < 20:
        random = Random(f"person {number}")
        photo = draw_street_photo(draw_spec(CATEGORIES[number % len(CATEGORIES)], random), random)
        points = np.vstack([joints_of(photo), photo.person.head(np.zeros((1, 2)))])
        if (points > 0).all() and (points < photo.image.size).all():
            chosen.append(photo)
        number += 1
    return chosen


@pytest.fixture(scope="module")
def found(photos: list[StreetPhoto], person_files: None) -> Found:
    finder = PersonFinder()
    persons = [(photo, finder.find(np.asarray(photo.image))) for photo in photos]
    return [(photo, some[0]) for photo, some in persons if some]


def test_most_are_found(found: Found) -> None:
    assert len(found) >= 17


def test_shoulders_and_hips_are_where_they_were_drawn(found: Found) -> None:
    near = 0
    for photo, person in found:
        joints = joints_of(photo)
        trunk = np.hypot(*(joints[:2].mean(axis=0) - joints[2:].mean(axis=0)))
        near += int(np.hypot(*(joints_found(person) - joints).T).max() < 0.35 * trunk)
    assert near >= 0.85 * len(found)


def test_the_mask_covers_the_garment_that_is_seen_and_little_beside_the_person(found: Found) -> None:
    covered, beside = [], []
    for photo, person in found:
        visible = np.asarray(photo.visible) > 0
        covered.append((person.mask[visible] > 127).mean())
        joints = joints_of(photo)
        shoulders = np.hypot(*(joints[0] - joints[1]))
        columns = np.arange(person.mask.shape[1])
        far = np.abs(columns - joints[:, 0].mean()) > 2.2 * shoulders
        beside.append((person.mask[:, far] > 127).sum() / (person.mask > 127).sum())
    assert np.median(covered) > 0.93
    assert np.mean(np.array(covered) > 0.8) >= 0.85
    assert np.median(beside) < 0.02


def test_the_torso_box_holds_the_drawn_torso(found: Found) -> None:
    held = 0
    for photo, person in found:
        box = torso_box(person.landmarks, *photo.image.size)
        assert box is not None
        x, y = joints_of(photo).mean(axis=0)
        held += int(box.x0 < x < box.x1 and box.y0 < y < box.y1)
    assert held >= 0.95 * len(found)
