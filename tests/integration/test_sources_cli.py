"""Several sources of one shop at the command line: none takes anything away from another."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import pytest

import stylesearch as ss
from tests.integration.conftest import Command, Outcome
from tests.integration.tiny_shop import draw, ingest_tiny_shop, jpeg

N_PRODUCTS, N_IMAGES = 6, 7


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A workspace with one source, ``source/products.csv`` beside it."""
    return ingest_tiny_shop(tmp_path)


@pytest.fixture
def table(home: Path) -> Path:
    return home.parent / "source" / "products.csv"


def contents(home: Path) -> dict[str, list[str]]:
    """Images by product."""
    with ss.open(home) as shop:
        return {
            one.product.id: [image.path for image in one.images] for one in shop.catalog.selection.details()
        }


def write_table(path: Path, rows: list[list[str]]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def keep_rows(table: Path, n_products: int) -> None:
    """Shortens the table to some of its products."""
    rows = table.read_text().splitlines()
    table.write_text("\n".join(rows[: 1 + n_products]) + "\n")


def test_a_list_of_street_photos_wipes_nothing(
    stylesearch: Command, drawn_shop: Path, tmp_path: Path
) -> None:
    def ingest(name: str) -> dict[str, dict[str, int]]:
        return stylesearch(
            "--home", tmp_path / "home", "ingest", drawn_shop / name, "-e", "color-histogram", "--json"
        ).json

    ingest("products.csv")
    with ss.open(tmp_path / "home") as shop:
        before = list(shop.products())
    assert all(product.price for product in before)
    second = ingest("street.csv")
    assert second["products"] == {
        "added": 0,
        "changed": 0,
        "unchanged": 24,
        "removed": 0,
        "withdrawn": 0,
        "unlisted": 0,
    }
    with ss.open(tmp_path / "home") as shop:
        assert list(shop.products()) == before


def test_sources_are_listed_with_what_they_list(stylesearch: Command, home: Path, table: Path) -> None:
    (one,) = stylesearch("--home", home, "sources", "list", "--json").json
    assert one.pop("ingested_at").startswith("20")
    assert one == {
        "name": str(table),
        "path": str(table),
        "format": "csv",
        "products": N_PRODUCTS,
        "images": N_IMAGES,
        "gone": False,
        "options": {},
    }
    assert str(table) in stylesearch("--home", home, "sources", "list").out


def test_a_list_of_sources_is_without_the_roles_of_all_folders(
    stylesearch: Command, home: Path, tmp_path: Path
) -> None:
    for number, name in enumerate(("Women/Dresses/d11/1.jpg", "Shoes/s11/1.jpg")):
        (tmp_path / "shop" / name).parent.mkdir(parents=True)
        (tmp_path / "shop" / name).write_bytes(jpeg(draw((1, 2, 3), seed=number)))
    stylesearch("--home", home, "ingest", tmp_path / "shop", "--source", "folder", "--domain", "shop")
    with ss.open(home) as shop:
        assert "roles" in shop.catalog.sources.get("folder").options
    listed = stylesearch("--home", home, "sources", "list", "--json").json
    assert [one["options"] for one in listed if one["name"] == "folder"] == [{"domain": "shop"}]


def test_a_renamed_source_is_ingested_by_its_name(stylesearch: Command, home: Path, table: Path) -> None:
    done = stylesearch("--home", home, "sources", "rename", table, "export")
    assert (done.code, done.out) == (0, f"{table} is called export now\n")
    again = stylesearch("--home", home, "ingest", "--source", "export", "--json").json
    assert (again["source"], again["unchanged"]) == ("export", N_IMAGES)
    (one,) = stylesearch("--home", home, "sources", "list", "--json").json
    assert one["name"] == "export"


def test_a_source_is_renamed_by_a_relative_path(
    stylesearch: Command, home: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(table.parent)
    done = stylesearch("--home", home, "sources", "rename", table.name, "export")
    assert (done.code, done.out) == (0, f"{table} is called export now\n")


def test_options_that_are_kept_are_listed(stylesearch: Command, home: Path, table: Path) -> None:
    assert stylesearch("--home", home, "ingest", table, "--currency", "EUR", "--allow-outside").code == 0
    listed = stylesearch("--home", home, "sources", "list").out
    assert "currency EUR" in listed
    assert "allow_outside" not in listed, "it is for one run"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rename", "no-such", "x"], "no source is called 'no-such'"),
        (["remove", "no-such"], "no source is called 'no-such'"),
        (["rename", "api", "x"], "the source 'api' is that of the products that are put over the API"),
        (["remove", "api"], " products remove --source api` removes these products"),
    ],
)
def test_a_source_that_there_is_not_or_that_is_reserved_is_refused(
    stylesearch: Command, home: Path, arguments: list[str], message: str
) -> None:
    done = stylesearch("--home", home, "sources", *arguments)
    assert (done.code, message in done.err) == (1, True)


def test_columns_are_added_and_removed_one_at_a_time(stylesearch: Command, home: Path, table: Path) -> None:
    def kept() -> object:
        return stylesearch("--home", home, "sources", "list", "--json").json[0]["options"]

    assert stylesearch("--home", home, "ingest", table, "--map", "title=fabric,url=title").code == 0
    assert (
        stylesearch("--home", home, "ingest", table, "--map", "url=", "--map", "attributes.x=price").code == 0
    )
    assert kept() == {"columns": {"title": "fabric", "attributes.x": "price"}}
    wrong = stylesearch("--home", home, "ingest", table, "--map", "url")
    assert (wrong.code, "expected FIELD=COLUMN" in wrong.err) == (2, True)


def test_two_sources_cannot_have_one_name(stylesearch: Command, home: Path, table: Path) -> None:
    other = write_table(table.with_name("other.csv"), [["id", "image"], ["dress-red", "dress0.jpg"]])
    stylesearch("--home", home, "ingest", other, "--source", "other")
    done = stylesearch("--home", home, "sources", "rename", table, "other")
    assert (done.code, "there is a source 'other' already" in done.err) == (1, True)


def test_a_removed_source_takes_along_what_no_other_lists(
    stylesearch: Command, home: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [["id", "image", "title"], ["dress-red", "dress0.jpg", "Robe"], ["new", "new.jpg", "New"]]
    other = write_table(table.with_name("other.csv"), rows)
    table.with_name("new.jpg").write_bytes(jpeg(draw((1, 2, 3), seed=7)))
    stylesearch("--home", home, "ingest", other, "--source", "other")
    said = stylesearch("--home", home, "sources", "remove", "other", "--dry-run")
    assert said.out == (
        "1 product and 1 image would be removed; 1 product and 1 image stay, since other sources list them\n"
    )
    assert len(contents(home)) == N_PRODUCTS + 1
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    declined = stylesearch("--home", home, "sources", "remove", "other")
    assert (declined.code, declined.err.splitlines()[-1].endswith("nothing was removed")) == (1, True)
    assert "remove other with 1 product and 1 image; 1 product and 1 image stay" in declined.err
    assert len(contents(home)) == N_PRODUCTS + 1
    removed = stylesearch("--home", home, "sources", "remove", "other", "--yes", "--json").json
    assert removed == {"products": 1, "images": 1, "dry_run": False}
    assert set(contents(home)) == {"dress-red", "dress-blue", "dress-green"} | {
        "skirt-yellow",
        "skirt-black",
        "skirt-pink/purple",
    }
    assert (
        stylesearch("--home", home, "products", "show", "dress-red", "--json").json["title"] == "A red dress"
    )


class TestPruning:
    def test_another_path_under_one_name_is_the_source_moved(
        self, stylesearch: Command, home: Path, table: Path, tmp_path: Path
    ) -> None:
        stylesearch("--home", home, "sources", "rename", table, "export")
        shutil.copytree(table.parent, tmp_path / "november")
        moved = tmp_path / "november" / "products.csv"
        keep_rows(moved, 5)
        shutil.rmtree(table.parent)
        done = stylesearch("--home", home, "ingest", moved, "--source", "export", "--prune", "--json").json
        assert (done["products"]["removed"], done["products"]["unchanged"]) == (1, 5)
        assert len(contents(home)) == 5
        (one,) = stylesearch("--home", home, "sources", "list", "--json").json
        assert (one["path"], one["products"]) == (str(moved), 5)

    def test_more_than_a_third_go_only_by_force(self, stylesearch: Command, home: Path, table: Path) -> None:
        keep_rows(table, 3)
        refused = stylesearch("--home", home, "ingest", table, "--prune")
        assert refused.code == 3
        assert "3 products were not removed, since that is more than a third" in refused.err
        assert len(contents(home)) == N_PRODUCTS
        forced = stylesearch("--home", home, "ingest", table, "--prune", "--force", "--json")
        assert (forced.code, forced.json["products"]["removed"]) == (0, 3)
        assert len(contents(home)) == 3

    def test_a_third_goes(self, stylesearch: Command, home: Path, table: Path) -> None:
        keep_rows(table, 4)
        done = stylesearch("--home", home, "ingest", table, "--prune", "--json")
        assert (done.code, done.json["products"]["removed"]) == (0, 2)

    def test_a_dry_run_shows_what_would_go_and_changes_no_byte(
        self, stylesearch: Command, home: Path, table: Path
    ) -> None:
        keep_rows(table, 4)
        # As an ingest leaves it: no log beside it that the next one would merge.
        before = {path.name: path.read_bytes() for path in home.glob("catalog.db*")}
        done = stylesearch("--home", home, "ingest", table, "--prune", "--dry-run", "--json").json
        assert (done["products"]["removed"], done["products"]["unchanged"]) == (2, 4)
        assert {path.name: path.read_bytes() for path in home.glob("catalog.db*")} == before
        assert len(contents(home)) == N_PRODUCTS

    def test_an_empty_or_unreadable_table_removes_nothing(
        self, stylesearch: Command, home: Path, table: Path
    ) -> None:
        header = table.read_text().splitlines()[0]
        for text in ("", header, "\0\0"):
            table.write_text(text)
            assert stylesearch("--home", home, "ingest", table, "--prune", "--force").code == 1
        assert len(contents(home)) == N_PRODUCTS


class TestWhatIsGone:
    def test_a_source_that_is_gone_is_reported(
        self, stylesearch: Command, home: Path, table: Path, tmp_path: Path
    ) -> None:
        other = write_table(tmp_path / "other" / "other.csv", [["id", "image"], ["new", "new.jpg"]])
        (tmp_path / "other" / "new.jpg").write_bytes(jpeg(draw((1, 2, 3), seed=7)))
        shutil.rmtree(table.parent)
        done = stylesearch("--home", home, "ingest", other)
        assert done.code == 0
        assert f"note: the source {table} is gone: nothing is at its path" in done.err
        listed = stylesearch("--home", home, "sources", "list", "--json").json
        assert {one["name"]: one["gone"] for one in listed} == {str(table): True, str(other): False}
        assert f"{table} (gone)" in stylesearch("--home", home, "sources", "list").out
        assert f"nothing is at {table} any more" in stylesearch("--home", home, "doctor").out

    def test_images_whose_file_has_gone_are_counted(
        self, stylesearch: Command, home: Path, table: Path
    ) -> None:
        whole = stylesearch("--home", home, "index", "verify")
        assert (whole.code, whole.out) == (0, "no damage found\n")
        assert "all are there" in stylesearch("--home", home, "doctor").out
        for name in ("dress0.jpg", "street.jpg"):
            (table.parent / name).unlink()
        lost = stylesearch("--home", home, "index", "verify")
        assert lost.code == 3
        assert f"files of images: 2 are gone, the first: {table.parent / 'dress0.jpg'}" in lost.err
        (listed,) = stylesearch("--home", home, "index", "verify", "--json").json
        assert listed["item"] == "files of images"
        assert (
            "2 are gone, and searches find their products still" in stylesearch("--home", home, "doctor").out
        )


class TestNextVersions:
    def dated(self, table: Path, name: str, n_products: int) -> Path:
        copied = table.with_name(name)
        shutil.copy(table, copied)
        keep_rows(copied, n_products)
        return copied

    def note_of(self, done: Outcome) -> list[str]:
        return [line for line in done.err.splitlines() if "next version" in line]

    def test_a_dated_export_is_told_to_be_the_next_version(
        self, stylesearch: Command, home: Path, table: Path
    ) -> None:
        later = self.dated(table, "products-02.csv", 5)
        assert len(self.note_of(stylesearch("--home", home, "ingest", later, "--dry-run"))) == 1
        done = stylesearch("--home", home, "ingest", later)
        assert self.note_of(done) == [
            f"note: {later} lists the same products as {table}: if it is its next version, run "
            f"`stylesearch --home {home} ingest {later} --source {table}`, "
            f"then `stylesearch --home {home} sources remove {later}`"
        ]
        assert self.note_of(stylesearch("--home", home, "ingest", later)) == [], "said once"
        advised = stylesearch("--home", home, "ingest", later, "--source", table, "--prune")
        assert (advised.code, self.note_of(advised)) == (0, [])
        assert stylesearch("--home", home, "sources", "remove", later, "--yes").code == 0
        assert len(contents(home)) == 5

    def test_another_name_with_the_same_images_is_a_version_too(
        self, stylesearch: Command, home: Path, table: Path
    ) -> None:
        later = self.dated(table, "november.csv", 6)
        assert len(self.note_of(stylesearch("--home", home, "ingest", later))) == 1

    def test_a_version_whose_file_has_gone_is_known_wherever_it_lay(
        self, stylesearch: Command, home: Path, table: Path, tmp_path: Path
    ) -> None:
        moved = tmp_path / "moved"
        table.parent.rename(moved)
        assert len(self.note_of(stylesearch("--home", home, "ingest", moved / "products.csv"))) == 1

    def test_a_table_of_prices_and_another_half_are_no_versions(
        self, stylesearch: Command, home: Path, table: Path
    ) -> None:
        prices = write_table(table.with_name("prices.csv"), [["id", "price"], ["dress-red", "9.90"]])
        assert self.note_of(stylesearch("--home", home, "ingest", prices)) == []
        others = [["id", "image"], ["dress-red", "dress0.jpg"], ["a", "dress1.jpg"], ["b", "dress2.jpg"]]
        assert (
            self.note_of(
                stylesearch("--home", home, "ingest", write_table(table.with_name("products-2.csv"), others))
            )
            == []
        )
