"""What every importer promises. A new one adds a sample of its format below and has to pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stylesearch.catalog.importers import IMPORTERS
from stylesearch.catalog.importers.base import Importer, ImportOptions, choose_importer
from stylesearch.errors import DatasetError
from stylesearch.types import Domain, Failure, Record

PICTURES = ("dress/red/1.jpg", "dress/red/2.jpg", "dress/blue.png", "skirt/pleated.webp")


def plant(root: Path) -> Path:
    for name in PICTURES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"nobody opens this")
    return root


def folder(root: Path) -> Path:
    plant(root)
    (root / "skirt" / "gone.jpg").symlink_to("nowhere.jpg")
    return root


def table(root: Path) -> Path:
    rows = [("red", "dress"), ("red", "dress"), ("blue", "dress"), ("pleated", "skirt")]
    lines = [f"{name},{category},{path}" for (name, category), path in zip(rows, PICTURES, strict=True)]
    path = plant(root) / "products.csv"
    path.write_text(
        "\n".join(["id,category,image", *lines, "gone,skirt,skirt/gone.jpg", ""]), encoding="utf-8"
    )
    return path


SAMPLES: dict[str, Callable[[Path], Path]] = {"folder": folder, "csv": table}
"""Each makes the four pictures above, of three products in two categories, and one entry that is broken."""


@pytest.fixture(params=sorted(SAMPLES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def importer(name: str) -> Importer:
    made: Importer = IMPORTERS.load(name)()
    return made


@pytest.fixture
def source(name: str, tmp_path: Path) -> Path:
    return SAMPLES[name](tmp_path / "shop")


def records(importer: Importer, source: Path, options: ImportOptions | None = None) -> list[Record]:
    items = importer.records(source, options or ImportOptions())
    return [item for item in items if isinstance(item, Record)]


def snapshot(root: Path) -> dict[str, float]:
    return {str(path): path.lstat().st_mtime for path in [root, *root.rglob("*")]}


def test_every_importer_has_a_sample() -> None:
    assert set(SAMPLES) == set(IMPORTERS)


def test_it_has_the_name_it_is_registered_under(importer: Importer, name: str) -> None:
    assert importer.name == name
    assert IMPORTERS[name].summary


def test_it_is_sure_of_its_own_format_and_leaves_others_alone(
    importer: Importer, name: str, tmp_path: Path
) -> None:
    scores = {other: importer.sniff(make(tmp_path / other)) for other, make in SAMPLES.items()}
    assert scores == {other: 2 if other == name else 0 for other in SAMPLES}


def test_it_is_chosen_for_its_own_format(name: str, source: Path) -> None:
    assert choose_importer(source).name == name
    assert choose_importer(source, name).name == name


def test_it_finds_the_products_and_their_pictures(importer: Importer, source: Path) -> None:
    found = records(importer, source)
    assert {(r.product.id, r.product.category) for r in found} == {
        ("red", "dress"),
        ("blue", "dress"),
        ("pleated", "skirt"),
    }
    assert sorted(Path(r.path).name for r in found if r.product.id == "red") == ["1.jpg", "2.jpg"]
    assert all(r.product.title for r in found)


def test_paths_are_absolute_and_lead_to_files(importer: Importer, source: Path) -> None:
    assert all(os.path.isabs(r.path) and Path(r.path).is_file() for r in records(importer, source))  # noqa: PTH117


def test_a_broken_entry_is_a_failure_with_its_place_and_reason(importer: Importer, source: Path) -> None:
    failures = [i for i in importer.records(source, ImportOptions()) if isinstance(i, Failure)]
    assert len(failures) == 1
    assert failures[0].item.startswith(str(source))
    assert failures[0].reason


def test_the_order_is_the_same_every_time(importer: Importer, source: Path) -> None:
    first, second = (list(importer.records(source, ImportOptions())) for _ in range(2))
    assert first == second


def test_a_product_says_the_same_of_itself_everywhere(importer: Importer, source: Path) -> None:
    by_id: dict[str, object] = {}
    for record in records(importer, source):
        assert by_id.setdefault(record.product.id, record.product) == record.product


def test_it_is_an_iterator_that_can_be_left_early(importer: Importer, source: Path) -> None:
    items = importer.records(source, ImportOptions())
    assert isinstance(items, Iterator)
    next(items)
    del items


def test_the_user_s_domain_is_taken(importer: Importer, source: Path) -> None:
    found = records(importer, source, ImportOptions(domain=Domain.CONSUMER))
    assert {r.domain for r in found} == {Domain.CONSUMER}
    assert {r.domain for r in records(importer, source)} == {Domain.SHOP}


def test_the_count_is_about_right(importer: Importer, source: Path) -> None:
    assert abs(importer.count(source) - len(PICTURES)) <= 1


def test_the_source_is_left_as_it_was(importer: Importer, source: Path, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    list(importer.records(source, ImportOptions()))
    importer.count(source)
    assert snapshot(tmp_path) == before


def test_nothing_there_is_a_dataset_error(importer: Importer, tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        list(importer.records(tmp_path / "missing", ImportOptions()))
