"""Targets of fuzzing take what they are for, and their seeds reach all of a reader."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from campaigns import fuzz_targets
from campaigns.fuzz import fuzz_with_mutations, main
from campaigns.fuzz_targets import TARGETS, Target
from campaigns.mutation import damage, mutate
from campaigns.trials import read_outcomes


@pytest.mark.parametrize("name", TARGETS)
def test_honest_inputs_and_some_mutations_pass(name: str) -> None:
    target, rng = TARGETS[name], random.Random(1)
    seeds = target.seeds()
    assert all(len(one) <= target.max_bytes for one in seeds)
    for one in seeds:
        target.run(one)
    target.run(b"")
    target.run(mutate(seeds[0], rng))


def test_seeds_of_weights_are_read_to_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from stylesearch.extractors import torch_legacy

    read: list[object] = []
    reader = torch_legacy.read_legacy_state_dict
    monkeypatch.setattr(torch_legacy, "read_legacy_state_dict", lambda path: read.append(reader(path)))
    monkeypatch.setattr(fuzz_targets.Conv2D, "set_weights", lambda self, arrays: read.append(arrays))
    for seed in TARGETS["weights"].seeds():
        TARGETS["weights"].run(seed)
    assert len(read) == 4


def test_damage_and_mutations_follow_from_the_random_numbers() -> None:
    data = bytes(range(256)) * 20
    made = [(damage(data, random.Random(seed)), mutate(data, random.Random(seed))) for seed in range(40)]
    assert made == [
        (damage(data, random.Random(seed)), mutate(data, random.Random(seed))) for seed in range(40)
    ]
    assert sum(damaged != data for (damaged, _), _ in made) == 40
    assert damage(b"", random.Random(1))[0] == b"\0"


@pytest.mark.slow
def test_some_seconds_of_fuzzing_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "results.jsonl"
    assert main(["model", "--minutes", "0.05", "--results", str(results)]) == 0
    (outcome,) = read_outcomes(results)
    assert outcome.campaign == "fuzz model"
    assert outcome.trials > 1
    assert "| fuzz model |" in capsys.readouterr().out


def test_mutations_end_at_a_finding_and_keep_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(data: bytes) -> None:
        if b"hello" not in data:
            raise KeyError("a reader's mistake")

    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "seed").write_bytes(b"hello")
    target = Target("toy", refuse, list, 100)
    with pytest.raises(KeyError, match="mistake"):
        fuzz_with_mutations(target, tmp_path, seed=1, minutes=1)
    assert b"hello" not in (tmp_path / "finding-last").read_bytes()
    assert re.fullmatch(r"#\d+\n", capsys.readouterr().out)


def test_memory_of_the_process_that_starts_the_fuzzing_is_not_counted() -> None:
    held = np.ones(25_000_000)  # 200 MB
    done = start("from campaigns import fuzz; fuzz.MAX_MEGABYTES = 190; fuzz._check_memory()")
    assert done.returncode == 0, done.stderr
    # It is noticed even after it was given back.
    done = start(
        "from campaigns import fuzz; import numpy as np; fuzz.MAX_MEGABYTES = 190\n"
        "np.ones(25_000_000)\n"
        "fuzz._check_memory()"
    )
    assert re.search(r"MemoryError: more than 190 MB: \d+$", done.stderr.strip())
    assert held.nbytes == 200_000_000


def start(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_an_input_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[bytes] = []
    monkeypatch.setitem(TARGETS, "model", Target("model", tried.append, list, 10))
    (tmp_path / "input").write_bytes(b"found")
    assert main(["model", "--input", str(tmp_path / "input")]) == 0
    assert tried == [b"found"]
