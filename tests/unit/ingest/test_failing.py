"""An ingest that cannot read its source: the catalog stays as it was, to the byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import stylesearch as ss
from stylesearch.errors import DatasetError
from stylesearch.files import sha256_file

HEADER = "id,title,image\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    Image.new("RGB", (16, 16), "navy").save(folder / "red.png")
    (folder / "products.csv").write_text(f"{HEADER}red,Red,red.png\n")
    return folder / "products.csv"


@pytest.fixture
def shop(tmp_path: Path) -> ss.Workspace:
    return ss.open(tmp_path / "home", extractor="color-histogram", space="raw")


def stored(shop: ss.Workspace) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in shop.settings.home.glob("catalog.db*")}


def rewrite(table: Path, text: str) -> None:
    table.write_text(text)


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(
    ("change", "options"),
    [
        (lambda table: None, {"columns": {"id": "nope"}}),
        (lambda table: None, {"columns": {"nope": "id"}}),
        (lambda table: rewrite(table, HEADER), {}),
        (lambda table: rewrite(table, "title\nRed\n"), {}),
        (lambda table: table.unlink(), {"path": "folder", "layout": "categry/product/image"}),
        (lambda table: (table.parent / "red.png").rename(table.parents[1] / "red.png"), {"path": "empty"}),
    ],
)
def test_what_cannot_be_read_changes_no_byte_and_the_next_run_goes_as_before(
    shop: ss.Workspace,
    table: Path,
    change: Callable[[Path], object],
    options: dict[str, Any],
    dry_run: bool,
) -> None:
    where = {"folder": table.parent, "empty": table.parents[1] / "empty"}
    where["empty"].mkdir()
    with shop:
        shop.ingest(table, source="shop")
        before, text = stored(shop), table.read_text()
        path = where.get(options.get("path", ""), table)
        given = {name: value for name, value in options.items() if name != "path"}
        change(table)
        with pytest.raises(DatasetError):
            shop.ingest(path, source="shop", format="auto", dry_run=dry_run, **given)
        assert stored(shop) == before
        table.write_text(text)
        assert (shop.sources.list()[0].source.path, shop.sources.list()[0].source.options) == (str(table), {})


def test_a_mistake_in_a_first_ingest_leaves_no_source(shop: ss.Workspace, table: Path) -> None:
    with shop:
        with pytest.raises(DatasetError, match="no column 'nope'"):
            shop.ingest(table, columns={"id": "nope"})
        assert shop.sources.list() == []
        assert shop.ingest(table).products["added"] == 1
