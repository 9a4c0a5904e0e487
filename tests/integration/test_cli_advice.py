"""What the command line tells somebody who does not know it yet: notes, hints, the right answer of a demo."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from stylesearch.cli import query
from stylesearch.settings import Settings
from stylesearch.workspace.workspace import Workspace

Command = Callable[..., Any]


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture
def shop(drawn_shop: Path, tmp_path: Path) -> Path:
    """A copy of the drawn shop, to be changed."""
    return Path(shutil.copytree(drawn_shop, tmp_path / "shop"))


@pytest.fixture
def photo(drawn_shop: Path) -> Path:
    return sorted((drawn_shop / "street").glob("*.jpg"))[0]


class TestIngest:
    def test_a_url_says_to_download_it(self, stylesearch: Command, tmp_path: Path) -> None:
        done = stylesearch("--home", tmp_path / "home", "ingest", "https://s.example/feed.xml")
        assert done.code == 2
        assert "a source is a file or a folder, and no URL" in done.err
        assert "--output products.csv 'https://s.example/feed.xml'" in done.err

    def test_a_currency_that_is_no_code_is_refused_and_not_kept(
        self, stylesearch: Command, tmp_path: Path
    ) -> None:
        home, table = tmp_path / "home", tmp_path / "a.csv"
        table.write_text("sku;title;price\n1;Dress;5\n")
        done = stylesearch("--home", home, "ingest", table, "--currency", "Euro")
        assert done.code == 1
        assert "a code of three letters. Received: 'Euro'" in done.err
        assert stylesearch("--home", home, "ingest", table).code == 0

    def test_the_sheet_of_a_workbook_is_kept_with_the_source(
        self, stylesearch: Command, tmp_path: Path
    ) -> None:
        home, path = tmp_path / "home", tmp_path / "a.xlsx"
        book = Workbook()
        for name, code in (("Dresses", "d1"), ("Hats", "h1")):
            sheet = book.create_sheet(name)
            sheet.append(["sku", "title", "price"])
            sheet.append([code, name, 5])
        book.save(path)
        stylesearch("--home", home, "ingest", path, "--sheet", "Hats")
        again = stylesearch("--home", home, "ingest", path)
        assert "products: 0 added, 0 changed, 1 unchanged, 0 removed" in again.out

    def test_what_is_no_longer_listed_is_counted_until_it_is_pruned(
        self, stylesearch: Command, shop: Path, tmp_path: Path
    ) -> None:
        home, table = tmp_path / "home", shop / "products.csv"
        first = stylesearch("--home", home, "ingest", table)
        assert "no longer in the source" not in first.err
        table.write_text("".join(table.read_text().splitlines(keepends=True)[:-4]))
        kept = stylesearch("--home", home, "ingest", table)
        assert "note: 4 products are no longer in the source; --prune removes them" in kept.err
        assert stylesearch("--home", home, "-q", "ingest", table).err == ""
        assert stylesearch("--home", home, "ingest", table, "--json").json["unlisted"] == 4
        pruned = stylesearch("--home", home, "ingest", table, "--prune", "--json").json
        assert (pruned["removed"], pruned["unlisted"]) == (4, 0)

    def test_a_row_that_cannot_be_read_is_no_talk_of_removal(
        self, stylesearch: Command, shop: Path, tmp_path: Path
    ) -> None:
        said = "note: nothing was removed, since 1 entry of the source could not be read"
        home, table = tmp_path / "home", shop / "few.csv"
        rows = rows_of(shop / "products.csv")[:3]
        listed = "id,image\n" + "".join(f"{row['id']},{row['image']}\n" for row in rows)
        broken = "x1,a,b,c\n"
        table.write_text(listed + broken)
        done = stylesearch("--home", home, "ingest", table)
        assert (done.code, "few.csv:5: " in done.err, said in done.err) == (3, True, False)
        pruned = stylesearch("--home", home, "ingest", table, "--prune")
        assert (pruned.code, said in pruned.err) == (3, True)
        assert f"({table}:5); --prune --force removes all the same" in pruned.err

        table.write_text(f"{listed}{rows[0]['id']},{rows[1]['image']}\n")  # a second picture of the first
        assert stylesearch("--home", home, "ingest", table, "--json").json["added"] == 1
        table.write_text(listed + broken)  # ... which would go now, without --prune
        kept = stylesearch("--home", home, "ingest", table, "--json")
        assert kept.json["removes_nothing"]
        assert (kept.json["removed"], kept.json["unlisted"]) == (0, 0)
        table.write_text(listed)
        assert stylesearch("--home", home, "ingest", table, "--json").json["removed"] == 1

    def test_a_row_whose_picture_cannot_be_used_still_lists_its_product(
        self, stylesearch: Command, shop: Path, tmp_path: Path
    ) -> None:
        home, table = tmp_path / "home", shop / "few.csv"
        rows = rows_of(shop / "products.csv")[:4]
        lines = [f"{row['id']},{row['image']}\n" for row in rows]
        table.write_text("id,image\n" + "".join(lines))
        stylesearch("--home", home, "ingest", table)
        table.write_text("id,image\n" + "".join([*lines[:2], f"{rows[2]['id']},../outside.jpg\n"]))
        done = stylesearch("--home", home, "ingest", table, "--prune", "--json")
        assert done.code == 3
        assert "--allow-outside lets it in" in done.json["failed"][0]["reason"]
        assert (done.json["products"]["removed"], done.json["removed"]) == (1, 1)
        listed = stylesearch("--home", home, "products", "list", "--json").json
        assert [one["id"] for one in listed] == sorted(row["id"] for row in rows[:3])

    def test_the_rate_is_what_json_says(self, stylesearch: Command, shop: Path, tmp_path: Path) -> None:
        done = stylesearch("--home", tmp_path / "home", "ingest", shop / "products.csv", "--json")
        report = done.json
        assert report["processed"] == 24
        (line,) = [line for line in done.err.splitlines() if line.startswith("pictures: 24/24")]
        rate = float(line.split(", ")[1].removesuffix(" a second"))
        assert rate == pytest.approx(report["processed"] / report["seconds"]["pictures"], rel=0.1)

    def test_a_source_that_is_missing(self, stylesearch: Command, tmp_path: Path) -> None:
        done = stylesearch("--home", tmp_path, "ingest", tmp_path / "none.csv")
        assert done.code == 2
        assert "Give a folder with images, or a CSV file." in " ".join(done.err.split())

    def test_an_interruption_says_that_the_work_is_kept(
        self, stylesearch: Command, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Workspace, "ingest", interrupted)
        done = stylesearch("--home", tmp_path / "home", "ingest", shop / "products.csv")
        assert done.code == 130
        assert "finished work is kept; to continue, run the same command again" in done.err


class TestQuery:
    def test_the_right_product_is_named_with_its_rank(
        self, stylesearch: Command, ingested: Path, photo: Path
    ) -> None:
        alone = stylesearch("--home", ingested, "query", photo, "--json").json
        right = alone["hits"][2]["product"]
        found = stylesearch("--home", ingested, "query", photo, "--expect", right)
        assert found.out.splitlines()[-1] == f"the right product, {right}, is at rank 3"
        told = stylesearch("--home", ingested, "query", photo, "-k", 2, "--expect", right)
        assert told.out.splitlines()[-1] == f"the right product, {right}, is not among the first 2"
        as_json = stylesearch("--home", ingested, "query", photo, "--expect", right, "--json").json
        assert as_json == {**alone, "expected": {"product": right, "rank": 3}}

    def test_verbose_prints_the_seconds_of_each_step_and_quiet_wins(
        self, stylesearch: Command, ingested: Path, photo: Path
    ) -> None:
        loud = stylesearch("--home", ingested, "query", photo, "-v")
        assert re.search(
            r"^wall: decode [\d.]+ s, extract [\d.]+ s, search [\d.]+ s, total [\d.]+ s$",
            loud.err,
            re.MULTILINE,
        )
        for quiet in (("query", photo, "-v", "-q"), ("-q", "query", photo, "-v"), ("query", photo)):
            assert "wall:" not in stylesearch("--home", ingested, *quiet).err

    def test_one_product_is_no_products(self, stylesearch: Command, ingested: Path, photo: Path) -> None:
        found = stylesearch("--home", ingested, "query", photo, "-k", 1)
        assert re.search(r": 1 product \([a-z-]+ 1\)$", found.out.splitlines()[0])

    def test_an_expected_product_that_there_is_not(
        self, stylesearch: Command, ingested: Path, photo: Path
    ) -> None:
        done = stylesearch("--home", ingested, "query", photo, "--expect", "no-such")
        assert (done.code, done.out) == (1, "")
        assert "no-such" in done.err

    def test_a_bad_photo_among_several_is_named_once_with_its_hint(
        self,
        stylesearch: Command,
        ingested: Path,
        photo: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
        missing = tmp_path / "missing.jpg"
        done = stylesearch("--home", ingested, "query", missing, tmp_path, "-", photo)
        assert done.code == 3
        errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
        assert errors == [
            f"error: {missing} cannot be read: No such file or directory",
            f"error: {tmp_path} cannot be read: Is a directory",
            "error: standard input is empty",
        ]
        assert done.err.count("hint: ") == 3
        assert f"stylesearch --home {ingested} query - < photo.jpg" in done.err

    def test_the_help_says_what_may_be_said_and_what_holds_otherwise(self, stylesearch: Command) -> None:
        from stylesearch.distance import METRICS
        from stylesearch.images.regions import PERSON_PLAN, REGION_PLANS
        from stylesearch.spaces import SPACES

        assert set(query.PLANS) == {*REGION_PLANS, PERSON_PLAN}
        assert set(query.SPACES) == set(SPACES)
        assert set(query.METRICS) == set(METRICS)
        assert {name: getattr(Settings(), name) for name in query.DEFAULTS} == query.DEFAULTS
        shown = stylesearch("query", "--help").out
        assert "query [OPTIONS] [PHOTO...]" in shown
        for default in query.DEFAULTS.values():
            assert f"[default: {default}]" in " ".join(shown.split())
        for command in ("build", "status", "verify"):
            of_index = " ".join(stylesearch("index", command, "--help").out.split())
            assert f"[default: {Settings().space}]" in of_index
            assert f"[default: {Settings().metric}]" in of_index


class TestTheRest:
    def test_products_of_an_unknown_category(self, stylesearch: Command, ingested: Path) -> None:
        wrong = stylesearch("--home", ingested, "products", "list", "-c", "drss")
        assert (wrong.code, wrong.out) == (1, "")
        assert "Did you mean 'dress'" in wrong.err
        behind = stylesearch(
            "--home", ingested, "products", "list", "-c", "dress", "--after", "zzz", "--json"
        )
        assert (behind.code, behind.json) == (0, [])

    def test_doctor_looks_at_the_indexes(self, stylesearch: Command, workspace: Path) -> None:
        def indexes() -> dict[str, str]:
            done = stylesearch("--home", workspace, "doctor", "--json")
            (one,) = [one for one in json.loads(done.out) if one["check"].startswith("indexes ")]
            assert (done.code == 1) == (one["state"] == "problem")
            assert (one["hint"] == f"stylesearch --home {workspace} index build") == (one["state"] != "ok")
            return dict(one)

        whole = indexes()
        assert whole["check"] == "indexes efficientnet-lite0@320+texture+colors/mixed/cosine"
        assert whole["state"] == "ok"
        assert "ready" in whole["detail"]
        (one, *_) = sorted((workspace / "indexes").rglob("manifest.json"))
        one.write_text("{")
        damaged = indexes()
        assert damaged["state"] == "problem"
        assert "1 damaged" in damaged["detail"]
        (fit,) = (workspace / "indexes").rglob("transform-*.npz")
        fit.write_bytes(fit.read_bytes()[:100])
        assert "the fit of the space is damaged" in indexes()["detail"]
        shutil.rmtree(workspace / "indexes")
        gone = indexes()
        assert gone["state"] == "note"
        assert "missing" in gone["detail"]

    @pytest.mark.parametrize("command", [["products", "list"], ["db", "check"]])
    def test_a_catalog_that_is_garbage(
        self, stylesearch: Command, tmp_path: Path, command: list[str]
    ) -> None:
        (tmp_path / "catalog.db").write_bytes(b"garbage" * 100)
        done = stylesearch("--home", tmp_path, *command)
        assert done.code == 1
        assert "move it away and ingest again" in done.err
        assert "db check" not in done.err

    def test_what_is_no_photo_is_an_error_of_ours(self, ingested: Path) -> None:
        import stylesearch as ss

        with ss.open(ingested) as shop, pytest.raises(ss.StyleSearchError, match="Received: 123") as caught:
            shop.query(123)  # type: ignore[arg-type]
        assert isinstance(caught.value, ValueError)
