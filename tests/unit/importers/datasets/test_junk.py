"""Whatever lies where an annotation should be: it is told, with its file, and nothing else happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylesearch.errors import DatasetError
from stylesearch.importers import IMPORTERS
from stylesearch.importers.base import ImportOptions, Missing, SplitImporter
from stylesearch.ingest.report import N_MISSING_SHOWN, IngestReport
from stylesearch.listing import Record
from stylesearch.types import Failure
from tests.unit.importers.datasets import layouts

PLACES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "partition": (layouts.consumer_to_shop, "Eval/list_eval_partition.txt"),
    "boxes": (layouts.consumer_to_shop, "Anno/list_bbox_consumer2shop.txt"),
    "in-shop": (layouts.in_shop, "Eval/list_eval_partition.txt"),
    "retrieval": (layouts.street_to_shop, "meta/json/retrieval_dresses.json"),
    "pairs": (layouts.street_to_shop, "meta/json/test_pairs_dresses.json"),
    "garments": (layouts.deepfashion2, "train/annos/000002.json"),
}
READERS = {
    layouts.consumer_to_shop: "deepfashion-c2s",
    layouts.in_shop: "deepfashion-inshop",
    layouts.street_to_shop: "street2shop",
    layouts.deepfashion2: "deepfashion2",
}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(["photo", "product", "bbox", "item1", "style", "bounding_box", "category_id"])
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
CHUNKS = (
    st.binary(max_size=60)
    | st.lists(
        st.sampled_from([b"img/DRESSES/Dress/id_00000001/shop_01.jpg", b"id_00000001", b"train", b"1"])
    ).map(b" ".join)
    | JSON_VALUES.map(lambda value: json.dumps(value).encode())
)


Check = Callable[[str, Callable[[bytes], bytes]], None]


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Check:
    """Reads a dataset of which one file was spoilt; the datasets are written once."""
    folder = tmp_path_factory.mktemp("datasets")
    roots = {make: make(folder / name) for make, name in READERS.items()}
    whole = {place: (roots[make] / name).read_bytes() for place, (make, name) in PLACES.items()}

    def call(place: str, spoil: Callable[[bytes], bytes]) -> None:
        make, name = PLACES[place]
        path = roots[make] / name
        path.write_bytes(spoil(whole[place]))
        try:
            read_all(IMPORTERS.load(READERS[make])(), roots[make])
        finally:
            path.write_bytes(whole[place])

    return call


def read_all(reader: Any, root: Path) -> None:
    assert reader.sniff(root) in (0, 3)
    try:
        items = list(reader.records(root, ImportOptions()))
    except DatasetError as error:
        assert str(root) in str(error)
        return
    for item in items:
        assert isinstance(item, Record | Failure | Missing)
        if isinstance(item, Failure):
            assert item.item.startswith(str(root))
            assert item.reason
            item.reason.encode()
        if isinstance(item, Record):
            item.product.id.encode()
    assert reader.count(root) == sum(not isinstance(item, Failure) for item in items)


@pytest.mark.parametrize("place", PLACES)
@given(chunk=CHUNKS, position=st.integers(0, 2000))
@settings(deadline=None, max_examples=40)
def test_junk_in_the_middle(check: Check, place: str, chunk: bytes, position: int) -> None:
    check(place, lambda data: data[:position] + chunk + data[position:])


@pytest.mark.parametrize("place", PLACES)
@given(chunk=CHUNKS)
@settings(deadline=None, max_examples=25)
def test_nothing_but_junk(check: Check, place: str, chunk: bytes) -> None:
    check(place, lambda data: chunk)


@pytest.mark.parametrize("place", ["retrieval", "pairs"])
@given(value=JSON_VALUES)
@settings(deadline=None, max_examples=40)
def test_an_entry_of_anything(check: Check, place: str, value: Any) -> None:
    check(place, lambda data: json.dumps([value, {"photo": 2847, "product": 47270}]).encode())


@given(value=JSON_VALUES, key=st.text(max_size=5))
@settings(deadline=None, max_examples=60)
def test_a_garment_of_anything(check: Check, value: Any, key: str) -> None:
    content = {"item7": value, key: value, "source": "shop", "pair_id": 3}
    check("garments", lambda data: json.dumps(content).encode())


def test_an_id_is_never_made_of_a_name_that_is_no_text(tmp_path: Path) -> None:
    root = layouts.deepfashion2(tmp_path / "df2")
    path = root / "train/annos/000002.json"
    path.write_text('{"source": "shop", "pair_id": 1, "\\ud800": {"style": 0}}')
    reader: SplitImporter = IMPORTERS.load("deepfashion2")()
    failures = [item for item in reader.records(root, ImportOptions()) if isinstance(item, Failure)]
    assert [failure.item for failure in failures] == [f"{path}:1"]
    failures[0].reason.encode()


def test_a_report_counts_all_that_is_missing_and_names_a_few() -> None:
    report = IngestReport()
    for number in range(12):
        report.add_missing(f"/pictures/{number}.jpg", f"list.txt:{number}")
    assert report.missing == 12
    assert len(report.missing_examples) == N_MISSING_SHOWN
    assert report.as_dict()["missing_examples"][0] == {
        "item": "/pictures/0.jpg",
        "reason": "listed in list.txt:0",
    }
