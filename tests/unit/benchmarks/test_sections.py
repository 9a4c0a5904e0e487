"""The sections of a long measurement: the budget, the JSON file, and what happens when one fails."""

import json
import math

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.sections import LEFT_OUT, Budget, Section, run_sections


class Clock:
    """Time that passes only when a section says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.json"


def taking(clock, name, seconds, **result):
    def run(budget):
        clock.now += seconds
        return result

    return Section(name, run)


def read(path):
    return json.loads(path.read_text())


def test_results_and_seconds_of_each_section_are_kept(clock, path):
    sections = [taking(clock, "a", 2, rate=7.5), taking(clock, "b", 3, rate=8)]
    assert run_sections(sections, path, Budget(10, clock)) == 0
    found = read(path)
    assert found["sections"] == {
        "a": {"state": "done", "seconds": 2, "result": {"rate": 7.5}},
        "b": {"state": "done", "seconds": 3, "result": {"rate": 8}},
    }
    assert (found["state"], found["seconds"], found["budget_s"]) == ("done", 5, 10)


def test_no_section_begins_once_the_budget_is_used_up(clock, path, capsys):
    sections = [taking(clock, "a", 9), taking(clock, "long", 4), taking(clock, "c", 1), taking(clock, "d", 1)]
    assert run_sections(sections, path, Budget(10, clock)) == 0
    states = {name: entry["state"] for name, entry in read(path)["sections"].items()}
    assert states == {"a": "done", "long": "done", "c": LEFT_OUT, "d": LEFT_OUT}
    assert f"c: {LEFT_OUT}" in capsys.readouterr().out


def test_a_section_sees_what_is_left(clock, path):
    seen = []
    sections = [taking(clock, "a", 4), Section("b", lambda budget: seen.append(budget.left) or {})]
    run_sections(sections, path, Budget(10, clock))
    assert seen == [6]


def test_a_failure_is_told_and_the_others_run(clock, path, capsys):
    def fail(budget):
        clock.now += 1
        raise ValueError("no such device")

    assert run_sections([Section("a", fail), taking(clock, "b", 2)], path, Budget(10, clock)) == 1
    found = read(path)
    assert found["sections"]["a"] == {
        "state": "failed",
        "seconds": 1,
        "error": {"type": "ValueError", "message": "no such device"},
    }
    assert found["sections"]["b"]["state"] == "done"
    assert found["state"] == "failed"
    assert "no such device" in capsys.readouterr().out


def test_a_run_that_is_cut_off_leaves_what_it_has(clock, path):
    during = []

    def interrupt(budget):
        during.append(read(path))
        raise KeyboardInterrupt

    sections = [taking(clock, "a", 1, rate=3), Section("b", interrupt), taking(clock, "c", 1)]
    with pytest.raises(KeyboardInterrupt):
        run_sections(sections, path, Budget(10, clock))
    assert during == [read(path)]
    states = {name: entry["state"] for name, entry in read(path)["sections"].items()}
    assert states == {"a": "done", "b": "running", "c": "not reached"}
    assert read(path)["state"] == "running"


def test_numbers_become_those_of_json(clock, path):
    result = {"one": np.float32(0.5), "list": (np.int64(3), math.inf), "nested": {"nan": np.nan, "yes": True}}
    run_sections([taking(clock, "a", 1, **result)], path, Budget(10, clock))
    kept = read(path)["sections"]["a"]["result"]
    assert kept == {"one": 0.5, "list": [3, None], "nested": {"nan": None, "yes": True}}


@pytest.mark.parametrize(("returned", "status"), [(0, 0), (2, 1), (None, 0)])
def test_the_command_fails_where_a_benchmark_does(monkeypatch, returned, status):
    monkeypatch.setattr("benchmarks.gpu.main", lambda: returned)
    assert main(["gpu"]) == status
