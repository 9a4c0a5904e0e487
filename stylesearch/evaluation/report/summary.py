"""Sections on the study as a whole: result, differences, data, published results and baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stylesearch.evaluation.report.chart_selection import ranking_key
from stylesearch.evaluation.report.context import ReportContext
from stylesearch.evaluation.report.page import Block, Details, FileLinks, ItemList, Paragraph, Section, Table
from stylesearch.evaluation.results import Difference, Scores
from stylesearch.evaluation.results_files import (
    change_row,
    compared_in,
    notes,
    percent,
    points,
    short_percent,
)

__all__ = [
    "PUBLISHED",
    "PublishedResult",
    "baseline",
    "counts",
    "differences",
    "introduction",
    "published_results",
    "result",
    "settings_and_data",
]


@dataclass(frozen=True, slots=True)
class PublishedResult:
    """A published result, on other data than the study's.

    Attributes:
        source: authors and publication.
        method: method of the authors.
        data: data set.
        searched: queries and gallery.
        top: percent of queries whose product was among the first k, by k.
    """

    source: str
    method: str
    data: str
    searched: str
    top: dict[int, float]


_SUBSET: Final = "DeepFashion, a subset"
_SKIRTS: Final = "consumer photos of skirts, in shop pictures of the subset"
_C2S: Final = "DeepFashion consumer-to-shop"
_ALL: Final = (
    "consumer photos of all categories; the gallery is the shop pictures of test, or of val and test"
)

PUBLISHED: Final = (
    PublishedResult("the 2018 study", "ResNet50 features", _SUBSET, _SKIRTS, {20: 17.75}),
    PublishedResult("the 2018 study", "ResNet50 features, Siamese network", _SUBSET, _SKIRTS, {20: 26.0}),
    PublishedResult("arXiv 1908.11754", "GRNet", _C2S, _ALL, {1: 25.7, 20: 64.4, 50: 75.0}),
    PublishedResult(
        "published code", "ResNet50 with crops to the box", _C2S, _ALL, {1: 27.6, 20: 64.5, 50: 74.9}
    ),
    PublishedResult(
        "DeepFashion2",
        "the data set's baseline",
        "DeepFashion2",
        "detected boxes of consumer photos, in shop pictures",
        {1: 19.2, 5: 34.5, 10: 43.5, 20: 52.4},
    ),
)
"""Percent, as published; where a source does not say what was searched, the row says so."""


def introduction(context: ReportContext) -> list[Block]:
    """Paragraphs with the main result, and with notes for readers of any figure."""
    study, k = context.study, context.k
    best = max(study.runs, key=lambda run: ranking_key(run, k))
    found = best.micro.values[context.score]
    where = f"among the first {k}" if k > 1 else "first"
    share, low, high = (f"{100 * value:.0f}" for value in (found.value, found.low, found.high))
    lead = (
        f"{best.method} with {best.metric} ranks the right product {where} for {share}\u00a0% of "
        f"{study.queries.n_queries:,} queries ({low} to {high}\u00a0%), among {study.gallery.n_products:,} "
        f"products. It is the best of {len(study.runs)} combinations of method and metric, so a part of its "
        "lead may be luck."
    )
    return [Paragraph(lead, "lead"), ItemList(notes(study), "faint")]


def result(context: ReportContext) -> Section:
    """Section with curves of the methods, and a table of all runs."""
    from stylesearch.evaluation.report.charts.plots import Series, top_k_curves

    study = context.study
    series = [
        Series(run.label, run, context.color_numbers[label])
        for label, run in sorted(
            context.best_runs.items(), key=lambda item: -ranking_key(item[1], context.k)[0]
        )
    ]
    chart = context.chart(
        top_k_curves(series, study.settings, study.gallery.n_products),
        "top-k",
        "Top-k accuracy: how many queries have the right product among the first k. Of each method the "
        f"metric with the highest {context.score}. Bands: "
        f"{100 * study.settings.confidence:g} % bootstrap intervals over queries; dashed: what chance finds.",
        "Curves of the top-k accuracy over k: " + _scores_in_words(context),
    )
    names = list(study.settings.score_names)
    recall = [f"ANN recall@{study.settings.n_hits}"] if study.settings.index else []
    rows = []
    for run in study.runs:
        extra = [short_percent(run.ann_recall)] if run.ann_recall else []
        rows.append([run.method, run.metric, *_figures(run.micro, names), *extra])
    strong = [number for number, run in enumerate(study.runs) if run in context.best_runs.values()]
    overall = Table(
        f"All queries alike (micro), percent. Bold: each method's best metric by {context.score}.",
        ["method", "metric", *names, *recall],
        rows,
        n_labels=2,
        strong=strong,
    )
    macro = Table(
        "Mean of the categories (macro), percent.",
        ["method", "metric", *names],
        [[run.method, run.metric, *_figures(run.macro, names)] for run in study.runs],
        n_labels=2,
        strong=strong,
    )
    return Section("result", "Result", [chart, overall, macro], context.search_note)


def differences(context: ReportContext) -> Section:
    """Section on the methods that differ by more than noise."""
    study = context.study
    labels = [run.label for run in context.best_runs.values()]
    shown = [
        one
        for one in study.differences
        if one.average == "micro" and one.score == context.score and {one.first, one.second} <= set(labels)
    ]
    if not shown:
        nothing = Paragraph("One method: nothing to compare it with.")
        return Section("differences", "Is it more than noise?", [nothing])
    alpha = 1 - study.settings.confidence
    table = Table(
        f"{context.score}, first minus second on the same queries, in percent points; each method with its "
        "best metric. p: paired bootstrap, two-sided, adjusted by Holm's method for all pairs of runs in the "
        "study.",
        ["first", "second", "difference", "p", "p adjusted", f"at {100 * alpha:.0f} %"],
        [_difference_row(one, alpha) for one in shown],
        n_labels=2,
    )
    return Section("differences", "Is it more than noise?", [table], context.search_note)


def counts(context: ReportContext) -> Section:
    """Section on the number of images of each category (the 2018 study's Figure 2)."""
    from stylesearch.evaluation.report.charts.plots import image_counts

    study = context.study
    catalog, queries, gallery = study.catalog, study.queries, study.gallery
    chart = context.chart(
        image_counts(catalog),
        "pictures",
        "Consumer photos and shop pictures of each category in the whole catalog, searched or not (the "
        f"2018 study's Figure 2): {catalog.n_consumer_images:,} consumer photos and "
        f"{catalog.n_shop_images:,} shop pictures of {catalog.n_products:,} products.",
        "Bars: "
        + "; ".join(
            f"{one.category} {one.n_consumer_images} consumer photos, {one.n_shop_images} shop pictures"
            for one in catalog.categories
        ),
    )
    rows = [
        [
            one.category,
            f"{one.n_products:,}",
            f"{one.n_consumer_images:,}",
            f"{one.n_shop_images:,}",
            f"{queries.categories.get(one.category, 0):,}",
            f"{gallery.categories.get(one.category, 0):,}",
        ]
        for one in catalog.categories
    ]
    searched = Table(
        "The catalog, and what of it was searched.",
        ["category", "products", "consumer photos", "shop pictures", "queries", "gallery"],
        rows,
    )
    left_out = [
        Details(f"{one.n:,} queries left out: {one.reason}", ItemList(one.examples))
        for one in queries.left_out
    ]
    return Section("pictures", "What was searched", [chart, searched, *left_out], context.search_note)


def _figures(scores: Scores, names: list[str]) -> list[str]:
    return [percent(scores.values[name]) for name in names]


def _scores_in_words(context: ReportContext) -> str:
    return "; ".join(
        f"{run.label} {100 * run.micro.values[context.score].value:.0f} % at k = {context.k}"
        for run in context.best_runs.values()
    )


def _difference_row(one: Difference, alpha: float) -> list[str]:
    estimate = one.estimate
    verdict = (
        "noise"
        if one.p_adjusted >= alpha
        else "first is better"
        if estimate.value > 0
        else "second is better"
    )
    return [one.first, one.second, points(estimate), f"{one.p_value:.4f}", f"{one.p_adjusted:.4f}", verdict]


def published_results(context: ReportContext) -> Section:
    """Section with published results, on other data."""
    ks = sorted({k for one in PUBLISHED for k in one.top})
    rows = [
        [
            one.source,
            one.method,
            one.data,
            one.searched,
            *(f"{one.top[k]:g}" if k in one.top else "" for k in ks),
        ]
        for one in PUBLISHED
    ]
    table = Table(
        "OTHER DATA: published top-k accuracies, percent. Other pictures, other galleries of other sizes, "
        "often trained methods: they say how hard the task is, not which program is better. What was "
        "searched stands in its column; this study, which is not in the table, searched in "
        f"{context.study.gallery.description}.",
        ["source", "method", "data", "searched", *(f"top-{k}" for k in ks)],
        rows,
        n_labels=4,
        wraps=True,
    )
    note = Paragraph(
        "The 7.18 that mmfashion prints as top-5 is a recall (right hits over all right ones), not a top-k "
        "accuracy, and is not in the table.",
        "faint",
    )
    return Section("published", "Published results, on other data", [note, table])


def baseline(context: ReportContext) -> Section | None:
    """Section with the changes since an older study, if there is one."""
    comparison = context.comparison
    if comparison is None:
        return None
    counted: dict[str, int] = {}
    for one in comparison.changes:
        counted[one.verdict] = counted.get(one.verdict, 0) + 1
    totals = ", ".join(f"{n:,} {verdict}" for verdict, n in sorted(counted.items()))
    rows = [change_row(one) for one in comparison.changes]
    strong = [number for number, one in enumerate(comparison.changes) if one.verdict in ("rose", "fell")]
    table = Table(
        f"Percent. {compared_in(context.study, comparison)} Figures: {totals}.",
        ["method", "metric", "of", "score", "before", "now", "change", "verdict"],
        rows,
        n_labels=4,
        strong=strong,
    )
    return Section("baseline", "Against the baseline", [ItemList(comparison.notes, "faint"), table])


def settings_and_data(context: ReportContext) -> Section:
    """Section with the settings and data that decide the figures, for repeating the study."""
    study = context.study
    settings = study.settings
    rows = [
        ["queries", settings.queries],
        ["gallery", settings.gallery],
        ["split", settings.split or "all"],
        ["gallery's split", settings.gallery_split or "all"],
        ["regions", settings.regions],
        ["seed", str(settings.seed)],
        ["resamples", f"{settings.n_resamples:,}"],
        ["digest of the queries", study.queries.digest[:16]],
        ["digest of the gallery", study.gallery.digest[:16]],
        *([f"fingerprint of {one.label}", one.fingerprint[:16]] for one in study.methods),
    ]
    files = FileLinks("The same as data:", ["results.json", "results.csv", "results.md"])
    table = Table("What decides the figures.", ["setting", "value"], rows, n_labels=2)
    return Section("settings", "Settings and data", [files, table], context.search_note)
