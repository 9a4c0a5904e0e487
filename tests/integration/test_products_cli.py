"""``stylesearch products``: filters, export and removal."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

import stylesearch as ss
from stylesearch.types import Product, Variant
from tests.integration.conftest import Command
from tests.integration.tiny_shop import ingest_tiny_shop

N = 6


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that is only read."""
    return ingest_tiny_shop(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A workspace of its own, to be changed; its source lies beside it."""
    return ingest_tiny_shop(tmp_path)


def ids(listed: list[dict[str, object]]) -> list[object]:
    return [one["id"] for one in listed]


def put(home: Path, *products: Product) -> None:
    with ss.open(home) as shop, shop.catalog.writing() as writer, writer.transaction():
        writer.upsert_products(products, source="mine")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--category", "dress"], ["dress-blue", "dress-green", "dress-red"]),
        (["--attribute", "fabric=silk", "-c", "dress", "--limit", "1"], ["dress-blue"]),
        (["--max-price", "10"], []),
        (
            ["--min-price", "19.9", "--after", "dress-red", "--limit", "2"],
            ["skirt-black", "skirt-pink/purple"],
        ),
        (["--without-picture"], []),
    ],
)
def test_filters_choose_what_is_listed(
    stylesearch: Command, tiny: Path, options: list[str], expected: list[str]
) -> None:
    assert ids(stylesearch("--home", tiny, "products", "list", "--json", *options).json) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--in-stock"], "no product says whether it is in stock"),
        (["--category", "dres"], "Did you mean 'dress'?"),
        (["--attribute", "fabrik=silk"], "Did you mean 'fabric'?"),
        (["--source", "elsewhere"], "no source is called 'elsewhere'"),
        (
            ["--min-price", "3", "--max-price", "2"],
            "the lowest price has to be below the highest one. Received: 3 and 2",
        ),
    ],
)
@pytest.mark.parametrize("command", ["list", "export", "remove"])
def test_a_bad_filter_says_so(
    stylesearch: Command, tiny: Path, command: str, options: list[str], message: str
) -> None:
    done = stylesearch("--home", tiny, "products", command, *options)
    assert done.code == 1
    assert message in done.err


def test_an_attribute_without_a_value_is_wrong_usage(stylesearch: Command, tiny: Path) -> None:
    done = stylesearch("--home", tiny, "products", "list", "--attribute", "color")
    assert done.code == 2
    assert "expected NAME=VALUE" in done.err


def test_all_are_listed_and_a_limit_says_what_it_leaves_out(stylesearch: Command, home: Path) -> None:
    put(home, *(Product(f"x{number:04}", "X", "hat") for number in range(1500)))
    listed = stylesearch("--home", home, "products", "list")
    assert len(listed.out.splitlines()) == 1 + N + 1500
    assert listed.err == ""
    assert len(stylesearch("--home", home, "products", "list", "--json").json) == N + 1500
    some = stylesearch("--home", home, "products", "list", "--limit", 2, "-c", "hat")
    assert len(some.out.splitlines()) == 3
    assert "2 of 1,500 products; for the next ones add --after x0001, for all leave --limit out" in some.err


def test_show_says_which_source_says_what(stylesearch: Command, home: Path) -> None:
    sizes = (
        Variant("sku-s", {"size": "S"}, "10 EUR", True),
        Variant("sku-l", {"size": "L"}, "12.50 EUR", False),
    )
    put(home, Product("dress-red", "Robe rouge", "dress", price="10 EUR", in_stock=True, variants=sizes))
    shown = stylesearch("--home", home, "products", "show", "dress-red")
    for line in (
        "price       10.00 - 12.50 EUR",
        "stock       in stock",
        "sku-l    size L   12.50 EUR  sold out",
        "mine                                  variants            2 variants",
    ):
        assert " ".join(line.split()) in " ".join(shown.out.split()), line
    of_sources = stylesearch("--home", home, "products", "show", "dress-red", "--json").json["sources"]
    assert [one["said"].get("title") for one in of_sources] == ["Robe rouge", "A red dress"]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_an_exported_table_is_read_back_without_a_change(
    stylesearch: Command, home: Path, tmp_path: Path
) -> None:
    table = tmp_path / "exported.csv"
    done = stylesearch("--home", home, "products", "export", "-o", table)
    assert (done.code, done.out) == (0, f"{N} products in {table}\n")
    again = stylesearch("--home", home, "ingest", table, "--allow-outside", "--json").json
    assert {name: n for name, n in again["products"].items() if n} == {"unchanged": N}
    assert (again["unchanged"], again["added"], again["changed"], again["failed"]) == (N + 1, 0, 0, [])
    assert again["changes"] == []


def test_escaped_cells_stock_and_boxes_are_read_back_too(
    stylesearch: Command, home: Path, tmp_path: Path
) -> None:
    names = ["=1+1", "'=1", "@x", "+49 30", "-5.50", "'quoted'", 'a, "b"; c']
    rows = [["id", "title", "image", "box", "in_stock", "price", "note", "=name"]]
    rows += [
        [f"p{n}", name, "dress0.jpg", "1,2,90,100", "true", "-5 EUR", name, "+"]
        for n, name in enumerate(names)
    ]
    rows.append(["p0", "", "dress1.jpg", "", "", "", "", ""])
    source = home.parent / "source" / "odd.csv"
    with source.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    stylesearch("--home", home, "ingest", source, "--source", "odd")
    before = stylesearch("--home", home, "products", "list", "--source", "odd", "--json").json
    assert [one["title"] for one in before] == names
    assert before[0]["attributes"] == {"note": "=1+1", "=name": "+"}
    table = tmp_path / "exported.csv"
    stylesearch("--home", home, "products", "export", "-o", table)
    again = stylesearch("--home", home, "ingest", table, "--allow-outside", "--json").json
    assert (again["changes"], again["failed"], again["products"]["unchanged"]) == ([], [], N + len(names))
    assert (again["added"], again["changed"]) == (0, 0)
    assert stylesearch("--home", home, "products", "list", "--source", "odd", "--json").json == before


def test_variants_are_read_back_too(stylesearch: Command, home: Path, tmp_path: Path) -> None:
    rows = [
        ["group id", "id", "color", "size", "image", "price", "in stock"],
        ["shirt", "s1", "Navy", "S", "dress0.jpg", "10 EUR", "true"],
        ["shirt", "s2", "Navy", "M", "dress0.jpg", "12 EUR", "false"],
        ["shirt", "s3", "Red", "M", "dress1.jpg", "10 EUR", ""],
    ]
    source = home.parent / "source" / "variants.csv"
    with source.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    stylesearch("--home", home, "ingest", source, "--source", "variants")
    before = stylesearch("--home", home, "products", "show", "shirt", "--json").json
    assert [one["id"] for one in before["variants"]] == ["s1", "s2", "s3"]
    assert [one["options"] for one in before["images"]] == [{"color": "Navy"}, {"color": "Red"}]
    table = tmp_path / "exported.csv"
    stylesearch("--home", home, "products", "export", "--source", "variants", "-o", table)
    again = stylesearch("--home", home, "ingest", table, "--allow-outside", "--json").json
    assert (again["changes"], again["failed"], again["products"]["unchanged"]) == ([], [], 1)
    assert (again["added"], again["changed"], again["unchanged"]) == (0, 0, 2)
    after = stylesearch("--home", home, "products", "show", "shirt", "--json").json
    assert {**after, "sources": []} == {**before, "sources": []}


def test_a_renamed_category_is_exported_as_the_source_says_it(
    stylesearch: Command, home: Path, tmp_path: Path
) -> None:
    assert stylesearch("--home", home, "categories", "rename", "dress", "Dresses").code == 0
    rows = rows_of(stylesearch("--home", home, "products", "export", "-c", "Dresses").out)
    assert {row["category"] for row in rows} == {"dress"}
    lines = stylesearch("--home", home, "products", "export", "-c", "Dresses", "--format", "jsonl").out
    made = [json.loads(line) for line in lines.splitlines()]
    assert [(one["category"], one["shop_category"]) for one in made] == [("Dresses", "dress")] * 3


def test_formulas_are_escaped_and_numbers_are_not(stylesearch: Command, home: Path) -> None:
    put(
        home,
        Product(
            "=1+1", "@SUM(A1)", "hat", price="-5.00", attributes={"phone": "+49 30", "n": -3, "list": [1]}
        ),
    )
    (row,) = rows_of(stylesearch("--home", home, "products", "export", "-c", "hat").out)
    assert row == {
        "id": "'=1+1",
        "title": "'@SUM(A1)",
        "category": "hat",
        "image": "",
        "price": "-5.00",
        "url": "",
        "in_stock": "",
        "domain": "",
        "box": "",
        "phone": "'+49 30",
        "n": "-3",
        "list": "[1]",
        "stylesearch_escaped": "",
    }


@pytest.mark.parametrize(("name", "first"), [("a.csv", "id,"), ("a.JSONL", '{"id"'), ("a.ndjson", '{"id"')])
def test_the_ending_of_the_file_says_the_format(
    stylesearch: Command, tiny: Path, tmp_path: Path, name: str, first: str
) -> None:
    done = stylesearch("--home", tiny, "products", "export", "-o", tmp_path / name)
    assert (done.code, done.out) == (0, f"{N} products in {tmp_path / name}\n")
    assert (tmp_path / name).read_text().startswith(first)


@pytest.mark.parametrize("name", ["e.xlsx", "e"])
def test_an_ending_that_says_no_format_is_refused(
    stylesearch: Command, tiny: Path, tmp_path: Path, name: str
) -> None:
    done = stylesearch("--home", tiny, "products", "export", "-o", tmp_path / name)
    assert done.code == 1
    assert "ends in .csv, .jsonl, .ndjson" in done.err
    assert list(tmp_path.iterdir()) == []
    assert (
        stylesearch("--home", tiny, "products", "export", "-o", tmp_path / "e", "--format", "csv").code == 0
    )


def test_a_file_that_exists_is_replaced_only_if_told_so(
    stylesearch: Command, tiny: Path, tmp_path: Path
) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("mine")
    export = ["--home", tiny, "products", "export", "-o", file]
    refused = stylesearch(*export)
    assert (refused.code, "--overwrite" in refused.err, file.read_text()) == (1, True, "mine")
    assert stylesearch(*export, "--overwrite").code == 0
    assert len(rows_of(file.read_text())) >= N


@pytest.mark.parametrize(
    ("answer", "said"),
    [("n\n", "nothing was removed\n"), ("", "nobody answered the question; --yes asks none\n")],
)
def test_an_answer_of_no_removes_nothing(
    stylesearch: Command, home: Path, monkeypatch: pytest.MonkeyPatch, answer: str, said: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    done = stylesearch("--home", home, "products", "remove", "-c", "dress")
    assert (done.code, done.err.endswith(said), "interrupted" in done.err) == (1, True, False)
    assert len(stylesearch("--home", home, "products", "list", "--json").json) == N


def test_variants_and_stock_are_exported(stylesearch: Command, home: Path) -> None:
    put(home, Product("hat", "Hat", "hat", in_stock=True, variants=(Variant("h1", {"size": "S"}),)))
    (row,) = rows_of(stylesearch("--home", home, "products", "export", "--source", "mine").out)
    assert row["in_stock"] == "true"
    assert json.loads(row["variants"]) == [
        {"id": "h1", "options": {"size": "S"}, "price": None, "in_stock": None, "url": None}
    ]


def test_lines_of_json_have_products_with_their_images(
    stylesearch: Command, home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "all.jsonl"
    done = stylesearch("--home", home, "products", "export", "-o", file, "--json")
    assert done.json == {"products": N, "file": str(file), "format": "jsonl"}
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert ids(lines) == sorted(map(str, ids(lines)))
    (red,) = [one for one in lines if one["id"] == "dress-red"]
    assert (red["price"], red["amount"], red["attributes"]) == ("19.90", 19.9, {"fabric": "silk"})
    assert [image["domain"] for image in red["images"]] == ["shop", "consumer"]


class TestRemoving:
    def left(self, home: Path) -> list[str]:
        with ss.open(home) as shop:
            return [one.id for one in shop.products()]

    def test_a_dry_run_removes_nothing(self, stylesearch: Command, home: Path) -> None:
        said = stylesearch("--home", home, "products", "remove", "-c", "dress", "--dry-run")
        assert said.out == "3 products would be removed: dress-blue, dress-green, dress-red\n"
        as_json = stylesearch("--home", home, "products", "remove", "dress-red", "--dry-run", "--json").json
        assert as_json == {"removed": 0, "would_remove": 1, "dry_run": True}
        assert len(self.left(home)) == N

    def test_what_a_filter_chooses_is_removed_after_a_yes(self, stylesearch: Command, home: Path) -> None:
        said = stylesearch("--home", home, "products", "remove", "-c", "dress", "--yes")
        assert (said.code, said.out) == (0, "3 products removed\n")
        assert self.left(home) == ["skirt-black", "skirt-pink/purple", "skirt-yellow"]

    def test_without_a_yes_nothing_is_removed(
        self, stylesearch: Command, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
        refused = stylesearch("--home", home, "products", "remove", "-c", "dress")
        assert refused.code == 1
        assert "remove 3 products (dress-blue, dress-green, dress-red)?" in refused.err
        assert len(self.left(home)) == N

    @pytest.mark.parametrize("arguments", [[], ["dress-red", "-c", "dress"]])
    def test_either_ids_or_a_filter_is_given(
        self, stylesearch: Command, home: Path, arguments: list[str]
    ) -> None:
        assert stylesearch("--home", home, "products", "remove", "--yes", *arguments).code == 2
        assert len(self.left(home)) == N


def test_an_empty_list_says_so(stylesearch: Command, home: Path, tmp_path: Path) -> None:
    assert stylesearch("--home", home, "products", "list", "--max-price", "1").out == "none\n"
    assert stylesearch("--home", home, "products", "list", "--max-price", "1", "--json").json == []
    put(home, Product("bare", "Bare", "hat"))
    assert "no images" in stylesearch("--home", home, "products", "show", "bare").out


def test_values_are_shown_as_people_write_them(stylesearch: Command, home: Path) -> None:
    put(home, Product("a", "A", "hat", attributes={"tags": ["new", "warm"], "sale": True}, in_stock=False))
    shown = stylesearch("--home", home, "products", "show", "a").out
    assert "tags: new, warm; sale: yes" in shown
    rows = [line.split()[1:] for line in shown.splitlines() if line.startswith("mine")]
    assert ["in_stock", "no", "yes"] in rows
    assert ["attributes.tags", "new,", "warm", "yes"] in rows


def test_the_value_that_counts_is_marked(stylesearch: Command, home: Path) -> None:
    put(home, Product("dress-red", "Robe", "dress"))
    shown = stylesearch("--home", home, "products", "show", "dress-red").out
    titles = {line.split()[0]: line.split()[2:] for line in shown.splitlines() if " title  " in line}
    titles.pop("title", None)
    assert titles == {
        "mine": ["Robe", "yes"],
        str(home.parent / "source" / "products.csv"): ["A", "red", "dress"],
    }
