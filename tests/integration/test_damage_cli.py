"""A damaged catalog is told by every command in the same words, and by no traceback."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import stylesearch as ss
from stylesearch.errors import CatalogLocked
from stylesearch.workspace.check import check_workspace
from tests.integration.conftest import Command
from tests.integration.damages import FILE_DAMAGES, ROW_DAMAGES, SCHEMA_DAMAGES, damage
from tests.integration.tiny_shop import ingest_tiny_shop

SAID = "the catalog is damaged: "

READING = {
    "products list": ["products", "list"],
    "products list, filtered": ["products", "list", "--attribute", "fabric=silk", "--max-price", "50"],
    "products show": ["products", "show", "dress-red"],
    "products export": ["products", "export"],
    "products duplicates": ["products", "duplicates"],
    "categories list": ["categories", "list"],
    "categories map": ["categories", "map"],
    "sources list": ["sources", "list"],
    "query": ["query", "{source}/street.jpg"],
    "index status": ["index", "status"],
    "index verify": ["index", "verify"],
    "doctor": ["doctor"],
    "db check": ["db", "check"],
}
"""Commands that change nothing."""

WRITING = {
    "ingest": ["ingest", "{source}/products.csv"],
    "ingest, pruning": ["ingest", "{source}/products.csv", "--prune", "--force"],
    "ingest, dry run": ["ingest", "{source}/products.csv", "--dry-run"],
    "categories rename": ["categories", "rename", "dress", "gown"],
    "sources rename": ["sources", "rename", "{source}/products.csv", "other"],
    "sources remove": ["sources", "remove", "{source}/products.csv", "--yes"],
    "products remove": ["products", "remove", "dress-red"],
    "index build": ["index", "build"],
    "db upgrade": ["db", "upgrade"],
    "db check, repairing": ["db", "check", "--repair"],
}

READS_ALL = {"db check"}
"""Commands that tell every damage."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    ingest_tiny_shop(folder)
    return folder


def tell(stylesearch: Command, home: Path, source: Path, name: str, command: list[str]) -> int:
    """Runs a command; fails unless it works, or says what is damaged."""
    done = stylesearch("--home", home, *(part.format(source=source) for part in command))
    assert "Traceback" not in done.err, f"{command}: {done.err}"
    assert done.code in (0, 1, 3), f"{command} after {name}: {done.code} {done.err}"
    if name == "another width of vectors" and "have the same fingerprint" in done.err:
        return done.code  # no extractor makes such: it may be a mistake in one, too
    if done.code == 1 and command[0] not in ("doctor", "db"):
        assert f"error: {SAID}" in done.err, f"{command} after {name}: {done.err}"
        assert "hint: " in done.err
        assert "backup" in done.err
    return done.code


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize("name", [*ROW_DAMAGES, *SCHEMA_DAMAGES, *FILE_DAMAGES])
def test_every_command_works_or_tells_the_damage(
    stylesearch: Command, shop: Path, tmp_path: Path, name: str
) -> None:
    home = tmp_path / "home"
    shutil.copytree(shop / "home", home)
    damage(home, name)
    for told, command in READING.items():
        code = tell(stylesearch, home, shop / "source", name, command)
        if told in READS_ALL or name in FILE_DAMAGES:
            assert code == 1, f"{told} does not tell {name}"
    for number, command in enumerate(WRITING.values()):
        copy = tmp_path / str(number)
        shutil.copytree(shop / "home", copy)
        damage(copy, name)
        tell(stylesearch, copy, shop / "source", name, command)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a title that is no UTF-8", "a file cut in half", "no table of products"])
def test_a_process_of_its_own_tells_it_too(shop: Path, tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    shutil.copytree(shop / "home", home)
    damage(home, name)
    program = [sys.executable, "-c", "from stylesearch.cli.main import main; main()", "--home", str(home)]
    command = [*program, "--json", "products", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert error["type"] == "CatalogDamaged"
    assert error["message"].startswith(SAID)
    assert "db check" in error["hint"] or "backup" in error["hint"]


def test_check_names_the_product_repairs_it_and_says_so(
    stylesearch: Command, shop: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(shop / "home", home)
    assert stylesearch("--home", home, "db", "check").code == 0
    damage(home, "a flipped bit of a vector")
    told = stylesearch("--home", home, "db", "check")
    assert told.code == 1
    assert "PROBLEM vectors, with their checksums: 7 vectors, 7 wrong" in told.out
    assert "(product dress-red)" in told.out
    assert (
        "-> --repair drops the vector: the next ingest of its source, or PUT of its product, computes it anew"
        in told.out
    )
    assert told.out.splitlines()[-1] == (
        f"7 problems; `stylesearch db check --repair --home {home}` mends what can be"
    )
    mended = stylesearch("--home", home, "--json", "db", "check", "--repair")
    (vectors,) = [one for one in mended.json if one["check"] == "vectors, with their checksums"]
    assert (vectors["checked"], vectors["problems"], vectors["repaired"]) == (0, 0, 7)
    assert mended.code == 0
    again = stylesearch("--home", home, "ingest", shop / "source" / "products.csv")
    assert again.code == 0
    assert stylesearch("--home", home, "query", shop / "source" / "street.jpg").code == 0
    whole = stylesearch("--home", home, "db", "check")
    assert (whole.code, "ok      vectors, with their checksums: 7 vectors" in whole.out) == (0, True)
    assert whole.out.splitlines()[-1] == "nothing is wrong"


def test_check_tells_damaged_indexes_and_builds_them_anew(
    stylesearch: Command, shop: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(shop / "home", home)
    (manifest, *_) = sorted((home / "indexes").rglob("manifest.json"))
    (ids := manifest.with_name("ids.npy")).unlink()
    shown = stylesearch("--home", home, "index", "verify")
    assert (shown.code, f"{ids} cannot be read: No such file or directory\n" in shown.err) == (3, True)
    manifest.write_text("{")
    told = stylesearch("--home", home, "db", "check")
    assert told.code == 1
    assert "PROBLEM indexes and fits: " in told.out
    assert stylesearch("--home", home, "db", "check", "--repair").code == 0
    with ss.open(home) as shop:
        assert {row.state for row in shop.indexes.status()} == {"ready"}


def test_a_damaged_model_hides_no_other_finding(stylesearch: Command, shop: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(shop / "home", home)
    (home / "models" / "own").mkdir(parents=True)
    (home / "models" / "own" / "model.json").write_text("{")
    (manifest, *_) = sorted((home / "indexes").rglob("manifest.json"))
    manifest.write_text("{")
    told = stylesearch("--home", home, "--json", "db", "check")
    assert told.code == 1
    found = {one["check"]: one for one in told.json if one["problems"]}
    assert found.keys() == {"trained models", "indexes and fits"}
    assert "the model 'own'" in found["trained models"]["listed"][0]["what"]
    mended = stylesearch("--home", home, "--json", "db", "check", "--repair")
    assert mended.code == 1
    assert [one["check"] for one in mended.json if one["problems"]] == ["trained models"]
    assert [one["repaired"] for one in mended.json if one["check"] == "indexes and fits"] == [1]


def test_a_repair_looks_while_nobody_else_writes(shop: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(shop / "home", home)
    with ss.open(home, lock_timeout=0) as opened, opened.catalog.writing():
        assert not any(one.n_problems for one in check_workspace(opened.settings))
        with pytest.raises(CatalogLocked):
            check_workspace(opened.settings, repair=True)


def test_a_repair_goes_on_beyond_what_one_check_keeps(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(shop / "home", home)
    damage(home, "a flipped bit of a vector")
    monkeypatch.setattr("stylesearch.catalog.check.findings.KEPT", 3)
    with ss.open(home) as opened:
        found = {one.check: one for one in check_workspace(opened.settings, repair=True)}
    vectors = found["vectors, with their checksums"]
    assert (vectors.n_checked, vectors.n_problems, vectors.n_repaired) == (0, 0, 7)


def test_check_of_no_catalog_and_of_an_older_one_says_what_to_do(
    stylesearch: Command, tmp_path: Path
) -> None:
    done = stylesearch("--home", tmp_path, "db", "check")
    assert (done.code, "there is no catalog" in done.err) == (1, True)
