"""Work that is shared among cores: all of it, once, and never a wait for oneself."""

import multiprocessing
import sys
import time

import numpy as np
import pytest

from stylesearch import parallel
from stylesearch.parallel import parallel_rows, usable_cores


@pytest.mark.parametrize("n_rows", [1, 5, 1000])
def test_every_row_is_given_out_once(n_rows, monkeypatch):
    monkeypatch.setattr(parallel, "usable_cores", lambda: 3)
    seen = np.zeros(n_rows, int)

    def work(start, stop):
        seen[start:stop] += 1

    parallel_rows(work, n_rows, 10**8)
    assert (seen == 1).all()


def test_a_part_that_shares_its_own_work_does_not_wait_for_itself():
    def part(start, stop):
        parallel_rows(lambda first, last: None, 1000, 10**6)

    parallel_rows(part, 1000, 10**6)


def test_an_error_in_a_part_waits_for_the_others():
    ended = []

    def part(start, stop):
        if start == 0:
            raise RuntimeError("the first fails at once")
        time.sleep(0.2)
        ended.append(start)

    with pytest.raises(RuntimeError):
        parallel_rows(part, 1000, 10**6)
    assert len(ended) == min(usable_cores(), 1000) - 1


def test_a_forked_process_shares_work_too():
    parallel_rows(lambda start, stop: None, 1000, 10**6)
    child = multiprocessing.get_context("fork").Process(
        target=parallel_rows, args=(lambda start, stop: None, 1000, 10**6)
    )
    child.start()
    child.join(20)
    assert child.exitcode == 0


def test_a_process_can_be_told_to_use_fewer_cores() -> None:
    before = parallel.usable_cores()
    try:
        parallel.limit_cores(1)
        assert parallel.usable_cores() == 1
        parallel.limit_cores(10_000)
        assert parallel.usable_cores() == before, "there are no more than there are"
        with pytest.raises(ValueError, match="needs a core"):
            parallel.limit_cores(0)
    finally:
        parallel.limit_cores(None)
    assert parallel.usable_cores() == before


def test_the_last_block_of_quick_switches_brings_the_usual_ones_back():
    usual = sys.getswitchinterval()
    outer, inner = parallel.quick_switches(), parallel.quick_switches()
    with outer:
        quick = sys.getswitchinterval()
        assert quick < usual
        inner.__enter__()
    assert sys.getswitchinterval() == quick, "one is still under way"
    with pytest.raises(ValueError, match="inside"):
        inner.gen.throw(ValueError("inside"))
    assert sys.getswitchinterval() == usual
