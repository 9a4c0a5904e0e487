"""The result, the differences that are more than noise, and what was searched."""

from __future__ import annotations

from stylesearch.evaluation.leading import ranking_key
from stylesearch.evaluation.pages.context import Context
from stylesearch.evaluation.pages.document import Section
from stylesearch.evaluation.pages.html import Html, element, joined, paragraphs, table
from stylesearch.evaluation.results import Difference, Run, Scores
from stylesearch.evaluation.tables import notes, percent, points, short_percent

__all__ = ["counts", "differences", "introduction", "result"]


def introduction(context: Context) -> Html:
    """The main finding in a sentence, and what a reader of any figure has to know."""
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
    said = [element("li", note) for note in notes(study)]
    return joined([element("p", lead, class_="lead"), element("ul", *said, class_="faint")])


def result(context: Context) -> Section:
    """Curves of the methods, and all runs in one table."""
    from stylesearch.evaluation.charts.curves import top_k_curves
    from stylesearch.evaluation.charts.dots import Series

    study = context.study
    series = [
        Series(run.label, run, context.numbers[label])
        for label, run in sorted(context.best.items(), key=lambda item: -ranking_key(item[1], context.k)[0])
    ]
    chart = context.chart(
        top_k_curves(series, study.settings, study.gallery.n_products),
        "top-k",
        "Top-k accuracy: how many queries have the right product among the first k. Of each method the "
        f"metric with the highest {context.score}. {context.searched} Bands: "
        f"{100 * study.settings.confidence:g} % bootstrap intervals over queries; dashed: what chance finds.",
        "Curves of the top-k accuracy over k: " + _in_words(context),
    )
    names = list(study.settings.score_names)
    recall = [f"ANN recall@{study.settings.n_hits}"] if study.settings.index else []
    rows = []
    for run in study.runs:
        extra = [short_percent(run.ann_recall)] if run.ann_recall else []
        rows.append([run.method, run.metric, *_figures(run.micro, names), *extra])
    leading = [number for number, run in enumerate(study.runs) if run in context.best.values()]
    overall = table(
        f"All queries alike (micro), percent. {context.searched} Bold: each method's best metric by "
        f"{context.score}.",
        ["method", "metric", *names, *recall],
        rows,
        n_labels=2,
        strong=leading,
    )
    macro = table(
        f"Mean of the categories (macro), percent. {context.searched}",
        ["method", "metric", *names],
        [[run.method, run.metric, *_figures(run.macro, names)] for run in study.runs],
        n_labels=2,
        strong=leading,
    )
    return Section("result", "Result", joined([chart, overall, macro]))


def differences(context: Context) -> Section:
    """Which methods differ by more than noise."""
    study = context.study
    labels = [run.label for run in context.best.values()]
    shown = [
        one
        for one in study.differences
        if one.average == "micro" and one.score == context.score and {one.first, one.second} <= set(labels)
    ]
    if not shown:
        return Section(
            "differences", "Is it more than noise?", paragraphs(["One method: nothing to compare it with."])
        )
    alpha = 1 - study.settings.confidence
    body = table(
        f"{context.score}, first minus second on the same queries, in percent points; each method with its "
        "best metric. p: paired bootstrap, two-sided, adjusted by Holm's method for all pairs of runs in the "
        f"study. {context.searched}",
        ["first", "second", "difference", "p", "p adjusted", f"at {100 * alpha:.0f} %"],
        [_difference_row(one, alpha) for one in shown],
        n_labels=2,
    )
    return Section("differences", "Is it more than noise?", body)


def counts(context: Context) -> Section:
    """How many pictures there are of each category (the seed's Figure 2)."""
    from stylesearch.evaluation.charts.counts import picture_counts

    study = context.study
    catalog, queries, gallery = study.catalog, study.queries, study.gallery
    chart = context.chart(
        picture_counts(catalog),
        "pictures",
        "Consumer photos and shop pictures of each category in the whole catalog, searched or not (the "
        f"seed's Figure 2): {catalog.n_consumer_images:,} consumer photos and {catalog.n_shop_images:,} shop "
        f"pictures of {catalog.n_products:,} products. {context.searched}",
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
    searched = table(
        f"The catalog, and what of it was searched. {context.searched}",
        ["category", "products", "consumer photos", "shop pictures", "queries", "gallery"],
        rows,
    )
    left_out = [
        element(
            "details",
            element("summary", f"{one.n:,} queries left out: {one.reason}"),
            element("ul", *(element("li", example) for example in one.examples)),
        )
        for one in queries.left_out
    ]
    return Section("pictures", "What was searched", joined([chart, searched, *left_out]))


def _figures(scores: Scores, names: list[str]) -> list[str]:
    return [percent(scores.values[name]) for name in names]


def _in_words(context: Context) -> str:
    def said(run: Run) -> str:
        return f"{run.label} {100 * run.micro.values[context.score].value:.0f} % at k = {context.k}"

    return "; ".join(said(run) for run in context.best.values())


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
