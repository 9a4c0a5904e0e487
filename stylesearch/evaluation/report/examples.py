"""Sections on single queries: examples of right and wrong matches, confusions, and the hardest queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stylesearch.array_types import Doubles, Ints
from stylesearch.evaluation.report.chart_selection import best_of_each_kind, ranking_key
from stylesearch.evaluation.report.context import ReportContext
from stylesearch.evaluation.report.page import Block, Card, Heading, Paragraph, Section, Sheet
from stylesearch.evaluation.results import Run, Study, StudyImage
from stylesearch.images.contact_sheet import SheetEntry
from stylesearch.images.regions import PERSON_PLAN, REGION_PLANS, WHOLE, WITHOUT_PERSON
from stylesearch.types import Box

__all__ = [
    "Examples",
    "choose_examples",
    "count_confusions",
    "errors",
    "examples",
    "hardest_queries",
    "nearest_region",
]

_N_EXAMPLES = 3
_N_SHOWN = 10
_N_HARDEST = 10
_MAX_K = 20


@dataclass(frozen=True, slots=True)
class Examples:
    """Examples of queries, as places in ``queries.images``.

    Attributes:
        found: drawn from the queries whose product is among the first k; in the order of their ranks.
        missed: drawn from all others.
        n_found, n_missed: number of queries of each kind in the study.
    """

    found: list[int]
    missed: list[int]
    n_found: int
    n_missed: int


def choose_examples(study: Study, run: Run, k: int, n: int) -> Examples:
    """Draws up to ``n`` found and ``n`` missed queries at random, with the study's seed.

    It draws from the categories in turn.
    """
    ranks = run.columns.ranks
    found, missed = np.flatnonzero(ranks <= k), np.flatnonzero(ranks > k)
    rng = np.random.default_rng(study.settings.seed)
    chosen = []
    for places in (found, missed):
        drawn = rng.permutation(places).tolist()
        categories = [study.queries.images[place].category for place in drawn]
        seen: dict[str, int] = {}
        turns = []
        for category in categories:
            turns.append(seen.setdefault(category, 0))
            seen[category] += 1
        in_turn = sorted(range(len(drawn)), key=lambda number: turns[number])
        chosen.append(sorted((drawn[number] for number in in_turn[:n]), key=lambda place: ranks[place]))
    return Examples(chosen[0], chosen[1], len(found), len(missed))


def hardest_queries(runs: Mapping[str, Run], n: int) -> list[int]:
    """Finds the queries that all methods together rank worst, by the geometric mean of the ranks.

    Queries that every method ranks first are never among them.

    Args:
        runs: one run for each method.
        n: largest number of queries.
    """
    logarithms: Doubles = np.mean([np.log(run.columns.ranks) for run in runs.values()], axis=0)
    order = np.argsort(-logarithms, kind="stable")[:n]
    return [place for place in order.tolist() if logarithms[place] > 0]


def count_confusions(study: Study, run: Run) -> tuple[list[str], Ints]:
    """Counts the categories of the first hits, by category of the query.

    Returns:
        names of categories, those of queries first; and int64 (queried categories, 1 + names): the number of
        queries that found the right product first, then the numbers of those that found a wrong one of each
        category. A query without an answer from the indexes is not counted.
    """
    queried = sorted(study.queries.categories)
    answered = [
        (query, study.gallery.images[image])
        for query, image in zip(study.queries.images, run.columns.hit_images[:, 0].tolist(), strict=True)
        if image >= 0
    ]
    names = queried + sorted({first.category for _, first in answered} - set(queried))
    counts = np.zeros((len(queried), 1 + len(names)), np.int64)
    for query, first in answered:
        column = 0 if first.product == query.product else 1 + names.index(first.category)
        counts[queried.index(query.category), column] += 1
    return names, counts


def nearest_region(study: Study, run: Run, place: int, size: tuple[int, int]) -> list[Box]:
    """Returns the box on a query in which the nearest product was found; none if it was searched whole.

    None also where persons were found: a study does not keep in which queries, nor where.

    Args:
        study, run: the study and the run.
        place: place of the query in ``queries.images``.
        size: width and height of the upright photo in pixels.
    """
    regions = study.settings.regions
    if regions == "box":
        box = study.queries.images[place].box
        return [] if box is None else [box]
    region = int(run.columns.hit_regions[place, 0])
    if region < 0 or _has_persons(study):
        return []
    nearest = REGION_PLANS[WITHOUT_PERSON if regions == PERSON_PLAN else regions][region]
    return [] if nearest == WHOLE else [nearest.of(*size)]


def _has_persons(study: Study) -> bool:
    """Whether persons were looked for, and found in some query."""
    return study.settings.regions == PERSON_PLAN and study.queries.n_with_person != 0


def examples(context: ReportContext) -> Section:
    """Section with right and wrong matches among the first k (the 2018 study's Figure 10)."""
    study = context.study
    k = min(_MAX_K, max(study.settings.ks), study.settings.n_hits)
    run = _best_run(context)
    drawn = choose_examples(study, run, k, _N_EXAMPLES)
    beyond = "; where the index did not answer with it, it is not shown" if study.settings.index else ""
    nearest = "" if _has_persons(study) else "on it the part that was nearest, "
    text = (
        f"{run.label}, the best of this study. Drawn at random with the seed {study.settings.seed}, not "
        f"picked (the 2018 study's Figure 10). Each sheet: the query, {nearest}and "
        f"the {_N_SHOWN} nearest products; green and ticked: the right one. Where that comes later, it "
        f"stands last, with its rank{beyond}."
    )
    blocks: list[Block] = [Paragraph(text, "faint")]
    for heading, places, total in (
        (f"Found among the first {k}", drawn.found, drawn.n_found),
        (f"Not among the first {k}", drawn.missed, drawn.n_missed),
    ):
        blocks.append(Heading(f"{heading}: {total:,} of {study.queries.n_queries:,} queries"))
        blocks += [_sheet(context, run, place) for place in places]
        if not places:
            blocks.append(Paragraph("None."))
    return Section("examples", "Examples", blocks, context.search_note)


def errors(context: ReportContext) -> Section:
    """Section on confused categories, and on the queries that all methods find hardest."""
    from stylesearch.evaluation.report.charts.plots import category_confusion

    blocks: list[Block] = []
    for run in best_of_each_kind(context.study):
        names, counts = count_confusions(context.study, run)
        right = counts[:, 0].sum() / max(1, counts.sum())
        blocks.append(
            context.chart(
                category_confusion(names, counts),
                "confusion",
                f"What came first with {run.label}, in percent of each category's queries (how many stand in "
                "brackets). First column: the right product. The others: a wrong product of that category; "
                "framed: of the right category.",
                f"Table of shares: the right product came first for {100 * right:.0f} % of all queries",
            )
        )
    hardest = hardest_queries(context.best_runs, _N_HARDEST)
    text = (
        "By the geometric mean of the right product's rank over all methods, each with its best metric. "
        f"What came first: with {_best_run(context).label}."
    )
    blocks += [Heading("The hardest queries"), Paragraph(text, "faint")]
    blocks += [_hard_query(context, number, place) for number, place in enumerate(hardest, 1)]
    if not hardest:
        blocks.append(Paragraph("None: every method ranks every right product first."))
    return Section("errors", "Where errors go", blocks, context.search_note)


def _best_run(context: ReportContext) -> Run:
    return max(context.best_runs.values(), key=lambda run: ranking_key(run, context.k))


def _sheet(context: ReportContext, run: Run, place: int) -> Sheet | Paragraph:
    """Makes a contact sheet of a query and its first hits, or a line that says why there is none."""
    study = context.study
    query = study.queries.images[place]
    columns = run.columns
    entries: list[SheetEntry] = []
    for place_of_hit, (image, distance) in enumerate(
        zip(columns.hit_images[place].tolist(), columns.hit_distances[place].tolist(), strict=True), 1
    ):
        if image >= 0 and len(entries) < _N_SHOWN:
            shown = study.gallery.images[image]
            entries.append(_entry(shown, place_of_hit, distance, shown.product == query.product))
    rank = float(columns.ranks[place])
    n_searched = _n_searched(context, run, place)
    comes = f"is not among the first {n_searched:,}" if n_searched else f"comes {_ordinal(rank)}"
    if not any(entry.right for entry in entries) and not n_searched:
        right = study.gallery.images[int(columns.right_image[place])]
        entries[_N_SHOWN - 1 :] = [_entry(right, round(rank), float(columns.right_distance[place]), True)]
    path = context.images.sheet(
        query,
        entries,
        f"sheet-{place:05}",
        title=query.title or query.product,
        subtitle=f"{query.category}; {run.label}; the right product {comes}",
        outline=lambda size: nearest_region(study, run, place, size),
    )
    if path is None:
        return Paragraph(f"The query {query.path} can no longer be read.")
    alt = (
        f"A photo of {query.title or query.product} ({query.category}) and the nearest products; the right "
        f"one {comes}"
    )
    return Sheet(path, alt)


def _entry(image: StudyImage, rank: int, distance: float, right: bool) -> SheetEntry:
    return SheetEntry(
        image.path,
        rank,
        image.title,
        category=image.category,
        distance=None if np.isnan(distance) else distance,
        product_id=image.product,
        right=right,
    )


def _hard_query(context: ReportContext, number: int, place: int) -> Card:
    """Makes a card of a query, its right product, the wrong one that came first, and all methods' ranks."""
    study = context.study
    query = study.queries.images[place]
    run = _best_run(context)
    right = study.gallery.images[int(run.columns.right_image[place])]
    shown = [("query", query, ""), ("right product", right, "")]
    first = int(run.columns.hit_images[place, 0])
    if first >= 0 and study.gallery.images[first].product != query.product:
        wrong = study.gallery.images[first]
        shown.append(("came first", wrong, f": {wrong.title or wrong.product}"))
    thumbnails = [
        context.images.thumbnail(
            image, alt=f"{what}: {image.title or image.product}, {image.category}", caption=what + more
        )
        for what, image, more in shown
    ]
    ranks = ", ".join(f"{one.label}: {_rank(context, one, place)}" for one in context.best_runs.values())
    return Card(
        f"{number}. {query.title or query.product} ({query.category})",
        thumbnails,
        f"Rank of the right product among {study.gallery.n_products:,}: {ranks}.",
    )


def _n_searched(context: ReportContext, run: Run, place: int) -> int:
    """Number of products that an index was asked for, where the right one was not among them; else 0."""
    settings = context.study.settings
    if not settings.index or run.columns.n_nearer[place] < context.study.gallery.n_products:
        return 0
    return min(max(*settings.ks, settings.n_hits), context.study.gallery.n_products)


def _rank(context: ReportContext, run: Run, place: int) -> str:
    n_searched = _n_searched(context, run, place)
    return f"not among the first {n_searched:,}" if n_searched else f"{run.columns.ranks[place]:g}"


def _ordinal(rank: float) -> str:
    """Writes a rank as ``1st``, ``12th``; a shared one as ``at 2.5``.

    Example:
        >>> _ordinal(22.0), _ordinal(11.0), _ordinal(2.5)
        ('22nd', '11th', 'at 2.5, sharing its place')
    """
    if rank != int(rank):
        return f"at {rank:g}, sharing its place"
    n = int(rank)
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n:,}{ending}"
