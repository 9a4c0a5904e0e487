"""What a shell completes: commands, options, categories and ids of products."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import CompletionItem, ShellComplete

import stylesearch as ss
from stylesearch.cli.main import COMMANDS, cli
from tests.integration.tiny_shop import ingest_tiny_shop


def items(*words: object) -> list[CompletionItem]:
    *before, incomplete = map(str, words)
    return ShellComplete(cli, {}, "stylesearch", "_STYLESEARCH_COMPLETE").get_completions(before, incomplete)


def values(*words: object) -> list[str]:
    return [one.value for one in items(*words)]


@pytest.fixture(scope="module")
def rows(drawn_shop: Path) -> list[dict[str, str]]:
    with (drawn_shop / "products.csv").open() as file:
        return list(csv.DictReader(file))


def test_commands_and_their_options() -> None:
    assert values("") == list(COMMANDS)
    assert [(one.value, one.help) for one in items("qu")] == [("query", COMMANDS["query"][1])]
    assert values("index", "") == ["build", "status", "verify"]
    assert values("query", "--exp") == ["--expect", "--explain"]


def test_categories(ingested: Path, rows: list[dict[str, str]]) -> None:
    known = sorted({row["category"] for row in rows})
    assert values("query", "--home", ingested, "-c", "") == known
    assert values("--home", ingested, "products", "list", "--category", "DR") == ["dress"]
    assert values("--home", ingested, "query", "-c", "nothing") == []


def test_ids_of_products_with_their_titles(ingested: Path, rows: list[dict[str, str]]) -> None:
    dresses = {row["id"]: row["title"] for row in rows if row["id"].startswith("dress-")}
    found = {one.value: one.help for one in items("--home", ingested, "products", "show", "dress-")}
    assert found == dresses
    one = min(dresses)
    assert values("--home", ingested, "query", "--product", one[:-1])[0] == one


def test_photos_are_left_to_the_shell() -> None:
    for command in ("query", "detect"):
        assert [(one.value, one.type) for one in items(command, "shop/str")] == [("shop/str", "file")]


def test_without_a_catalog_nothing_is_completed(tmp_path: Path) -> None:
    assert values("--home", tmp_path / "none", "query", "-c", "") == []
    (tmp_path / "config.toml").write_text("space = [")
    assert values("--home", tmp_path, "query", "-c", "") == []
    assert values("--db", "no such database://", "query", "-c", "") == []


PROBE = """
import sys
from stylesearch.cli.main import main
try:
    main()
finally:
    heavy = {"tensorflow", "keras", "openvino", "cv2", "PIL", "fastapi"}
    print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


def test_bash_gets_categories_quickly_and_quoted(ingested: Path) -> None:
    words = f"stylesearch --home {ingested} query -c d"
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        env={
            **os.environ,
            "_STYLESEARCH_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "plain,dress\n"
    assert done.stderr == "[]\n"


def test_a_category_of_several_words_is_quoted_for_bash(monkeypatch: pytest.MonkeyPatch) -> None:
    from stylesearch.cli.completion import _items

    for shell, value in (("bash", "'Women > Dresses'"), ("zsh", "Women > Dresses")):
        monkeypatch.setenv("_STYLESEARCH_COMPLETE", f"{shell}_complete")
        assert [one.value for one in _items([("Women > Dresses", "")])] == [value]


def test_names_of_sources_and_categories_above_others(tmp_path: Path) -> None:
    home = ingest_tiny_shop(tmp_path)
    table = str(tmp_path / "source" / "products.csv")
    for command in (["sources", "remove"], ["sources", "rename"], ["ingest", "--source"]):
        assert values("--home", home, *command, table[:-6]) == [table]
    assert values("--home", home, "products", "list", "--source", "nothing") == []
    with ss.open(home) as shop:
        shop.categories.map({"dress": "Damen > Kleider > Lang", "skirt": "Damen > Röcke"})
    assert values("--home", home, "query", "-c", "damen") == [
        "Damen",
        "Damen > Kleider",
        "Damen > Kleider > Lang",
        "Damen > Röcke",
    ]
