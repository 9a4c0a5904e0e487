"""Sections on the methods: their extractors, their metrics, and their scores by category."""

from __future__ import annotations

from collections.abc import Iterable

from stylesearch.evaluation.report.chart_selection import STUDY2018_METRIC, is_white_box
from stylesearch.evaluation.report.context import ReportContext
from stylesearch.evaluation.report.page import Block, Chart, Details, Heading, Section, Table
from stylesearch.evaluation.results import Run
from stylesearch.evaluation.results_files import percent
from stylesearch.extractors.load import describe_extractors
from stylesearch.extractors.spec import ExtractorSpec
from stylesearch.models.card import is_trained

__all__ = ["by_category", "extractors", "metrics"]

_AVERAGES = ("macro", "micro")


def extractors(context: ReportContext) -> Section:
    """Section with a table of the extractors and spaces of the methods (the 2018 study's Table 1)."""
    described = {info.name: info for info in describe_extractors()}
    rows = []
    for method in context.study.methods:
        spec = ExtractorSpec.from_name(method.extractor, method.input_size)
        info = described.get(spec.name)
        layer = info.layer if info else "its own"
        rows.append(
            [
                method.label,
                layer + ", and texture" * spec.with_texture + ", and colors" * spec.with_colors,
                f"{method.feature_dim:,}",
                f"{info.parameters:,}" if info else "not known",
                f"{method.input_size} × {method.input_size}",
                method.space,
                f"{method.dim:,}",
            ]
        )
    table = Table(
        "What makes the vectors (the 2018 study's Table 1, with the input size and the space). Layer: where "
        "the network is cut; parameters: learned ones up to that layer.",
        ["method", "layer", "width", "parameters", "input", "space", "width in it"],
        rows,
        n_labels=2,
    )
    return Section("extractors", "Extractors", [table], context.search_note)


def metrics(context: ReportContext) -> Section:
    """Section with charts of every method with each metric, by category (white-box: Figure 6 of 2018)."""
    study = context.study
    order = sorted(study.settings.methods, key=lambda label: not is_white_box(study, label))
    metric_names = list(study.settings.metrics)
    blocks: list[Block] = []
    for label in order:
        runs = [run for run in study.runs if run.method == label]
        note = " (the 2018 study's Figure 6)" if is_white_box(study, label) else ""
        with_metrics = _enumerate_words([run.metric for run in runs])
        caption = f"{label} with {with_metrics}{note}. {context.interval_note}"
        series = [(run.metric, run, metric_names.index(run.metric)) for run in runs]
        blocks.append(Heading(label))
        blocks.append(_dot_chart(context, series, f"metrics-{_file_name(label)}", caption))
    return Section("metrics", "Each method with each metric", blocks, context.search_note)


def by_category(context: ReportContext) -> Section:
    """Section with scores by category: of networks (Figure 7 of 2018), then of all methods (Figure 9)."""
    study, numbers = context.study, context.color_numbers
    untrained = [one.label for one in study.methods if not is_trained(one.space)]
    networks = [label for label in untrained if not is_white_box(study, label)]
    blocks: list[Block] = []
    if networks:
        metrics = study.settings.metrics
        metric = STUDY2018_METRIC if STUDY2018_METRIC in metrics else metrics[0]
        caption = (
            f"The networks alone, all with {metric} (the 2018 study's Figure 7). {context.interval_note}"
        )
        series = [(label, study.run(label, metric), numbers[label]) for label in networks]
        blocks.append(_dot_chart(context, series, "networks", caption))
    caption = (
        f"All methods, each with the metric of its highest {context.score} (the 2018 study's Figure 9). "
        f"{context.interval_note}"
    )
    series = [(run.label, run, numbers[label]) for label, run in context.best_runs.items()]
    blocks.append(_dot_chart(context, series, "methods", caption))
    blocks.append(_score_table(context))
    blocks += [_all_scores(context, run) for run in study.runs]
    return Section("categories", "Category by category", blocks, context.search_note)


def _score_table(context: ReportContext) -> Table:
    """Makes a table of one score of all methods by category: the values of the chart above it."""
    runs = list(context.best_runs.values())
    of_rows = list(zip(*((*run.categories, run.macro, run.micro) for run in runs), strict=True))
    rows = [
        [label, f"{row[0].n_queries:,}", *(percent(scores.values[context.score]) for scores in row)]
        for label, row in zip(_row_labels(runs[0]), of_rows, strict=True)
    ]
    return Table(
        f"{context.score}, percent, the figures of the chart above.",
        ["category", "queries", *(run.label for run in runs)],
        rows,
        strong=(len(rows) - 2, len(rows) - 1),
    )


def _all_scores(context: ReportContext, run: Run) -> Details:
    """Makes a table of all scores of a run by category, which opens on a click."""
    names = list(context.study.settings.score_names)
    rows = [
        [label, f"{scores.n_queries:,}", *(percent(scores.values[name]) for name in names)]
        for label, scores in zip(_row_labels(run), (*run.categories, run.macro, run.micro), strict=True)
    ]
    table = Table(
        f"{run.label}, percent.",
        ["category", "queries", *names],
        rows,
        strong=(len(rows) - 2, len(rows) - 1),
    )
    return Details(f"All scores of {run.label}", table)


def _row_labels(run: Run) -> list[str]:
    return [*(scores.category for scores in run.categories), *_AVERAGES]


def _dot_chart(
    context: ReportContext, runs: Iterable[tuple[str, Run, int]], name: str, caption: str
) -> Chart:
    from stylesearch.evaluation.report.charts.plots import Series, score_dots

    series = [Series(*one) for one in runs]
    alt = f"{context.score} by category. Over all queries: " + "; ".join(
        f"{one.label} {100 * one.run.micro.values[context.score].value:.0f} %" for one in series
    )
    return context.chart(score_dots(series, context.score, context.axis_top), name, caption, alt)


def _file_name(label: str) -> str:
    """Writes a label in letters that any file system allows."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in label)[-60:]


def _enumerate_words(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
