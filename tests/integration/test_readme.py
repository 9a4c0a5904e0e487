"""The README's commands and code do what it says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import stylesearch as ss
from tests.integration.live_server import serving

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ stylesearch (.*?)(?:\s{2,}#.*)?$", README, re.MULTILINE)
SEARCH = re.search(r"^\$ curl -F image=@(\S+) -F k=(\d+) http://127.0.0.1:8000(\S+)$", README, re.MULTILINE)
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_commands_then_code(
    somewhere: Path, stylesearch: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    assert len(COMMANDS) >= 6
    assert "serve" in COMMANDS
    for command in COMMANDS:
        if command == "serve":  # it does not end by itself
            assert SEARCH is not None
            with ss.open() as shop, serving(shop) as client:
                photo = {"image": Path(SEARCH[1]).read_bytes()}
                answer = client.post(SEARCH[3], files=photo, data={"k": SEARCH[2]})
                assert len(answer.raise_for_status().json()["hits"]) == int(SEARCH[2])
                assert "<title>" in client.get("/").text
            continue
        outcome = stylesearch(*shlex.split(command))
        assert outcome.code == 0, f"{command}: {outcome.err}"
    assert (somewhere / "out.png").exists()
    assert (somewhere / ".stylesearch" / "catalog.db").exists()
    (somewhere / "out.png").unlink()

    assert len(BLOCKS) == 2
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), {})
    printed = capfd.readouterr().out
    assert "60 0 0" in printed
    assert (somewhere / "out.png").exists()


def test_what_make_offers_is_what_the_readme_says() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^    make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize(
    "page", sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]), ids=lambda p: p.name
)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        linked = page.parent / target
        assert linked.is_dir() or linked.is_file(), f"{page.name} links to {target}"
        assert linked.is_dir() or linked.stat().st_size, f"{page.name} links to {target}, which is empty"
