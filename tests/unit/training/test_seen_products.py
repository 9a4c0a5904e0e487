"""What a network knows of a shop: written down, read again, and kept out of what it is measured with."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from stylesearch.errors import ConfigError
from stylesearch.training.pair_dataset import PairOptions, split_settings
from stylesearch.training.seen_products import SeenProducts
from stylesearch.training.split import Split, split_products

CHOICE = PairOptions(seed=3)


def split_of(n_products: int, groups: Any = ()) -> Split:
    categories = {f"p{number:04}": f"c{number % 7}" for number in range(n_products)}
    return split_products(categories, groups, seed=CHOICE.seed)


def known_after(split: Split, before: SeenProducts | None = None) -> SeenProducts:
    return SeenProducts.after_training("network-1", split_settings(split, CHOICE), split, before)


def card_with(folder: Path, said: Any) -> Path:
    network = folder / "network-1.keras"
    network.with_suffix(".json").write_text(json.dumps({"input_size": 32, "preprocessing": "tf"} | said))
    return network


def test_a_shop_that_grows_moves_no_product_to_where_the_network_is_measured() -> None:
    old, new = split_of(2000), split_of(4000)
    assert old.train & new.validation and old.validation & new.test  # why there is anything to keep out
    kept = known_after(old).exclude(new, [], split_settings(new, CHOICE))
    assert not kept.test & (old.train | old.validation)
    assert not kept.validation & old.train
    assert kept.train == new.train
    assert kept.seen_before == (new.test & (old.train | old.validation)) | (new.validation & old.train)
    assert kept.test | kept.validation | kept.seen_before == new.test | new.validation


def test_the_same_shop_loses_nothing() -> None:
    split = split_of(500)
    assert known_after(split).exclude(split, [], split_settings(split, CHOICE)) == split


def test_what_shares_a_image_with_a_known_product_is_known() -> None:
    old = split_of(200)
    learned, chosen = sorted(old.train)[:2], min(old.validation)
    # Copies came in later, under ids that nothing was known of, and drew the others along.
    groups = [frozenset({learned[0], "a"}), frozenset({learned[1], "b"}), frozenset({chosen, "c"})]
    new = Split(
        train=old.train - {*learned},
        validation=(old.validation - {chosen}) | groups[0],
        test=old.test | groups[1] | groups[2],
    )
    kept = known_after(old).exclude(new, groups, split_settings(new, CHOICE))
    assert kept.seen_before == {*learned, chosen, "a", "b", "c"}
    assert kept.validation == old.validation - {chosen}
    assert kept.test == old.test


def test_a_known_product_that_has_no_pair_any_more_still_marks_its_copies() -> None:
    old = split_of(200)
    gone, copy = min(old.train), min(old.test)
    new = dataclasses.replace(old, train=old.train - {gone})
    kept = known_after(old).exclude(new, [frozenset({gone, copy})], split_settings(new, CHOICE))
    assert copy in kept.seen_before
    assert copy not in kept.test


def test_a_network_that_is_tuned_again_knows_both() -> None:
    first, second = split_of(500), split_of(1000)
    moved = (first.train & second.validation) | (first.validation & second.test)
    assert moved
    known = known_after(second, before=known_after(first))
    assert moved <= known.exclude(second, [], split_settings(second, CHOICE)).seen_before
    assert not known_after(second).exclude(second, [], split_settings(second, CHOICE)).seen_before


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    known = known_after(split_of(300))
    network = card_with(tmp_path, {"split": known.to_json()})
    for spec in (f"{network}", f"{network}@64", f"{network}+colors"):
        assert SeenProducts.read(spec) == known
    text = network.with_suffix(".json").read_text()
    assert "p0001" not in text
    assert len(text) < 300 * 12 + 500


def test_what_was_not_tuned_here_knows_nothing(tmp_path: Path) -> None:
    assert SeenProducts.read("efficientnet-lite0@64") is None
    assert SeenProducts.read(str(tmp_path / "none.keras")) is None
    assert SeenProducts.read(str(card_with(tmp_path, {}))) is None


def test_a_network_from_before_is_checked_by_its_split_alone(tmp_path: Path) -> None:
    old, new = split_of(500), split_of(1000)
    network = card_with(tmp_path, {"split": split_settings(old, CHOICE)})
    known = SeenProducts.read(str(network))
    assert known is not None
    assert known.exclude(new, [], split_settings(new, CHOICE)) == new
    with pytest.raises(ConfigError, match="fine-tuned with another split"):
        known.exclude(new, [], split_settings(new, PairOptions(seed=4)))


@pytest.mark.parametrize(
    "said", ["drawn", {"known": []}, {"known": {"train": "AAAA"}}, {"known": {"train": "?"}}]
)
def test_what_is_damaged_is_an_error(tmp_path: Path, said: Any) -> None:
    network = card_with(tmp_path, {"split": said})
    with pytest.raises(ConfigError, match="does not say which products"):
        SeenProducts.read(str(network))


@pytest.mark.parametrize(("part", "purpose"), [("validation", "choose with"), ("test", "test with")])
def test_a_network_that_knows_most_of_a_part_is_refused(part: str, purpose: str) -> None:
    old = split_of(500)
    of_part = sorted(getattr(old, part))
    n = len(of_part)
    half, most = of_part[: n // 2], of_part[: n // 2 + 1]
    known = known_after(dataclasses.replace(old, train=old.train | {*half}))
    assert known.exclude(old, [], split_settings(old, CHOICE)).seen_before == {*half}
    known = known_after(dataclasses.replace(old, train=old.train | {*most}))
    with pytest.raises(ConfigError, match=f"fine-tuned on {len(most)} of the {n} products to {purpose}"):
        known.exclude(old, [], split_settings(old, CHOICE))
