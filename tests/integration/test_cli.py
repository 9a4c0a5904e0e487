"""The command line as a user meets it: what it prints, where, and with which exit code."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from stylesearch.cli import ingest, query
from stylesearch.settings import Settings
from stylesearch.workspace.workspace import Workspace

Command = Callable[..., Any]


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open() as file:
        return list(csv.DictReader(file))


def a_street_photo(drawn_shop: Path) -> Path:
    return sorted((drawn_shop / "street").glob("*.jpg"))[0]


class TestIngest:
    def test_json_says_what_was_done(self, stylesearch: Command, drawn_shop: Path, tmp_path: Path) -> None:
        first = stylesearch("--home", tmp_path, "ingest", drawn_shop / "products.csv", "--json")
        assert first.code == 0, first.err
        report = first.json
        assert (report["added"], report["changed"], report["unchanged"], report["failed"]) == (24, 0, 0, [])
        assert {"decode", "inference", "store", "index", "total"} <= set(report["seconds"])
        again = stylesearch("ingest", drawn_shop / "products.csv", "--home", tmp_path, "--json").json
        assert (again["added"], again["unchanged"], again["computed"]) == (0, 24, 0)

    def test_progress_goes_to_stderr_and_quiet_silences_it(
        self, stylesearch: Command, drawn_shop: Path, tmp_path: Path
    ) -> None:
        loud = stylesearch("--home", tmp_path, "ingest", drawn_shop / "catalog", "-v")
        assert "24 added" in loud.out
        assert "24/24 images" in loud.err
        assert "core-seconds: decode" in loud.err
        quiet = stylesearch("--home", tmp_path, "-q", "ingest", drawn_shop / "catalog")
        assert "24 unchanged" in quiet.out
        assert quiet.err == ""

    def test_what_cannot_be_used_is_listed_and_the_rest_is_in(
        self, stylesearch: Command, drawn_shop: Path, tmp_path: Path
    ) -> None:
        shop = tmp_path / "shop"
        shutil.copytree(drawn_shop / "catalog", shop / "catalog")
        (shop / "broken.jpg").write_bytes(b"not a picture")
        Image.new("RGB", (8, 8)).save(shop / "tiny.png")
        rows = rows_of(drawn_shop / "products.csv")[:3]
        table = shop / "products.csv"
        with table.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "category", "image", "box"])
            for row in rows:
                writer.writerow([row["id"], row["category"], row["image"], ""])
            writer.writerow(["b1", "dress", "broken.jpg", ""])
            writer.writerow(["b2", "dress", "tiny.png", ""])
            writer.writerow(["b3", "dress", "missing.jpg", ""])
            writer.writerow(["b4", "dress", rows[0]["image"], "9,9,2,2"])
            writer.writerow(["b5", "dress", "../outside.jpg", ""])
        done = stylesearch("--home", tmp_path / "home", "ingest", table, "--json")
        assert done.code == 3
        assert done.json["added"] == 3
        reasons = {Path(failure["item"]).name: failure["reason"] for failure in done.json["failed"]}
        assert set(reasons) == {
            "broken.jpg",
            "tiny.png",
            "products.csv:7",
            "products.csv:8",
            "products.csv:9",
        }
        assert all(reasons.values())
        shown = stylesearch("--home", tmp_path / "home", "ingest", table)
        assert shown.code == 3
        assert shown.err.count("failed: ") == 5
        assert "3 unchanged" in shown.out

    def test_prune_removes_what_is_no_longer_listed(
        self, stylesearch: Command, workspace: Path, drawn_shop: Path
    ) -> None:
        table = drawn_shop / "products.csv"
        lines = table.read_text().splitlines(keepends=True)
        try:
            table.write_text("".join(lines[:-4]))
            kept = stylesearch("--home", workspace, "ingest", table, "--json").json
            assert (kept["unchanged"], kept["removed"]) == (20, 0)
            pruned = stylesearch("--home", workspace, "ingest", table, "--prune", "--json").json
            assert (pruned["unchanged"], pruned["removed"]) == (20, 4)
        finally:
            table.write_text("".join(lines))
        assert len(stylesearch("--home", workspace, "products", "list", "--json").json) == 20

    def test_the_formats_are_the_importers(
        self, stylesearch: Command, drawn_shop: Path, tmp_path: Path
    ) -> None:
        from stylesearch.importers import IMPORTERS

        assert set(ingest.FORMATS) == {"auto"} | set(IMPORTERS)
        table = drawn_shop / "products.csv"
        assert stylesearch("--home", tmp_path, "ingest", table, "--format", "table").code == 2
        shown = "".join(stylesearch("ingest", "--help").out.split())
        assert f"[{'|'.join(ingest.FORMATS)}]" in shown

    def test_a_source_that_is_no_source(self, stylesearch: Command, tmp_path: Path) -> None:
        assert stylesearch("--home", tmp_path, "ingest", tmp_path / "nowhere").code == 2
        (tmp_path / "empty").mkdir()
        empty = stylesearch("--home", tmp_path, "ingest", tmp_path / "empty")
        assert empty.code == 1
        assert empty.err.startswith("error: ")
        assert "hint: " in empty.err
        assert "Traceback" not in empty.err


class TestQuery:
    def test_json_has_the_fixed_shape(self, stylesearch: Command, ingested: Path, drawn_shop: Path) -> None:
        photo = a_street_photo(drawn_shop)
        done = stylesearch("--home", ingested, "query", photo, "-k", 7, "--json")
        assert done.code == 0, done.err
        assert done.out.count("\n") == 1
        found = done.json
        assert set(found) == {"photo", "seen", "hits"}
        assert found["photo"] == str(photo)
        assert [hit["rank"] for hit in found["hits"]] == list(range(1, 8))
        first, row = found["hits"][0], rows_of(drawn_shop / "products.csv")
        assert set(first) == {
            "rank", "product", "title", "category", "price", "in_stock", "url", "attributes",
            "distance", "image", "image_url", "options", "region",
        }  # fmt: skip
        listed = next(one for one in row if one["id"] == first["product"])
        assert (first["price"], first["url"]) == (listed["price"], listed["url"])
        assert first["attributes"]["color"] == listed["color"]
        assert (first["in_stock"], first["image_url"], first["options"]) == (None, None, {})
        x0, y0, x1, y1 = first["region"]
        assert 0 <= x0 < x1 <= 480
        assert 0 <= y0 < y1 <= 640
        distances = [hit["distance"] for hit in found["hits"]]
        assert distances == sorted(distances)
        assert len({hit["product"] for hit in found["hits"]}) == 7
        assert all(Path(hit["image"]).exists() for hit in found["hits"])

    def test_a_shop_image_finds_itself(self, stylesearch: Command, ingested: Path, drawn_shop: Path) -> None:
        for row in rows_of(drawn_shop / "products.csv")[::5]:
            found = stylesearch(
                "--home", ingested, "query", drawn_shop / row["image"], "-k", 1, "--json"
            ).json
            assert found["hits"][0]["product"] == row["id"]
            # The rows of a photo weigh parts otherwise than images do, so the distance is not 0.
            assert found["hits"][0]["distance"] < 0.3

    def test_the_table_says_where_hits_come_from(
        self, stylesearch: Command, ingested: Path, drawn_shop: Path
    ) -> None:
        done = stylesearch("--home", ingested, "query", a_street_photo(drawn_shop), "-k", 5)
        lines = done.out.splitlines()
        assert "5 products (" in lines[0]
        assert lines[1].startswith("seen: ")
        assert lines[2].split() == ["rank", "product", "title", "category", "price", "distance", "image"]
        prices = {row["id"]: row["price"] for row in rows_of(drawn_shop / "products.csv")}
        assert all(f" {prices[line.split()[1]]} " in line for line in lines[3:])
        assert len(lines) == 8

    def test_a_category_is_searched_alone(
        self, stylesearch: Command, ingested: Path, drawn_shop: Path
    ) -> None:
        photo = a_street_photo(drawn_shop)
        categories = {row["category"] for row in rows_of(drawn_shop / "products.csv")}
        for category in sorted(categories)[:3]:
            found = stylesearch("--home", ingested, "query", photo, "-c", category, "--json").json
            assert {hit["category"] for hit in found["hits"]} == {category}
        wrong = stylesearch("--home", ingested, "query", photo, "-c", "drss")
        assert wrong.code == 1
        assert "Did you mean 'dress'" in wrong.err

    def test_several_photos_one_bad_one_from_stdin(
        self,
        stylesearch: Command,
        ingested: Path,
        drawn_shop: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        photo = a_street_photo(drawn_shop)
        (tmp_path / "bad.jpg").write_bytes(b"bad")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(photo.read_bytes())))
        done = stylesearch(
            "--home", ingested, "query", photo, tmp_path / "bad.jpg", "-", "-k", 2, "--json",
            "--sheet", tmp_path / "out.png",
        )  # fmt: skip
        assert done.code == 3
        objects = [json.loads(line) for line in done.out.splitlines()]
        assert [one["photo"] for one in objects] == [str(photo), str(tmp_path / "bad.jpg"), "-"]
        assert objects[0]["hits"] == objects[2]["hits"]
        assert set(objects[0]) == {"photo", "seen", "hits"}
        assert objects[1]["hits"] == []
        assert "bad.jpg" in objects[1]["error"]
        assert "bad.jpg" in done.err
        assert (tmp_path / "out-1.png").exists()
        assert (tmp_path / "out-3.png").exists()

    def test_verbose_prints_the_time_of_each_step(
        self, stylesearch: Command, ingested: Path, drawn_shop: Path
    ) -> None:
        photo = a_street_photo(drawn_shop)
        pattern = r"wall: decode \d+\.\d\d s, extract \d+\.\d\d s, search \d+\.\d\d s, total \d+\.\d\d s\n"
        for arguments in (["-v", "query", photo], ["query", photo, "-v"]):
            assert re.fullmatch(pattern, stylesearch("--home", ingested, *arguments).err)
        assert stylesearch("--home", ingested, "query", photo).err == ""
        seconds = stylesearch("--home", ingested, "query", photo, "-v", "--json").json["seconds"]
        assert list(seconds) == ["decode", "extract", "search", "total"]
        assert seconds["total"] >= seconds["extract"] + seconds["search"]
        product = rows_of(drawn_shop / "products.csv")[0]["id"]
        similar = stylesearch("--home", ingested, "query", "--product", product, "-v").err
        assert re.fullmatch(r"wall: search \d+\.\d\d s, total \d+\.\d\d s\n", similar)

    def test_a_region_and_a_plan_of_regions_are_not_both_taken(
        self, stylesearch: Command, ingested: Path, drawn_shop: Path
    ) -> None:
        both = ["--regions", "whole", "--region", "legs"]
        done = stylesearch("--home", ingested, "query", a_street_photo(drawn_shop), *both)
        assert (done.code, done.out) == (2, "")
        assert "--regions and --region both say where to look" in done.err

    def test_one_bad_photo_is_an_error(self, stylesearch: Command, ingested: Path, tmp_path: Path) -> None:
        (tmp_path / "bad.jpg").write_bytes(b"bad")
        done = stylesearch("--home", ingested, "query", tmp_path / "bad.jpg")
        assert done.code == 1
        assert "bad.jpg" in done.err
        missing = stylesearch("--home", ingested, "query", tmp_path / "missing.jpg")
        assert missing.code == 1
        assert "missing.jpg" in missing.err
        assert stylesearch("--home", ingested, "query", tmp_path / "bad.jpg", "--json").out == ""

    def test_what_is_wrong_for_every_photo_is_said_once(
        self, stylesearch: Command, ingested: Path, drawn_shop: Path, tmp_path: Path
    ) -> None:
        photo = a_street_photo(drawn_shop)
        wrong = stylesearch("--home", ingested, "query", photo, photo, "-c", "drss", "--json")
        assert (wrong.code, wrong.out, wrong.err.count('"error": ')) == (1, "", 1)
        empty = stylesearch("--home", tmp_path / "none", "query", photo, photo, "--json")
        assert (empty.code, empty.out, empty.err.count('"error": ')) == (1, "", 1)

    def test_standard_input_that_cannot_be_read_is_one_bad_photo(
        self, stylesearch: Command, ingested: Path, drawn_shop: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Broken(io.RawIOBase):
            def readable(self) -> bool:
                return True

            def readinto(self, buffer: object) -> int:
                raise OSError(5, "Input/output error")

        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Broken())))
        done = stylesearch("--home", ingested, "query", "-", a_street_photo(drawn_shop), "--json")
        assert done.code == 3
        first, second = [json.loads(line) for line in done.out.splitlines()]
        assert "Input/output error" in first["error"]
        assert len(second["hits"]) == 20

    def test_a_box_replaces_the_regions(self, stylesearch: Command, ingested: Path, drawn_shop: Path) -> None:
        row = rows_of(drawn_shop / "street.csv")[0]
        photo = drawn_shop / row["image"]
        boxed = stylesearch("--home", ingested, "query", photo, "--box", row["box"], "--json").json
        whole = stylesearch("--home", ingested, "query", photo, "--regions", "whole", "--json").json
        assert boxed["hits"] != whole["hits"]
        assert stylesearch("--home", ingested, "query", photo, "--box", "1,2,3").code == 2
        over, cut = (
            stylesearch("--home", ingested, "query", photo, "--box", box, "--json").json
            for box in ("-40,-30,200,9000", "0,0,200,640")
        )
        assert over == cut
        assert over["seen"][0]["box"] == [0, 0, 200, 640]
        outside = stylesearch("--home", ingested, "query", photo, "--box", "9000,9000,9100,9100")
        assert outside.code == 1
        assert "outside the picture" in outside.err

    @pytest.mark.parametrize("space", ["raw", "whitened"])
    @pytest.mark.parametrize("metric", ["l1", "l2", "cosine"])
    def test_every_space_and_metric_answers(
        self, stylesearch: Command, workspace: Path, drawn_shop: Path, space: str, metric: str
    ) -> None:
        photo = a_street_photo(drawn_shop)
        done = stylesearch("--home", workspace, "query", photo, "-s", space, "-m", metric, "-k", 3, "--json")
        assert done.code == 0, done.err
        assert len(done.json["hits"]) == 3

    def test_what_looks_like_a_product(self, stylesearch: Command, ingested: Path, drawn_shop: Path) -> None:
        product = rows_of(drawn_shop / "products.csv")[0]["id"]
        found = stylesearch("--home", ingested, "query", "--product", product, "-k", 4, "--json").json
        assert len(found["hits"]) == 4
        assert product not in {hit["product"] for hit in found["hits"]}
        unknown = stylesearch("--home", ingested, "query", "--product", "no-such")
        assert unknown.code == 1
        assert stylesearch("--home", ingested, "query").code == 2

    def test_a_sheet_is_written(
        self, stylesearch: Command, ingested: Path, drawn_shop: Path, tmp_path: Path
    ) -> None:
        sheet = tmp_path / "sheets" / "out.png"
        done = stylesearch("--home", ingested, "query", a_street_photo(drawn_shop), "-k", 4, "--sheet", sheet)
        assert done.code == 0, done.err
        with Image.open(sheet) as page:
            assert page.width > 800

    def test_a_sheet_with_another_ending_is_refused_before_the_search(
        self, stylesearch: Command, drawn_shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from stylesearch.search.result_sheet import FORMATS

        assert set(query.SHEET_ENDINGS) == set(FORMATS)
        monkeypatch.setattr(Workspace, "query", lambda *_, **__: pytest.fail("it searched"))
        wrong = stylesearch(
            "--home", tmp_path, "query", a_street_photo(drawn_shop), "--sheet", tmp_path / "x.doc"
        )
        assert wrong.code == 2
        assert "x.doc" in wrong.err

    def test_an_empty_workspace_says_what_to_do(
        self, stylesearch: Command, drawn_shop: Path, tmp_path: Path
    ) -> None:
        done = stylesearch("--home", tmp_path / "none", "query", a_street_photo(drawn_shop))
        assert done.code == 1
        assert f"`stylesearch --home {tmp_path / 'none'} ingest` first" in done.err
        assert not (tmp_path / "none").exists(), "a query made a workspace"

    def test_features_of_another_extractor_are_named(
        self, stylesearch: Command, ingested: Path, drawn_shop: Path
    ) -> None:
        photo = a_street_photo(drawn_shop)
        done = stylesearch("--home", ingested, "query", photo, "-e", "efficientnet-lite0@96")
        assert done.code == 1
        assert "efficientnet-lite0@320" in done.err


class TestTheRest:
    def test_products(self, stylesearch: Command, workspace: Path) -> None:
        listed = stylesearch("--home", workspace, "products", "list", "--json").json
        assert len(listed) == 24
        first = listed[0]["id"]
        page = stylesearch(
            "--home", workspace, "products", "list", "--after", first, "--limit", 2, "--json"
        ).json
        assert [product["id"] for product in page] == [product["id"] for product in listed[1:3]]
        shown = stylesearch("--home", workspace, "products", "show", first)
        assert first in shown.out
        assert listed[0]["title"] in shown.out
        assert stylesearch("--home", workspace, "products", "remove", first, "no-such").code == 1
        assert len(stylesearch("--home", workspace, "products", "list", "--json").json) == 24
        assert stylesearch("--home", workspace, "products", "remove", first).code == 0
        assert stylesearch("--home", workspace, "products", "show", first).code == 1

    def test_index(self, stylesearch: Command, workspace: Path) -> None:
        rows = stylesearch("--home", workspace, "index", "status", "--json").json
        assert sum(row["n_indexed"] for row in rows) == 24
        assert {row["state"] for row in rows} == {"ready"}
        assert stylesearch("--home", workspace, "index", "verify").code == 0
        assert stylesearch("--home", workspace, "index", "build").code == 0

    def test_the_hint_of_index_verify_mends_what_it_found(
        self, stylesearch: Command, workspace: Path
    ) -> None:
        raw = ["-s", "raw", "-e", "efficientnet-lite0@320+texture+colors"]
        assert stylesearch("--home", workspace, "index", "build", *raw).code == 0
        for manifest in (workspace / "indexes").rglob("manifest.json"):
            manifest.write_text("{")
        done = stylesearch("--home", workspace, "index", "verify", *raw)
        assert done.code == 3
        command = re.search(r"`stylesearch (.*)` rebuilds them", done.out)
        assert command is not None
        assert command[1] == (
            f"index build --home {workspace} --extractor efficientnet-lite0@320+texture+colors --space raw"
        )
        assert stylesearch(*command[1].split()).code == 0
        assert stylesearch("--home", workspace, "index", "verify", *raw).code == 0

    def test_db(self, stylesearch: Command, workspace: Path) -> None:
        current = stylesearch("--home", workspace, "db", "current", "--json").json
        assert current["current"] == current["needed"]
        assert stylesearch("--home", workspace, "db", "check").code == 0
        assert stylesearch("--home", workspace, "db", "upgrade").code == 0

    def test_extractors_has_the_fixed_shape(self, stylesearch: Command) -> None:
        listed = stylesearch("extractors", "--json").json
        assert {"name", "layer", "dim", "parameters", "input_size", "weights"} <= set(listed[0])
        table = {one["name"]: (one["dim"], one["parameters"]) for one in listed}
        assert table["vgg16"] == (4096, 117_479_232)
        assert table["resnet50"] == (2048, 23_587_712)
        shown = stylesearch("extractors")
        assert "23,587,712" in shown.out
        for text in (shown.out + shown.err, stylesearch("extractors", "--help").out):
            assert f"The default is {Settings().extractor}." in " ".join(text.split())

    def test_doctor(self, stylesearch: Command, ingested: Path) -> None:
        done = stylesearch("--home", ingested, "doctor")
        assert done.code == 0, done.out
        assert "24 products" in done.out
        findings = stylesearch("--home", ingested, "doctor", "--json").json
        assert {"check", "state", "detail", "hint"} == set(findings[0])

    def test_demo(self, stylesearch: Command, tmp_path: Path) -> None:
        done = stylesearch("demo", tmp_path / "shop", "--products", 3, "--seed", 2, "--json")
        assert done.code == 0, done.err
        assert done.json["products"] == 3
        refused = stylesearch("demo", tmp_path / "shop", "--products", 3)
        assert refused.code == 1
        assert stylesearch("demo", tmp_path / "shop", "--products", 4, "--overwrite").code == 0

    def test_a_traceback_is_shown_only_when_asked_for(self, stylesearch: Command, tmp_path: Path) -> None:
        arguments = ["--home", tmp_path, "products", "show", "none"]
        assert "Traceback" not in stylesearch(*arguments).err
        assert "Traceback" in stylesearch(*arguments, "-v").err
        assert "Traceback" not in stylesearch(*arguments).err, "an earlier call's -v is remembered"

    def test_a_wrong_setting_is_an_error(
        self, stylesearch: Command, ingested: Path, drawn_shop: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("STYLESEARCH_SPACE", "whitend")
        done = stylesearch("--home", ingested, "query", a_street_photo(drawn_shop))
        assert done.code == 1
        assert "Did you mean 'whitened'" in done.err


class TestErrorsAsJson:
    """With ``--json`` the last line of stderr is the error, and nothing but results is on stdout."""

    def error_of(self, done: Any) -> Any:
        assert done.out == ""
        return json.loads(done.err.splitlines()[-1])["error"]

    def test_an_error_of_the_library(self, stylesearch: Command, ingested: Path) -> None:
        done = stylesearch("--home", ingested, "products", "show", "none", "--json")
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert self.error_of(done) == {
            "type": "NotInCatalog",
            "message": "the catalog has no product 'none'",
            "hint": f"`stylesearch --home {ingested} products list` shows all",
        }

    def test_a_hint_names_the_workspace_only_where_a_flag_did(
        self, stylesearch: Command, ingested: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("STYLESEARCH_HOME", str(ingested))
        done = stylesearch("products", "show", "none", "--json")
        assert self.error_of(done)["hint"] == "`stylesearch products list` shows all"

    @pytest.mark.parametrize(
        ("arguments", "message", "hint"),
        [
            (
                ["--json", "qury"],
                "No such command 'qury'. Did you mean 'query'?",
                "stylesearch --help",
            ),
            (
                ["query", "--json"],
                "give one or more photos, or --product ID (not both)",
                "stylesearch query --help",
            ),
            (
                ["query", "--catgory", "x", "--json"],
                "No such option '--catgory'. Did you mean '--category'?",
                "stylesearch query --help",
            ),
        ],
    )
    def test_wrong_usage(self, stylesearch: Command, arguments: list[str], message: str, hint: str) -> None:
        done = stylesearch(*arguments)
        assert done.code == 2
        assert self.error_of(done) == {"type": "UsageError", "message": message, "hint": hint}

    def test_what_the_system_refuses_and_an_interruption(
        self, stylesearch: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for error, code, expected in (
            (
                PermissionError(13, "Permission denied", "/shop"),
                1,
                {"type": "PermissionError", "message": "/shop: Permission denied", "hint": ""},
            ),
            (KeyboardInterrupt(), 130, {"type": "Interrupted", "message": "interrupted", "hint": ""}),
        ):
            TestFailures().fail_with(monkeypatch, error)
            done = stylesearch("--home", tmp_path, "products", "list", "--json")
            assert done.code == code
            assert self.error_of(done) == expected

    def test_one_of_several_photos(self, stylesearch: Command, ingested: Path, drawn_shop: Path) -> None:
        done = stylesearch("--home", ingested, "query", a_street_photo(drawn_shop), "none.jpg", "--json")
        assert done.code == 3
        assert [len(json.loads(line)["hits"]) for line in done.out.splitlines()] == [20, 0]
        error = json.loads(done.err)["error"]
        assert (error["type"], error["message"]) == (
            "ImageError",
            "none.jpg cannot be read: No such file or directory",
        )

    def test_a_photo_that_is_called_as_the_option_is_a_photo(
        self, stylesearch: Command, ingested: Path
    ) -> None:
        done = stylesearch("--home", ingested, "query", "--", "--json")
        assert done.err.startswith("error: --json cannot be read: ")


class TestUnknownNames:
    @pytest.mark.parametrize(
        ("arguments", "suggestion"),
        [
            (["serach"], None),
            (["querry"], "query"),
            (["ingst"], "ingest"),
            (["index", "stats"], "status"),
            (["products", "shw"], "show"),
            (["query", "--categry", "x"], "--category"),
        ],
    )
    def test_the_nearest_one_is_suggested(
        self, stylesearch: Command, arguments: list[str], suggestion: str | None
    ) -> None:
        done = stylesearch(*arguments)
        assert done.code == 2
        last = done.err.splitlines()[-1]
        assert last.startswith("Error: No such ")
        assert last.endswith(f"Did you mean '{suggestion}'?" if suggestion else f"'{arguments[0]}'.")


class TestFailures:
    def fail_with(self, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
        def products(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(Workspace, "products", products)

    def test_what_the_system_refuses_is_a_message(
        self, stylesearch: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.fail_with(monkeypatch, OSError(28, "No space left on device", "/shop/catalog.db"))
        done = stylesearch("--home", tmp_path, "products", "list")
        assert done.code == 1
        assert done.err == (
            "error: /shop/catalog.db: No space left on device\nhint: free some space on that disk\n"
        )
        assert "Traceback" in stylesearch("--home", tmp_path, "-v", "products", "list").err

    def test_a_full_folder_for_temporary_files_is_blamed_on_that(
        self, stylesearch: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        hint = "free some space there, or set TMPDIR to a folder on another disk"
        part = str(tmp_path / "part")
        none = "No usable temporary directory found in ['/tmp', '/var/tmp']"
        for error, said in (
            (OSError(28, "No space left on device", part), f"{part}: No space left on device"),
            (FileNotFoundError(2, none), f"temporary files cannot be written: {none}"),
        ):
            self.fail_with(monkeypatch, error)
            done = stylesearch("--home", tmp_path, "products", "list")
            assert done.code == 1
            assert done.err == f"error: {said}\nhint: {hint}\n"

    def test_a_pipe_that_is_not_stdout_is_no_silent_success(
        self, stylesearch: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.fail_with(monkeypatch, BrokenPipeError(32, "Broken pipe"))
        done = stylesearch("--home", tmp_path, "products", "list")
        assert (done.code, done.err) == (1, "error: Broken pipe\n")

    @pytest.mark.parametrize("bug", [EOFError("cut short"), RuntimeError("a bug")])
    def test_a_bug_is_raised(
        self, stylesearch: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: Exception
    ) -> None:
        self.fail_with(monkeypatch, bug)
        with pytest.raises(type(bug)):
            stylesearch("--home", tmp_path, "products", "list")

    def test_an_interruption_is_130(
        self, stylesearch: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.fail_with(monkeypatch, KeyboardInterrupt())
        done = stylesearch("--home", tmp_path, "products", "list")
        assert done.code == 130
        assert done.err.strip() == "interrupted"

    @pytest.mark.parametrize("unbuffered", ["", "1"])
    @pytest.mark.parametrize("arguments", [["products", "list"], ["--help"]])
    def test_a_reader_that_goes_away_is_no_failure(
        self, ingested: Path, arguments: list[str], unbuffered: str
    ) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        try:
            done = subprocess.run(
                [sys.executable, "-c", "from stylesearch.cli import main; main()", *arguments],
                stdout=writer,
                stderr=subprocess.PIPE,
                env={**os.environ, "STYLESEARCH_HOME": str(ingested), "PYTHONUNBUFFERED": unbuffered},
                text=True,
                timeout=60,
            )
        finally:
            os.close(writer)
        assert (done.returncode, done.stderr) == (0, "")
