"""A damaged catalog is told by every command in the same words, and by no traceback."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

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
