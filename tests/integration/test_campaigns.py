"""One trial of each campaign; ``make campaign`` runs thousands."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the service is an extra: pip install 'stylesearch[serve]'")

from campaigns import faults
from campaigns.__main__ import CAMPAIGNS, main
from campaigns.trials import read_outcomes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not faults.is_possible(), reason="needs Linux and a C compiler"),
]

NIGHTLY = {"kill", "errors", "disk", "tables", "load"}
"""Each is made of the parts that one of the others has; a trial of the load alone takes half a minute."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.nightly] * (name in NIGHTLY)) for name in CAMPAIGNS]
)
def test_a_trial_is_run_and_kept(name: str, tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    assert main([name, "--trials", "1", "--seed", "3", "--results", str(results)]) == 0
    (outcome,) = read_outcomes(results)
    assert (outcome.campaign, outcome.number, outcome.problem) == (name, 0, "")
    assert outcome.tried
