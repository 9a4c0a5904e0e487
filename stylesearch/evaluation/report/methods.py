"""The methods: what they are made of, with each metric, and side by side, by category."""

from __future__ import annotations

from collections.abc import Iterable

from stylesearch.evaluation.report.context import Context, is_white_box
from stylesearch.evaluation.report.html import Html, Section, element, joined, table
from stylesearch.evaluation.results import Run
from stylesearch.evaluation.results_files import percent
from stylesearch.extractors.load import describe_extractors
from stylesearch.models.card import is_trained

__all__ = ["by_category", "extractors", "metrics"]

SEEDS_METRIC = "l1"


def extractors(context: Context) -> Section:
    """The seed's Table 1."""
    known = {info.name: info for info in describe_extractors()}
    rows = []
    for method in context.study.methods:
        info = known.get(method.extractor)
        rows.append(
            [
                method.label,
                info.layer if info else "its own",
                f"{method.feature_dim:,}",
                f"{info.parameters:,}" if info else "not known",
                f"{method.input_size} × {method.input_size}",
                method.space,
                f"{method.dim:,}",
            ]
        )
    body = table(
        "What makes the vectors (the seed's Table 1, with the input size and the space). Layer: where the "
        f"network is cut; parameters: learned ones up to that layer. {context.searched}",
        ["method", "layer", "width", "parameters", "input", "space", "width in it"],
        rows,
        n_labels=2,
    )
    return Section("extractors", "Extractors", body)


def metrics(context: Context) -> Section:
    """Every method with each metric, by category (the seed's Figure 6, for white-box features)."""
    study = context.study
    order = sorted(study.settings.methods, key=lambda label: not is_white_box(study, label))
    parts: list[Html] = []
    for label in order:
        runs = [run for run in study.runs if run.method == label]
        note = " (the seed's Figure 6)" if is_white_box(study, label) else ""
        metric_names = list(study.settings.metrics)
        with_metrics = _listed([run.metric for run in runs])
        caption = f"{label} with {with_metrics}{note}. {context.searched} {context.intervals}"
        parts.append(element("h3", label))
        series = [(run.metric, run, metric_names.index(run.metric)) for run in runs]
        parts.append(_dots(context, series, f"metrics-{_file_name(label)}", caption))
    return Section("metrics", "Each method with each metric", joined(parts))


def by_category(context: Context) -> Section:
    """Networks alone (the seed's Figure 7), then all methods side by side (its Figure 9), and the figures."""
    study, numbers = context.study, context.numbers
    untrained = [one.label for one in study.methods if not is_trained(one.space)]
    networks = [label for label in untrained if not is_white_box(study, label)]
    parts = []
    if networks:
        metric = SEEDS_METRIC if SEEDS_METRIC in study.settings.metrics else study.settings.metrics[0]
        caption = (
            f"The networks alone, all with {metric} (the seed's Figure 7). {context.searched} "
            f"{context.intervals}"
        )
        series = [(label, study.run(label, metric), numbers[label]) for label in networks]
        parts.append(_dots(context, series, "networks", caption))
    caption = (
        f"All methods, each with the metric of its highest {context.score} (the seed's Figure 9). "
        f"{context.searched} {context.intervals}"
    )
    series = [(run.label, run, numbers[label]) for label, run in context.best.items()]
    parts.append(_dots(context, series, "methods", caption))
    runs = [run for _, run, _ in series]
    rows = [
        [
            one.category,
            f"{one.n_queries:,}",
            *(percent(run.categories[place].values[context.score]) for run in runs),
        ]
        for place, one in enumerate(runs[0].categories)
    ]
    rows += [
        [
            "macro",
            f"{runs[0].macro.n_queries:,}",
            *(percent(run.macro.values[context.score]) for run in runs),
        ],
        [
            "micro",
            f"{runs[0].micro.n_queries:,}",
            *(percent(run.micro.values[context.score]) for run in runs),
        ],
    ]
    parts.append(
        table(
            f"{context.score}, percent, the figures of the chart above. {context.searched}",
            ["category", "queries", *(run.label for run in runs)],
            rows,
            strong=(len(rows) - 2, len(rows) - 1),
        )
    )
    parts += [_details(context, run) for run in study.runs]
    return Section("categories", "Category by category", joined(parts))


def _details(context: Context, run: Run) -> Html:
    names = list(context.study.settings.score_names)
    whole = [*run.categories, run.macro, run.micro]
    labels = [*(one.category for one in run.categories), "macro", "micro"]
    rows = [
        [label, f"{one.n_queries:,}", *(percent(one.values[name]) for name in names)]
        for label, one in zip(labels, whole, strict=True)
    ]
    return element(
        "details",
        element("summary", f"All scores of {run.label}"),
        table(
            f"{run.label}, percent. {context.searched}",
            ["category", "queries", *names],
            rows,
            strong=(len(rows) - 2, len(rows) - 1),
        ),
    )


def _dots(context: Context, runs: Iterable[tuple[str, Run, int]], name: str, caption: str) -> Html:
    from stylesearch.evaluation.report.charts.plots import Series, score_dots

    series = [Series(*one) for one in runs]
    alt = f"{context.score} by category. Over all queries: " + "; ".join(
        f"{one.label} {100 * one.run.micro.values[context.score].value:.0f} %" for one in series
    )
    return context.chart(score_dots(series, context.score, context.axis_top), name, caption, alt)


def _file_name(label: str) -> str:
    """A label in letters that any file system takes."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in label)[-60:]


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
