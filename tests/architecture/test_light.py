"""What must load nothing heavy: importing the package, and every help text."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ["tensorflow", "keras", "openvino", "sqlalchemy", "alembic", "annoy", "PIL", "fastapi", "uvicorn"]
PROBE = """
import sys
{code}
loaded = [name for name in {heavy!r} if name in sys.modules]
sys.exit(f"loaded: {{loaded}}" if loaded else 0)
"""


def run_probe(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROBE.format(code=code, heavy=HEAVY)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_importing_the_package_loads_nothing_heavy() -> None:
    probe = run_probe("import stylesearch; dir(stylesearch)")
    assert probe.returncode == 0, probe.stderr


def test_the_probe_notices_a_heavy_import() -> None:
    assert "PIL" in run_probe("import PIL").stderr


@pytest.mark.parametrize(
    "command",
    [
        "",
        "ingest",
        "query",
        "serve",
        "products",
        "products list",
        "index",
        "index build",
        "db",
        "db upgrade",
        "db backup",
        "db restore",
        "db export",
        "extractors",
        "demo",
        "doctor",
        "eval",
        "train",
        "models",
        "models show",
        "weights",
        "weights fetch",
    ],
)
def test_help_loads_nothing_heavy(command: str) -> None:
    code = f"""
from stylesearch.cli.main import cli
try:
    cli({[*command.split(), "--help"]!r})
except SystemExit as end:
    assert end.code == 0, end.code
"""
    probe = run_probe(code)
    assert probe.returncode == 0, probe.stderr
    assert "Usage:" in probe.stdout
