"""``stylesearch eval``: measures the accuracy of methods, with confidence intervals."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import Shared, cluster_option, extractor_options, pass_shared, shared_options
from .output import Progress, echo_table
from .process import resumable

if TYPE_CHECKING:
    from stylesearch.evaluation.compare import Comparison
    from stylesearch.evaluation.results import Study

# A copy of the metrics, so that `--help` need not import their module. A test compares them.
METRICS = ["l1", "l2", "cosine"]
N_CHANGES_SHOWN = 20


class ListParameter(click.ParamType[tuple[str, ...]]):
    """Names separated by commas."""

    name = "NAME,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Splits the text, or fails as wrong usage if the list is empty."""
        names = value if isinstance(value, tuple) else tuple(filter(None, map(str.strip, value.split(","))))
        if not names:
            self.fail("give at least one name", param, ctx)
        return names


def _metrics(ctx: click.Context, param: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is not one of {', '.join(METRICS)}", ctx, param)
    return names


def _ks(ctx: click.Context, param: click.Parameter, names: tuple[str, ...]) -> tuple[int, ...]:
    wrong = [name for name in names if not name.isdecimal() or int(name) < 1]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is not a positive whole number", ctx, param)
    return tuple(map(int, names))


@click.command("eval")
@click.option(
    "--methods",
    type=ListParameter(),
    help="EXTRACTOR[@SIZE][+texture][+colors][/SPACE] or siamese:NAME,...  [default: the workspace's "
    "extractor, raw and in its space, which is what `query` does]",
)
@click.option(
    "--metrics",
    type=ListParameter(),
    callback=_metrics,
    default="l1,l2,cosine",
    show_default=True,
    help="Distance functions, separated by commas.",
)
@click.option(
    "-k",
    "ks",
    type=ListParameter(),
    callback=_ks,
    default="1,5,10,20,50",
    show_default=True,
    metavar="K,...",
    help="Values of k for the top-k accuracies.",
)
@click.option(
    "--queries",
    type=click.Choice(["consumer", "views"]),
    default="consumer",
    show_default=True,
    help="Search with consumer photos, or with some of the shop images of each product.",
)
@click.option(
    "--gallery",
    metavar="all|queried|others|PATTERN",
    default="all",
    show_default=True,
    help="Shop images to search in. all: every image, or the first of each product for --queries views. "
    "queried: those of products with a query. others: every image but the query, for --queries views. "
    "PATTERN: images whose file name matches ('*_main.*').",
)
@click.option("--split", metavar="NAME,...", help="Search with products whose attribute `split` is NAME.")
@click.option(
    "--gallery-split",
    metavar="NAME,...|any",
    help="Search in products whose attribute `split` is NAME.  [default: as --split]",
)
@click.option(
    "--regions",
    metavar="PLAN",
    help="Regions of a query: `whole`, `few`, `bands`, `large`, `street`, `person`, or its `box`, without "
    "white around a person.  [default: as for queries]",
)
@click.option(
    "--index",
    is_flag=True,
    help="Search with the indexes, and print their ANN recall. Indexes hold all shop images, so --queries "
    "views needs --gallery others.",
)
@click.option(
    "--report",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write a report into DIR: index.html with charts, results.json, results.csv and results.md.",
)
@click.option(
    "--baseline",
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE",
    help="Compare with an older results.json: which scores rose or fell by more than noise.",
)
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the bootstrap."
)
@click.option(
    "--max-memory",
    default=1024,
    show_default=True,
    type=click.IntRange(min=1),
    metavar="MIB",
    help="Memory: half for vectors (larger arrays are kept in files of the workspace), half for distances "
    "(at least about 50 bytes for each gallery image and core). Not counted: the program with one network "
    "(0.2 GB; 1 GB with TensorFlow), 0.1 GB for the bootstrap, 0.5 KB for each query and run.",
)
@cluster_option
@extractor_options(with_extractor=False)
@shared_options
@pass_shared
def evaluate(
    shared: Shared,
    methods: tuple[str, ...] | None,
    metrics: tuple[str, ...],
    ks: tuple[int, ...],
    queries: str,
    gallery: str,
    split: str | None,
    gallery_split: str | None,
    regions: str | None,
    index: bool,
    report: Path | None,
    baseline: Path | None,
    seed: int,
    max_memory: int,
    **choices: Any,
) -> None:
    """Measure how often each method finds the right product.

    Every query is a photo whose product is known. The top-k accuracy is the share of queries whose product is
    among the first k. Missing features are computed and stored, so an interrupted run can be continued.

    \b
    stylesearch eval --methods whitebox,efficientnet-lite0@320+texture+colors/mixed --report reports/first
    stylesearch eval --queries views -k 1,5,20
    stylesearch eval --baseline reports/first/results.json
    """
    with resumable(), shared.open(**choices) as shop:
        # Read first, so that a file that cannot be read is reported before the computing starts.
        older = _load(baseline) if baseline else None
        if report is not None:
            from stylesearch.evaluation.report.report import check_libraries

            check_libraries()
        with Progress(quiet=shared.verbosity < 0) as progress:
            study = shop.evaluate(
                methods or (),
                metrics=metrics,
                ks=ks,
                queries=queries,
                gallery=gallery,
                split=split or "",
                gallery_split=gallery_split or "",
                regions=regions or "",
                index=index,
                seed=seed,
                max_memory=max_memory,
                progress=progress,
            )
        search_method = shop.search_method
        comparison = None
        if older is not None:
            from stylesearch.evaluation.compare import compare

            comparison = compare(study, older)
        if report is not None:
            with Progress(quiet=shared.verbosity < 0, unit="parts") as progress:
                shop.save_report(study, report, comparison, progress=progress)
    if shared.as_json:
        _echo_json(study, comparison)
        return
    _echo_study(study, search_method)
    if comparison is not None:
        _echo_comparison(comparison)
    if report is not None:
        click.echo(f"\nreport: {report / 'index.html'}")
    if shared.verbosity > 0:
        stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in study.seconds.items())
        click.echo(f"seconds: {stages}", err=True)


def _load(path: Path) -> Study:
    from stylesearch.evaluation.results_files import load_study

    return load_study(path)


def _echo_json(study: Study, comparison: Comparison | None) -> None:
    from stylesearch.evaluation.results_files import json_pieces

    more = {} if comparison is None else {"comparison": comparison.as_dict()}
    for piece in json_pieces(study, **more):
        sys.stdout.write(piece)  # `click.echo` would flush each of many pieces
    sys.stdout.flush()


def _echo_study(study: Study, search_method: tuple[str, str]) -> None:
    """Prints the scores of each run.

    Args:
        study: the study.
        search_method: method and metric of the workspace's searches, whose row is marked.
    """
    from stylesearch.evaluation.results_files import notes, short_percent
    from stylesearch.settings import Settings

    for note in notes(study):
        click.echo(note)
    click.echo()
    names = list(study.settings.score_names)
    recall = [f"ANN recall@{study.settings.n_hits}"] if study.settings.index else []
    rows = []
    for run in study.runs:
        figures = [short_percent(run.micro.values[name]) for name in names]
        rows.append(
            [
                f"{run.method} *" if (run.method, run.metric) == search_method else run.method,
                run.metric,
                *figures,
                *([short_percent(run.ann_recall)] if run.ann_recall else []),
            ]
        )
    echo_table(["method", "metric", *names, *recall], rows, right=[*names, *recall])
    if any((run.method, run.metric) == search_method for run in study.runs):
        click.echo("* what `stylesearch query` searches with")
    usual = Settings().metric
    best = max(study.runs, key=lambda run: (run.micro.values[names[-1]].value, run.metric == usual))
    click.echo(f"\nby category, for the method with the highest {names[-1]}, {best.label}:")
    of_categories = [
        [scores.category, scores.n_queries, *(short_percent(scores.values[name]) for name in names)]
        for scores in best.categories
    ]
    macro = ["macro", best.macro.n_queries, *(short_percent(best.macro.values[name]) for name in names)]
    echo_table(["category", "queries", *names], [*of_categories, macro], right=["queries", *names])


def _echo_comparison(comparison: Comparison) -> None:
    from stylesearch.evaluation.results_files import change_row

    click.echo("\ncompared with the baseline:")
    for note in comparison.notes:
        click.echo(note)
    moved = [one for one in comparison.changes if one.verdict in ("rose", "fell")]
    overall = [one for one in comparison.changes if one.average == "micro" and one not in moved]
    shown = [*moved[:N_CHANGES_SHOWN], *overall]
    echo_table(
        ["method", "metric", "of", "score", "before", "now", "verdict"],
        [[*row[:-2], row[-1]] for row in map(change_row, shown)],  # without the intervals
        right=["before", "now"],
    )
    if len(moved) > N_CHANGES_SHOWN:
        click.echo(f"... and {len(moved) - N_CHANGES_SHOWN} more that rose or fell (--report lists all)")
