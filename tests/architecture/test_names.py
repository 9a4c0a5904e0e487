"""Names of functions: a verb or a noun, never a bare participle (``join_reports``, not ``joined``)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IRREGULAR = {
    "built",
    "chosen",
    "drawn",
    "found",
    "given",
    "kept",
    "known",
    "made",
    "said",
    "shown",
    "taken",
    "told",
}
NO_PARTICIPLES = {"embed", "feed", "need", "seed", "shed", "speed"}


def bare_participles(tree: ast.AST) -> list[str]:
    """Names of functions that are one participle; properties are adjectives, and may be."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        name = node.name.strip("_")
        is_participle = name in IRREGULAR or re.fullmatch(r"[a-z]+ed", name)
        is_property = any("property" in ast.unparse(one) for one in node.decorator_list)
        if is_participle and name not in NO_PARTICIPLES and not is_property:
            found.append(node.name)
    return found


def test_no_function_is_called_by_a_bare_participle() -> None:
    sources = [
        path
        for folder in ("stylesearch", "cli", "benchmarks", "campaigns")
        for path in (ROOT / folder).rglob("*.py")
    ]
    assert len(sources) > 250
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources
        for name in bare_participles(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("def joined(): ...", ["joined"]),
        ("async def _kept(): ...", ["_kept"]),
        ("class A:\n    @property\n    def damaged(self): ...", []),
        ("def join_reports(): ...\ndef read_listed(): ...\ndef embed(): ...", []),
    ],
)
def test_the_rule_tells_participles_from_other_names(code: str, found: list[str]) -> None:
    assert bare_participles(ast.parse(code)) == found
