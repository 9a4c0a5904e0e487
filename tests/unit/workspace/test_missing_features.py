"""Which missing features an ingest warns of."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

import stylesearch as ss
from stylesearch.catalog import FeatureSet
from stylesearch.workspace.missing_features import is_replaced
from stylesearch.workspace.workspace import Workspace

USED, OTHER = "color-histogram", "hog"


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    return ss.open(tmp_path / "home", extractor=USED)


@pytest.fixture
def source(drawn_shop: Path, tmp_path: Path) -> Path:
    """A copy of the drawn shop, to write tables into."""
    return Path(shutil.copytree(drawn_shop, tmp_path / "source"))


def first_rows(table: Path, n_rows: int) -> Path:
    """A table beside another one, with its first rows only."""
    with table.open(newline="") as file:
        rows = list(csv.reader(file))[: 1 + n_rows]
    short = table.with_name(f"first-{n_rows}-{table.name}")
    with short.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return short


def test_consumer_photos_need_no_other_features(
    shop: Workspace, source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with shop:
        shop.ingest(first_rows(source / "products.csv", 4), extractors=[USED, OTHER])
        shop.ingest(first_rows(source / "street.csv", 3))
    assert not caplog.messages


def test_shop_images_without_them_are_counted(
    shop: Workspace, source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with shop:
        shop.ingest(first_rows(source / "products.csv", 4), extractors=[USED, OTHER])
        caplog.clear()
        shop.ingest(first_rows(source / "street.csv", 3))
        shop.ingest(first_rows(source / "products.csv", 6))
    (message,) = caplog.messages
    assert message.startswith("2 shop images have no hog@64 features")


@pytest.mark.parametrize(
    ("name", "other", "is_it"),
    [
        ("net", "net+colors", True),
        ("net", "net+texture", True),
        ("net+colors", "net+texture+colors", True),
        ("net+texture", "net+texture+colors", True),
        ("net", "net+texture+colors", True),
        ("net+colors", "net", False),
        ("net+colors", "net+texture", False),
        ("net+texture+colors", "net+colors", False),
        ("net+colors", "net+colors", False),
        ("net+colors", "another+texture+colors", False),
    ],
)
def test_features_are_replaced_by_those_that_have_more(name: str, other: str, is_it: bool) -> None:
    def feature_set(pk: int, extractor: str, **changes: str | int) -> FeatureSet:
        parameters = {"input_size": changes.get("input_size", 64)}
        digest = str(changes.get("weights_digest", "ab"))
        return FeatureSet(pk, str(pk), extractor, parameters, digest, 8, "float16")

    own = feature_set(1, name)
    assert is_replaced(own, [own, feature_set(2, other)]) == is_it
    assert not is_replaced(own, [own, feature_set(2, other, input_size=320)])
    assert not is_replaced(own, [own, feature_set(2, other, weights_digest="cd")])
