"""``stylesearch categories``: what is renamed, merged and mapped stays so after the next ingest."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import stylesearch as ss
from tests.integration.conftest import Command
from tests.integration.tiny_shop import ingest_tiny_shop

DRESSES = {"dress-blue", "dress-green", "dress-red"}
SKIRTS = {"skirt-black", "skirt-pink/purple", "skirt-yellow"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A workspace of its own; its source lies beside it."""
    return ingest_tiny_shop(tmp_path)


def in_category(home: Path, category: str) -> set[str]:
    """The products that a search in the category finds."""
    with ss.open(home) as shop:
        photo = home.parent / "source" / "street.jpg"
        return {hit.product.id for hit in shop.query(photo, category=category, k=20)}


def test_a_renamed_category_is_searched_under_its_new_name(stylesearch: Command, home: Path) -> None:
    done = stylesearch("--home", home, "categories", "rename", "dress", "Women>Dresses")
    assert (done.code, done.out) == (0, "3 products moved\n")
    assert in_category(home, "Women > Dresses") == DRESSES
    again = stylesearch("--home", home, "ingest", home.parent / "source" / "products.csv", "--json").json
    assert again["products"]["unchanged"] == 6
    assert again["categories"]["Women > Dresses"] == {"products": 3, "images": 4}
    assert in_category(home, "Women > Dresses") == DRESSES
    assert all(
        row["state"] == "ready" for row in stylesearch("--home", home, "index", "status", "--json").json
    )


def test_a_category_takes_those_below_it_along(stylesearch: Command, home: Path) -> None:
    stylesearch("--home", home, "categories", "rename", "dress", "Women > Dresses")
    stylesearch("--home", home, "categories", "rename", "skirt", "Women > Skirts")
    stylesearch("--home", home, "categories", "rename", "Women", "Ladies")
    rows = stylesearch("--home", home, "categories", "list", "--json").json
    assert rows == [
        {"category": "Ladies > Dresses", "products": 3, "shop_categories": ["dress"]},
        {"category": "Ladies > Skirts", "products": 3, "shop_categories": ["skirt"]},
    ]
    table = stylesearch("--home", home, "categories", "list").out.splitlines()
    assert table[1].split() == ["Ladies", ">", "Dresses", "3", "dress"]


def test_merged_categories_are_one(stylesearch: Command, home: Path) -> None:
    done = stylesearch("--home", home, "categories", "merge", "dress", "skirt", "garment", "--json")
    assert done.json == {"moved": 6}
    assert in_category(home, "garment") == DRESSES | SKIRTS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rename", "dres", "x"], "no category is called 'dres'. Did you mean 'dress'?"),
        (["rename", "dress", "skirt"], "there is a category 'skirt' already"),
        (["rename", "dress", " "], "a category has a name"),
        (["rename", "dress", "a*"], "a category has a name, without *"),
        (["merge", "dress", "hat", "skirt"], "no category is called 'hat'"),
    ],
)
def test_what_cannot_be_done_is_refused(
    stylesearch: Command, home: Path, arguments: list[str], message: str
) -> None:
    done = stylesearch("--home", home, "categories", *arguments)
    assert done.code == 1
    assert message in done.err
    assert in_category(home, "dress") == DRESSES


def test_the_printed_map_is_edited_and_read_back(stylesearch: Command, home: Path, tmp_path: Path) -> None:
    printed = stylesearch("--home", home, "categories", "map").out
    rows = list(csv.DictReader(printed.splitlines()))
    assert [tuple(row.values()) for row in rows] == [
        ("dress", "", "dress", "3"),
        ("skirt", "", "skirt", "3"),
    ]
    edited = tmp_path / "map.csv"
    edited.write_text(printed.replace("dress,,", "dress,=Dresses,").replace("skirt,,", '"sk*",Skirts,'))
    assert stylesearch("--home", home, "categories", "map", edited).out == "6 products moved\n"
    assert in_category(home, "Skirts") == SKIRTS
    again = tmp_path / "again.csv"
    again.write_text(stylesearch("--home", home, "categories", "map").out)
    assert "dress,'=Dresses,'=Dresses,3" in again.read_text()
    assert stylesearch("--home", home, "categories", "map", again).out == "0 products moved\n"
    assert stylesearch("--home", home, "categories", "map", "--json").json == {
        "dress": "=Dresses",
        "sk*": "Skirts",
        "skirt": "",
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("map.toml", '"dress" = "Dresses"\n"skirt" = ""\n'),
        ("map.json", '{"dress": "Dresses"}'),
        ("map.csv", "\ufeffShop_Category;category;note\ndress;Dresses;x\n"),
        ("map.txt", "category\tshop_category\nDresses\tdress\n"),
    ],
)
def test_a_map_is_a_table_toml_or_json(
    stylesearch: Command, home: Path, tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    assert stylesearch("--home", home, "categories", "map", tmp_path / name).out == "3 products moved\n"
    assert in_category(home, "Dresses") == DRESSES


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("map.csv", "a,b\n1,2\n", "no column 'shop_category' in the first line. Received: a,b"),
        (
            "map.csv",
            "shop_category,category\ndress,A\ndress,B\n",
            "map.csv:3: 'dress' is mapped to 'A' before",
        ),
        ("map.csv", "shop_category,category\n,A\n", "a category of a shop has a name"),
        ("map.csv", b"shop_category,category\nKleid\xe9,A\n", "is not UTF-8"),
        ("map.json", "[]", "a table of texts is expected"),
        ("map.toml", "[", "map.toml: "),
    ],
)
def test_a_map_that_cannot_be_read_changes_nothing(
    stylesearch: Command, home: Path, tmp_path: Path, name: str, text: str | bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    done = stylesearch("--home", home, "categories", "map", tmp_path / name)
    assert done.code == 1
    assert message in done.err
    assert in_category(home, "dress") == DRESSES


@pytest.mark.parametrize(
    "command",
    [
        ["categories", "rename", "dress", "Dresses"],
        ["categories", "merge", "dress", "Dresses"],
        ["ingest", "products.csv"],
    ],
)
def test_what_was_cut_short_is_finished_by_the_same_command_or_an_ingest(
    stylesearch: Command,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
) -> None:
    monkeypatch.setattr("stylesearch.catalog.refiling.FILED_AT_ONCE", 2)
    first = command if command[0] == "categories" else ["categories", "rename", "dress", "Dresses"]
    with monkeypatch.context() as patch:
        patch.setattr("stylesearch.catalog.writer.Writer.refile_products", _Stop(1))
        done = stylesearch("--home", home, *first)
    assert done.code == 130
    assert "to continue, run the same command again" in done.err
    assert in_category(home, "dress") == DRESSES
    monkeypatch.chdir(home.parent / "source")
    assert stylesearch("--home", home, *command).code == 0
    assert in_category(home, "Dresses") == DRESSES


def test_a_catalog_of_another_extractor_than_that_of_the_settings_is_renamed_without_a_warning(
    stylesearch: Command, home: Path
) -> None:
    (home / "config.toml").write_text('regions = "few"\n')
    done = stylesearch("--home", home, "categories", "rename", "dress", "gown")
    assert (done.code, done.out, done.err) == (0, "3 products moved\n", "")
    status = stylesearch("--home", home, "index", "status", "-e", "color-histogram", "--json").json
    assert {one["category"] for one in status if one["state"] == "ready"} >= {"gown", "skirt"}


class _Stop:
    """Stands for a method that is interrupted at its n-th call."""

    def __init__(self, n: int) -> None:
        self.left = n

    def __call__(self, *_: object) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
