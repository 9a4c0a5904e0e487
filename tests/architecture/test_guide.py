"""docs/architecture.md names files that exist, and every package."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_files_that_the_guide_names_exist() -> None:
    named = re.findall(r"`((?:stylesearch|cli|benchmarks|tests)/[\w/.]+)`", GUIDE)
    assert len(named) > 20
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing


def test_every_package_has_its_line() -> None:
    packages = [path.parent.name for path in (ROOT / "stylesearch").glob("*/__init__.py")]
    missing = [name for name in packages if f"`{name}/`" not in GUIDE]
    assert not missing


def test_the_picture_of_the_layers_is_that_of_the_contract() -> None:
    picture = (ROOT / "docs" / "layers.svg").read_text(encoding="utf-8")
    rows = re.findall(r'font-weight="600"[^>]*>([^<]+)</text>', picture)
    shown = [{name.strip().rstrip("/") for name in row.split("·")} for row in rows]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = next(one["layers"] for one in contracts["contracts"] if one["id"] == "layers")
    assert shown == [{"cli"}, *({name.strip() for name in layer.split("|")} for layer in layers)]
