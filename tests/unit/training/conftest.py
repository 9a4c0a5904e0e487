"""A small problem with a right answer, and training runs in processes of their own."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("toy_run.py")
ROOT = Path(__file__).parents[3]

RunToy = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def toy() -> ModuleType:
    """The module ``toy_run``."""
    spec = importlib.util.spec_from_file_location("toy_run", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def run_toy() -> RunToy:
    """Trains on the toy problem in a process of its own: ``run_toy(folder, **settings)``."""

    def run(folder: Path, **settings: Any) -> subprocess.CompletedProcess[str]:
        folder.mkdir(exist_ok=True)
        return subprocess.run(
            [sys.executable, str(SCRIPT), str(folder), json.dumps(settings)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    return run
