"""Levers on accuracy, each against the default, on the three tests of ``benchmarks.photo_tests``.

Where a lever has a value to choose (a weight, a width), the products are cut in halves: the value that is
best on one half, over all tests, is reported on the other, and both ways together. So each photo counts once,
with a value chosen on other products. Intervals are drawn by product.

Environment: ``BENCH_PRODUCTS`` (drawn products, 300), ``BENCH_PHOTOS`` (at most so many of their photos),
``BENCH_DRAWN`` (a folder that ``stylesearch demo`` drew: its first products are taken), ``BENCH_FOLDER``
(where pictures and features are kept for the next run; else a temporary folder), ``BENCH_LEVERS`` (names of
levers, separated by semicolons; all), ``STYLESEARCH_TEST_DATA`` (real photos).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.lever_cases import Case
from benchmarks.lever_costs import N_PHOTOS, print_costs
from benchmarks.lever_features import Kept
from benchmarks.lever_table import LEVERS, Lever
from benchmarks.lever_vectors import resampled_gain
from benchmarks.measuring import print_table
from benchmarks.photo_tests import PhotoTest, in_other_light, photo_tests

__all__ = ["cross_chosen", "main"]

TOP = (1, 5, 20)
Doubles = npt.NDArray[np.float64]
Ranks = Mapping[str, Doubles]
"""Of the right products, for each test."""


def main() -> None:
    """Prints what each lever brings and costs."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(os.environ.get("BENCH_FOLDER", temporary))
        tests = _tests(folder)
        cases = [
            Case(name, test, Kept(folder / "features"), [one for one in tests.values() if one is not test])
            for name, test in tests.items()
        ]
        for name, test in tests.items():
            print(
                f"- {name}: {len(test.photos)} photos of {len(set(test.right))} products in a gallery of "
                f"{len(test.gallery)} pictures of {len(set(test.products))}"
            )
        print()
        default = {case.name: case.ranks(case.default_distances()) for case in cases}
        headings = ["lever", "value", *(f"{case.name}: top {k}, %" for case in cases for k in TOP)]
        print_table(headings, [["default", "", *_scores(cases, default, None)]])
        details: list[list[str]] = []
        for lever in _choose_levers():
            found = {
                value: {case.name: measure(case) for case in cases} for value, measure in lever.values.items()
            }
            each = [[lever.name, value, *_scores(cases, ranks, default)] for value, ranks in found.items()]
            if not lever.chosen:
                _print_rows(each)
                continue
            ranks, values = cross_chosen(found, {case.name: case.half for case in cases})
            _print_rows([[lever.name, f"chosen: {' / '.join(values)}", *_scores(cases, ranks, default)]])
            details += each
        print("\nEvery value of the levers whose value was chosen, on all products:\n")
        print_table(headings, details)
        print()
        if "cut out" in tests:
            _print_other_light(in_other_light(tests["cut out"], folder / "other-light"), cases[0].kept)
        if N_PHOTOS:
            print_costs(cases)


def _print_other_light(test: PhotoTest, kept: Kept) -> None:
    """Levers of colors once more, where photos have other colors than the shop's pictures."""
    case = Case("other light", test, kept, [])
    default = {case.name: case.ranks(case.default_distances())}
    rows = [["default", "", *_scores([case], default, None)]]
    for lever in _choose_levers():
        if lever.of_colors:
            for value, measure in lever.values.items():
                rows.append([lever.name, value, *_scores([case], {case.name: measure(case)}, default)])
    print("The photos that were cut out, each in light of another color and brightness:\n")
    print_table(["lever", "value", *(f"top {k}, %" for k in TOP)], rows)
    print()


def _print_rows(rows: Sequence[Sequence[str]]) -> None:
    """More rows of the table that was begun, as soon as they are known."""
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def cross_chosen(
    found: Mapping[str, Ranks], halves: Mapping[str, npt.NDArray[np.intp]]
) -> tuple[dict[str, Doubles], list[str]]:
    """Ranks with the value that is best on the other half of the products.

    Args:
        found: ranks of each test, for each value.
        halves: of each test, in which half each photo's product is, 0 or 1.

    Returns:
        Ranks of each test, and the value chosen for each half.
    """
    ranks = {name: np.empty(len(half)) for name, half in halves.items()}
    values = []
    for half in (0, 1):
        score = {
            value: np.mean([_mean_found(of_test[name][halves[name] != half]) for name in halves])
            for value, of_test in found.items()
        }
        values.append(max(score, key=lambda value: score[value]))
        for name in halves:
            reported = halves[name] == half
            ranks[name][reported] = found[values[-1]][name][reported]
    return ranks, values


def _mean_found(ranks: Doubles) -> float:
    return float(np.mean([(ranks < k).mean() for k in TOP]))


def _scores(cases: Sequence[Case], ranks: Ranks, default: Ranks | None) -> list[str]:
    """Percent found, with the gain over the default where there is one."""
    cells = []
    for case in cases:
        for k in TOP:
            found = 100.0 * (ranks[case.name] < k)
            if default is None:
                cells.append("{:.0f} [{:.0f}, {:.0f}]".format(*resampled_gain(found, case.test.right)))
                continue
            gained = found - 100.0 * (default[case.name] < k)
            gain = "{:+.1f} [{:+.1f}, {:+.1f}]".format(*resampled_gain(gained, case.test.right))
            cells.append(f"{found.mean():.0f}: {gain}")
    return cells


def _choose_levers() -> Sequence[Lever]:
    names = os.environ.get("BENCH_LEVERS")
    if not names:
        return LEVERS
    known = {lever.name: lever for lever in LEVERS}
    return [known[name] for name in names.split(";")]


def _tests(folder: Path) -> dict[str, PhotoTest]:
    n_products = int(os.environ.get("BENCH_PRODUCTS", "300"))
    drawn = os.environ.get("BENCH_DRAWN")
    tests = photo_tests(folder, n_products, None if drawn is None else Path(drawn))
    n_photos = int(os.environ.get("BENCH_PHOTOS", str(n_products)))
    one = tests["drawn"]
    return tests | {
        "drawn": PhotoTest(one.photos[:n_photos], one.right[:n_photos], one.gallery, one.products)
    }
