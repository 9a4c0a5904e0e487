"""docs/architecture.md names files that exist, and every package."""

from __future__ import annotations

import re
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
