import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from stylesearch.features.stream import map_in_order


def test_results_are_in_the_order_of_the_items() -> None:
    def slow_when_even(number: int) -> int:
        time.sleep(0.004 * (number % 2 == 0))
        return number * number

    with ThreadPoolExecutor(4) as pool:
        assert list(map_in_order(pool, slow_when_even, range(40), window=8)) == [n * n for n in range(40)]


def test_no_more_is_taken_than_the_window_holds() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield number

    with ThreadPoolExecutor(2) as pool:
        results = map_in_order(pool, lambda number: number, items(), window=5)
        for n_read in range(1, 20):
            next(results)
            assert taken <= n_read + 5
        results.close()


def test_an_error_is_raised_in_its_place_and_the_rest_is_cancelled() -> None:
    ran: set[int] = set()
    gate = threading.Event()

    def fail_at_three(number: int) -> int:
        ran.add(number)
        if number == 3:
            raise ValueError("three")
        if number > 3:
            gate.wait(5)
        return number

    with ThreadPoolExecutor(1) as pool:
        results = map_in_order(pool, fail_at_three, range(100), window=10)
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="three"):
            next(results)
        gate.set()
    assert len(ran) <= 6
