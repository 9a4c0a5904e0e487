"""What is said of a split: whether it was given or drawn, and which products are in no part of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from stylesearch.cli.train import echo_report
from stylesearch.models.card import ModelCard
from stylesearch.training.category_weights import Weights
from stylesearch.training.pair_dataset import PairOptions, describe_split
from stylesearch.training.results import TrainReport
from stylesearch.training.scores import SCORES, Change, measure_changes
from stylesearch.training.split import Split, given_split, split_products
from tests.unit.training.test_changes import columns

GIVEN = {"a": "train", "b": "test", "c": "train", "d": "val", "e": "train"}
CATEGORIES = dict.fromkeys(GIVEN, "dress")


def a_report(split: Split, n_connected: int) -> TrainReport:
    change: tuple[Change, ...] = measure_changes(columns([3]), columns([0]), ["dress"], ["a"])
    counts = {"train": len(split.train), "validation": len(split.validation), "test": len(split.test)}
    options: dict[str, Any] = {"regions": "few", **describe_split(split, PairOptions(seed=4))}
    texts = dict.fromkeys(("created", "feature_set", "weights_digest", "transform_version"), "-")
    card = ModelCard(
        name="default",
        extractor="some-network",
        pairs="consumer",
        n_products=counts,
        split_seed=4,
        loss="softmax",
        options=options,
        scores={},
        weights={"": 0.5},
        untrained="raw",
        metric="cosine",
        libraries={},
        **texts,
    )
    seconds = {"training": 1.0, "total": 2.0}
    of_grid = Weights({"": 0.5}, {0.0: 0.1})
    return TrainReport(card, change, change, of_grid, (), 0, False, 0, n_connected, seconds, Path("models"))


def test_a_given_split_and_who_was_left_out_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    split = given_split(GIVEN, CATEGORIES, [{"a", "b"}, {"c", "d"}])
    assert split is not None
    report = a_report(split, n_connected=4)
    echo_report(report, is_default=False, with_seconds=False)
    out = capsys.readouterr().out
    assert "split: given, by the products' attribute `split`\n" in out
    assert "4 products share an image with another product; 2 of them were left out" in out
    assert "are in the same part" not in out
    assert all(name in out for name in SCORES)
    options = report.as_dict()["model"]["options"]
    assert (options["split"], options["split_shares"], options["split_seed"]) == ("given", None, None)
    assert report.as_dict()["left_out_products"] == options["split_left_out"] == 2


def test_a_drawn_split_is_said_with_its_shares_and_seed(capsys: pytest.CaptureFixture[str]) -> None:
    report = a_report(split_products(CATEGORIES, [{"a", "b"}]), n_connected=2)
    echo_report(report, is_default=False, with_seconds=False)
    out = capsys.readouterr().out
    assert "split: drawn, by category\n" in out
    assert "2 products share an image with another product and are in the same part" in out
    options = report.card.options
    assert (options["split"], options["split_seed"], options["split_left_out"]) == ("drawn", 4, 0)
    assert options["split_shares"] == [0.7, 0.15, 0.15]


@pytest.mark.parametrize(("untrained", "is_said"), [("mixed", True), ("raw", False)])
def test_a_baseline_that_is_measured_otherwise_than_searches(
    capsys: pytest.CaptureFixture[str], untrained: str, is_said: bool
) -> None:
    report = a_report(split_products(CATEGORIES, [{"a", "b"}]), n_connected=0)
    card = dataclasses.replace(report.card, untrained=untrained)
    echo_report(dataclasses.replace(report, card=card), is_default=False, with_seconds=False)
    assert ("as if they showed nobody" in capsys.readouterr().out) == is_said


def test_products_that_the_network_knows_are_said_on_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    split = dataclasses.replace(split_products(CATEGORIES, [{"a", "b"}]), seen_before=frozenset("xyz"))
    report = a_report(split, n_connected=2)
    echo_report(report, is_default=False, with_seconds=False)
    out = capsys.readouterr().out
    assert "3 products were left out of validation and test: the network was fine-tuned" in out
    assert "2 products share an image with another product and are in the same part" in out
    assert report.card.options["split_seen_before"] == 3


def test_a_part_that_was_drawn_beside_given_ones_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    categories = {f"p{number}": "dress" for number in range(40)}
    given = {name: "test" if number < 5 else "train" for number, name in enumerate(categories)}
    split = given_split(given, categories)
    assert split is not None
    report = a_report(split, n_connected=0)
    echo_report(report, is_default=False, with_seconds=False)
    assert "the missing parts were drawn from train\n" in capsys.readouterr().out
    assert report.card.options["split_seed"] == 4
