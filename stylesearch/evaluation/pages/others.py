"""What stands beside the study: results of others, and the study of before."""

from __future__ import annotations

from stylesearch.evaluation.pages.context import Context
from stylesearch.evaluation.pages.document import Section
from stylesearch.evaluation.pages.html import element, joined, paragraphs, table
from stylesearch.evaluation.pages.published import PUBLISHED
from stylesearch.evaluation.tables import change_row, compared_in

__all__ = ["baseline", "made_with", "published"]


def published(context: Context) -> Section:
    """What others reached, on other data."""
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
    body = table(
        "OTHER DATA: published top-k accuracies, percent. Other pictures, other galleries of other sizes, "
        "often trained methods: they say how hard the task is, not which program is better. What was "
        "searched stands in its column; this study, which is not in the table, searched in "
        f"{context.study.gallery.description}.",
        ["source", "method", "data", "searched", *(f"top-{k}" for k in ks)],
        rows,
        n_labels=4,
    )
    note = paragraphs(
        [
            "The 7.18 that mmfashion prints as top-5 is a recall (right hits over all right ones), not a "
            "top-k accuracy, and is not in the table.",
        ],
        "faint",
    )
    return Section("published", "Published results, on other data", element("div", note, body, class_="wide"))


def baseline(context: Context) -> Section | None:
    """What rose and what fell since an older study, if there is one."""
    comparison = context.comparison
    if comparison is None:
        return None
    counted: dict[str, int] = {}
    for one in comparison.changes:
        counted[one.verdict] = counted.get(one.verdict, 0) + 1
    summary = ", ".join(f"{n:,} {verdict}" for verdict, n in sorted(counted.items()))
    rows = [change_row(one) for one in comparison.changes]
    strong = [number for number, one in enumerate(comparison.changes) if one.verdict in ("rose", "fell")]
    notes = element("ul", *(element("li", note) for note in comparison.notes), class_="faint")
    body = table(
        f"Percent. {compared_in(context.study, comparison)} Figures: {summary}.",
        ["method", "metric", "of", "score", "before", "now", "change", "verdict"],
        rows,
        n_labels=4,
        strong=strong,
    )
    return Section("baseline", "Against the baseline", joined([notes, body]))


def made_with(context: Context) -> Section:
    """What decides the figures, for somebody who wants to get them again."""
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
    files = element(
        "p",
        "The same as data: ",
        element("a", "results.json", href="results.json"),
        ", ",
        element("a", "results.csv", href="results.csv"),
        ", ",
        element("a", "results.md", href="results.md"),
        ".",
    )
    body = table(f"What decides the figures. {context.searched}", ["setting", "value"], rows, n_labels=2)
    return Section("settings", "Settings and data", joined([files, body]))
