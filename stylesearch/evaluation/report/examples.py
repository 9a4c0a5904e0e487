"""Sections to look at rather than to read figures from: examples, errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stylesearch.array_types import Doubles, Ints
from stylesearch.evaluation.report.context import Context, ranking_key
from stylesearch.evaluation.report.html import Html, Section, element, joined
from stylesearch.evaluation.results import Picture, Run, Study
from stylesearch.images.contact_sheet import SheetEntry
from stylesearch.images.regions import REGION_PLANS
from stylesearch.types import Box

__all__ = [
    "Examples",
    "choose_examples",
    "confusions",
    "errors",
    "examples",
    "hardest_queries",
    "outlined_box",
]

# Single queries to look at: some that were found, some that were not, and the hardest of all.


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


N_EXAMPLES = 3
N_SHOWN = 10
N_HARDEST = 10


def examples(context: Context) -> Section:
    """Right and wrong matches among the first k, the right product framed (the seed's Figure 10)."""
    study = context.study
    k = min(20, max(study.settings.ks), study.settings.n_hits)
    run = _best_of_all(context)
    chosen = choose_examples(study, run, k, N_EXAMPLES)
    beyond = "; where the index did not answer with it, it is not shown" if study.settings.index else ""
    parts: list[Html] = [
        element(
            "p",
            f"{run.label}, the best of this study. Drawn at random with the seed {study.settings.seed}, not "
            f"picked (the seed's Figure 10). Each sheet: the query, on it the part that was nearest, and "
            f"the {N_SHOWN} nearest products; green and ticked: the right one. Where that comes later, it "
            f"stands last, with its rank{beyond}. {context.searched}",
            class_="faint",
        )
    ]
    for heading, places, total in (
        (f"Found among the first {k}", chosen.found, chosen.n_found),
        (f"Not among the first {k}", chosen.missed, chosen.n_missed),
    ):
        parts.append(element("h3", f"{heading}: {total:,} of {study.queries.n_queries:,} queries"))
        if not places:
            parts.append(element("p", "None."))
        parts += [_sheet(context, run, place) for place in places]
    return Section("examples", "Examples", joined(parts))


def errors(context: Context) -> Section:
    """Which categories are confused, and the queries that all methods find hardest."""
    from stylesearch.evaluation.report.charts.plots import category_confusion

    study = context.study
    parts: list[Html] = []
    for run in _worth_a_confusion(context):
        names, counts = confusions(study, run)
        right = counts[:, 0].sum() / max(1, counts.sum())
        parts.append(
            context.chart(
                category_confusion(names, counts),
                "confusion",
                f"What came first with {run.label}, in percent of each category's queries (how many stand in "
                "brackets). First column: the right product. The others: a wrong product of that category; "
                f"framed: of the right category. {context.searched}",
                f"Table of shares: the right product came first for {100 * right:.0f} % of all queries",
            )
        )
    hardest = hardest_queries(context.best, N_HARDEST)
    parts.append(element("h3", "The hardest queries"))
    parts.append(
        element(
            "p",
            "By the geometric mean of the right product's rank over all methods, each with its best metric. "
            f"What came first: with {_best_of_all(context).label}. {context.searched}",
            class_="faint",
        )
    )
    parts += [_hard_query(context, number, place) for number, place in enumerate(hardest, 1)]
    if not hardest:
        parts.append(element("p", "None: every method ranks every right product first."))
    return Section("errors", "Where errors go", joined(parts))


def _best_of_all(context: Context) -> Run:
    return max(context.best.values(), key=lambda run: ranking_key(run, context.k))


def _worth_a_confusion(context: Context) -> list[Run]:
    """The best run, and the best of the other kind of method, if there is one."""
    from stylesearch.evaluation.report.context import is_white_box

    best: dict[bool, Run] = {}
    for label, run in sorted(context.best.items(), key=lambda item: ranking_key(item[1], context.k)):
        best[is_white_box(context.study, label)] = run
    return sorted(best.values(), key=lambda run: ranking_key(run, context.k), reverse=True)


def _sheet(context: Context, run: Run, place: int) -> Html:
    study = context.study
    query = study.queries.pictures[place]
    columns = run.columns
    entries: list[SheetEntry] = []
    for place_of_hit, (image, distance) in enumerate(
        zip(columns.hit_images[place].tolist(), columns.hit_distances[place].tolist(), strict=True), 1
    ):
        if image >= 0 and len(entries) < N_SHOWN:
            picture = study.gallery.pictures[image]
            entries.append(_entry(picture, place_of_hit, distance, picture.product == query.product))
    rank = float(columns.ranks[place])
    n_searched = _n_searched(context, run, place)
    comes = f"is not among the first {n_searched:,}" if n_searched else f"comes {_ordinal(rank)}"
    if not any(entry.right for entry in entries) and not n_searched:
        right = study.gallery.pictures[int(columns.right_image[place])]
        entries[N_SHOWN - 1 :] = [_entry(right, round(rank), float(columns.right_distance[place]), True)]
    path = context.pictures.sheet(
        query,
        entries,
        f"sheet-{place:05}",
        title=query.title or query.product,
        subtitle=f"{query.category}; {run.label}; the right product {comes}",
        outlined=lambda size: outlined_box(study, run, place, size),
    )
    if path is None:
        return element("p", f"The query {query.path} can no longer be read.")
    alt = (
        f"A photo of {query.title or query.product} ({query.category}) and the nearest products; the right "
        f"one {comes}"
    )
    image = element("img", src=path, alt=alt, loading="lazy")
    return element(
        "div", element("a", image, href=path), class_="scroll", tabindex="0", role="region", aria_label=alt
    )


def _entry(picture: Picture, rank: int, distance: float, right: bool) -> SheetEntry:
    return SheetEntry(
        picture.path,
        rank,
        picture.title,
        category=picture.category,
        distance=None if np.isnan(distance) else distance,
        product_id=picture.product,
        right=right,
    )


def _hard_query(context: Context, number: int, place: int) -> Html:
    study = context.study
    query = study.queries.pictures[place]
    run = _best_of_all(context)
    right = study.gallery.pictures[int(run.columns.right_image[place])]
    shown = [("query", query, ""), ("right product", right, "")]
    first = int(run.columns.hit_images[place, 0])
    if first >= 0 and study.gallery.pictures[first].product != query.product:
        wrong = study.gallery.pictures[first]
        shown.append(("came first", wrong, f": {wrong.title or wrong.product}"))
    thumbnails = [
        element(
            "figure",
            context.pictures.thumbnail(
                picture, f"{what}: {picture.title or picture.product}, {picture.category}"
            ),
            element("figcaption", what + more),
        )
        for what, picture, more in shown
    ]
    ranks = ", ".join(f"{one.label}: {_rank(context, one, place)}" for one in context.best.values())
    return element(
        "div",
        element("h3", f"{number}. {query.title or query.product} ({query.category})"),
        element("div", *thumbnails, class_="thumbs"),
        element(
            "p", f"Rank of the right product among {study.gallery.n_products:,}: {ranks}.", class_="faint"
        ),
        class_="card",
    )


def _n_searched(context: Context, run: Run, place: int) -> int:
    """How many products an index was asked for, where the right one was not among them; 0 elsewhere."""
    settings = context.study.settings
    if not settings.index or run.columns.n_nearer[place] < context.study.gallery.n_products:
        return 0
    return min(max(*settings.ks, settings.n_hits), context.study.gallery.n_products)


def _rank(context: Context, run: Run, place: int) -> str:
    n_searched = _n_searched(context, run, place)
    return f"not among the first {n_searched:,}" if n_searched else f"{run.columns.ranks[place]:g}"


def _ordinal(rank: float) -> str:
    """``1st``, ``12th``; a shared place as it is: ``at 2.5``.

    Example:
        >>> _ordinal(22.0), _ordinal(11.0), _ordinal(2.5)
        ('22nd', '11th', 'at 2.5, sharing its place')
    """
    if rank != int(rank):
        return f"at {rank:g}, sharing its place"
    n = int(rank)
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n:,}{ending}"
