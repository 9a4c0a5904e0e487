"""The whole command, in little, on the CPU: every section has its figures."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.nightly]  # a minute and a half of TensorFlow

ROOT = Path(__file__).parents[3]
LITTLE = {
    "BENCH_NETWORKS": "efficientnet-lite0@64",
    "BENCH_BATCHES": "1,2",
    "BENCH_PICTURES": "6",
    "BENCH_PRODUCTS": "40",
    "CUDA_VISIBLE_DEVICES": "-1",
}


def run(path, **environment):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", "gpu"],
        cwd=ROOT,
        env=os.environ | LITTLE | {"BENCH_OUT": str(path)} | environment,
        capture_output=True,
        text=True,
    )


def test_every_section_has_its_figures(tmp_path):
    done = run(tmp_path / "out.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sees no GPU" in done.stdout
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["state"] == "done"
    assert {entry["state"] for entry in found["sections"].values()} == {"done"}
    results = {name: entry["result"] for name, entry in found["sections"].items()}
    assert results["machine"]["measured on"] == "CPU"
    vectors = results["vectors of efficientnet-lite0@64"]
    assert vectors["float32"]["equal"]
    assert vectors["mixed_float16"]["least cosine"] > 0.999
    for rates in results["speed of efficientnet-lite0@64"]["pictures_per_second"].values():
        assert list(rates) == ["1", "2"]
        assert min(rates.values()) > 0
    assert all(results["whitebox"][size]["equal"] for size in ("64", "128"))
    for precision in ("float32", "mixed_float16"):
        assert results[f"ingest with efficientnet-lite0@64+colors, {precision}"]["pictures_per_second"] > 0
    assert results["training on 40 products"]["step_s"] > 0


def test_what_fails_is_told_and_the_rest_is_measured(tmp_path):
    done = run(tmp_path / "out.json", BENCH_NETWORKS="no-network@64")
    assert done.returncode == 1, done.stdout + done.stderr
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["state"] == "failed"
    assert found["sections"]["vectors of no-network@64"]["error"] == {
        "type": "KeyError",
        "message": "'no-network'",
    }
    assert {found["sections"][name]["state"] for name in ("whitebox", "training on 40 products")} == {"done"}
