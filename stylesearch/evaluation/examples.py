"""Single queries to look at: some that were found, some that were not, and the hardest of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stylesearch.evaluation.results import Doubles, Ints, Run, Study
from stylesearch.images.regions import REGION_PLANS
from stylesearch.types import Box

__all__ = ["Examples", "choose_examples", "confusions", "hardest_queries", "outlined_box"]


@dataclass(frozen=True, slots=True)
class Examples:
    """Places of queries in ``queries.pictures``.

    Attributes:
        found: drawn from those whose product is among the first k; in the order of their ranks.
        missed: drawn from all others.
        n_found, n_missed: how many there are of each.
    """

    found: list[int]
    missed: list[int]
    n_found: int
    n_missed: int


def choose_examples(study: Study, run: Run, k: int, n: int) -> Examples:
    """Draws up to ``n`` of each kind, with the study's seed: not picked by anybody.

    While there are several categories, each drawn query is of another one.
    """
    ranks = run.columns.ranks
    found, missed = np.flatnonzero(ranks <= k), np.flatnonzero(ranks > k)
    rng = np.random.default_rng(study.settings.seed)
    chosen = []
    for places in (found, missed):
        drawn = rng.permutation(places).tolist()
        categories = [study.queries.pictures[place].category for place in drawn]
        seen: dict[str, int] = {}
        turns = []
        for category in categories:
            turns.append(seen.setdefault(category, 0))
            seen[category] += 1
        in_turn = sorted(range(len(drawn)), key=lambda number: turns[number])
        chosen.append(sorted((drawn[number] for number in in_turn[:n]), key=lambda place: ranks[place]))
    return Examples(chosen[0], chosen[1], len(found), len(missed))


def hardest_queries(runs: Mapping[str, Run], n: int) -> list[int]:
    """Places of the queries that all methods together rank worst: by the geometric mean of the ranks.

    Queries that every method ranks first are never among them.

    Args:
        runs: one a method.
        n: how many at most.
    """
    logarithms: Doubles = np.mean([np.log(run.columns.ranks) for run in runs.values()], axis=0)
    order = np.argsort(-logarithms, kind="stable")[:n]
    return [place for place in order.tolist() if logarithms[place] > 0]


def confusions(study: Study, run: Run) -> tuple[list[str], Ints]:
    """What came first, by category of the query.

    Returns:
        names of categories, those of queries first; and int64 (queried categories, 1 + names): how many
        queries found the right product first, then how many found a wrong one of each category. A query that
        the indexes answered with nothing counts nowhere.
    """
    queried = sorted(study.queries.categories)
    pictures = study.gallery.pictures
    answered = [
        (query, pictures[image])
        for query, image in zip(study.queries.pictures, run.columns.hit_images[:, 0].tolist(), strict=True)
        if image >= 0
    ]
    names = queried + sorted({first.category for _, first in answered} - set(queried))
    counts = np.zeros((len(queried), 1 + len(names)), np.int64)
    for query, first in answered:
        column = 0 if first.product == query.product else 1 + names.index(first.category)
        counts[queried.index(query.category), column] += 1
    return names, counts


def outlined_box(study: Study, run: Run, place: int, size: tuple[int, int]) -> list[Box]:
    """Where on a query the nearest product was found; nothing if it was looked at whole.

    Args:
        study, run: of the query.
        place: in ``queries.pictures``.
        size: width and height of the upright photo in pixels.
    """
    regions = study.settings.regions
    if regions == "box":
        box = study.queries.pictures[place].box
        return [] if box is None else [box]
    region = int(run.columns.hit_regions[place, 0])
    if region <= 0:  # the first of every plan is the whole photo
        return []
    return [REGION_PLANS[regions][region].of(*size)]
