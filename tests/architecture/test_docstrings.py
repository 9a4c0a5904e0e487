"""Docstrings are Markdown: what Sphinx would read is shown as it stands on the pages of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOREIGN = {
    "a role of Sphinx": re.compile(r":[a-z]+:`"),
    "a literal block": re.compile(r"^(?!\s*#).*::[ ]*$", re.MULTILINE),
    "a table of reStructuredText": re.compile(r"^\s*=+ +=+", re.MULTILINE),
    "a directive": re.compile(r"^\s*\.\. \w+::", re.MULTILINE),
}


def test_docstrings_are_markdown() -> None:
    sources = [
        path
        for folder in ("stylesearch", "cli", "migrations", "benchmarks", "campaigns", "tests", ".ci")
        for path in (ROOT / folder).rglob("*.py")
        if path != Path(__file__)
    ]
    assert len(sources) > 400
    found = [
        f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {what}"
        for path in sources
        for text in [path.read_text(encoding="utf-8")]
        for what, form in FOREIGN.items()
        for match in form.finditer(text)
    ]
    assert not found, "\n".join(found)
