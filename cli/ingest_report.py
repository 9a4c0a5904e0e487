"""Prints the report of an ingest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from stylesearch.wording import count, for_people, one_or_many

from .options import Shared
from .output import echo_table, list_seconds

if TYPE_CHECKING:
    from stylesearch.ingest import IngestReport

__all__ = ["echo_failures", "echo_notes", "echo_report", "list_counts"]

N_FAILURES_SHOWN = 20
N_OF_ONE_CAUSE = 5
N_CAUSES_SHOWN = 5
N_CATEGORIES_SHOWN = 12
OF_ALL_CORES = ("decode", "inference")


def echo_report(report: IngestReport, shared: Shared, *, dry_run: bool) -> None:
    """Prints what was done on stdout; notes and failures on stderr, with ``--quiet`` no notes."""
    verbosity = shared.verbosity
    if dry_run:
        _echo_examples(report)
    _echo_counts(report, dry_run=dry_run)
    if len(report.categories) > 1 or (report.categories and dry_run):
        _echo_categories(report)
    if report.columns and verbosity >= (0 if dry_run else 1):
        click.echo(f"columns: {report.columns}", err=True)
    if verbosity >= 0:
        echo_notes(report, shared)
    if verbosity > 0:
        for one in report.changes:
            said = f" (before: as {one.overruled} says)" if one.overruled else ""
            before, after = (_describe(one.field, value) for value in (one.before, one.after))
            click.echo(f"{one.product}: {one.field}: {before} -> {after}{said}", err=True)
    echo_failures(report)
    if verbosity > 0:
        click.echo(_timings(report.seconds), err=True)


def _describe(field: str, value: Any) -> str:
    if field == "variants":
        return count(len(value or ()), "variant")
    return for_people(value) or "none"


def list_counts(report: IngestReport) -> str:
    """The counts of products and images, in one line."""
    return f"products: {_count_products(report)}; images: {_count_images(report)}"


def _echo_counts(report: IngestReport, *, dry_run: bool) -> None:
    click.echo(f"products: {_count_products(report)}")
    click.echo(f"images:   {_count_images(report)}")
    if dry_run:
        click.echo("nothing was stored or fetched (--dry-run)")


def _count_products(report: IngestReport) -> str:
    return ", ".join(
        f"{report.products[name]} {name}" for name in ("added", "changed", "unchanged", "removed")
    )


def _count_images(report: IngestReport) -> str:
    return (
        f"{report.added} added, {report.changed} changed, {report.unchanged} unchanged, "
        f"{report.removed} removed, {report.n_failed} failed"
        + (f", {report.missing} missing" if report.missing else "")
    )


def _echo_categories(report: IngestReport) -> None:
    largest = sorted(report.categories.items(), key=lambda item: (-item[1][0], item[0]))
    shown = largest[:N_CATEGORIES_SHOWN]
    click.echo()
    echo_table(
        ["category", "products", "images"],
        [[name, *counts] for name, counts in shown],
        right=["products", "images"],
        shrink="category",
    )
    if len(largest) > len(shown):
        click.echo(f"... and {count(len(largest) - len(shown), 'more category', 'more categories')}")


def _echo_examples(report: IngestReport) -> None:
    if not report.examples:
        return
    echo_table(
        ["product", "title", "category", "image"],
        [[one.id, one.title, one.category, one.image] for one in report.examples],
        shrink="title",
    )
    click.echo()


def echo_notes(report: IngestReport, shared: Shared) -> None:
    """Prints on stderr what was assumed, what was not done, and what looks wrong."""
    notes = list(report.notes)
    if report.without_picture:
        examples = ", ".join(report.without_picture_examples)
        notes.append(f"{count(report.without_picture, 'product')} without a picture: {examples}")
    for name, n in report.overruled.items():
        notes.append(f"{name} says something else of {count(n, 'product')}: this source is newer and counts")
    if report.unchecked:
        notes.append(
            f"{count(report.unchecked, 'image')} could not be checked for changes and stayed: "
            f"{report.unchecked_reason}"
        )
    if report.filled:
        notes.append(f"features were added to {count(report.filled, 'image')} of earlier runs")
    if report.removes_nothing:
        entries = count(report.unreadable, "entry", "entries")
        notes.append(
            f"nothing was removed, since {entries} of the source could not be read and may be about any "
            f"product ({report.unreadable_example}); --prune --force removes all the same"
        )
    if n := report.products["withdrawn"]:
        notes.append(f"{count(n, 'product')} that the source does not show any more, taken out")
    if n := report.refused_withdrawals:
        them = one_or_many(n, "it", "them")
        notes.append(
            f"{count(n, 'product')} that the source does not show any more stayed, since that is more than a "
            f"third of it; to take {them} out, add --force"
        )
    if n := report.refused_removals:
        were, them = one_or_many(n, "was", "were"), one_or_many(n, "it", "them")
        notes.append(
            f"{count(n, 'product')} {were} not removed, since that is more than a third of this source; to "
            f"remove {them}, add --force"
        )
    elif report.products["unlisted"]:
        n = report.products["unlisted"]
        are, them = one_or_many(n, "is", "are"), one_or_many(n, "it", "them")
        notes.append(f"{count(n, 'product')} {are} no longer in the source; --prune removes {them}")
    notes += report.warnings
    for note in notes:
        click.echo(f"note: {shared.name_workspace(note)}", err=True)


def echo_failures(report: IngestReport) -> None:
    """Prints on stderr what is missing or failed, the first of each."""
    for example in report.missing_examples:
        click.echo(f"missing: {example.item}: {example.reason}", err=True)
    if report.missing > len(report.missing_examples):
        left = report.missing - len(report.missing_examples)
        click.echo(f"... and {count(left, 'more missing image')}", err=True)
    from stylesearch.ingest.checks import cause_of  # it is imported by now

    shown: Counter[str] = Counter()
    for failure in report.failed:
        cause = cause_of(failure.reason)
        shown[cause] += 1
        if shown[cause] <= N_OF_ONE_CAUSE and sum(shown.values()) <= N_FAILURES_SHOWN:
            click.secho(f"failed: {failure.item}: {failure.reason}", fg="red", err=True)
    for cause, n in report.causes.most_common(N_CAUSES_SHOWN):
        if n > N_OF_ONE_CAUSE:
            click.echo(
                f"... {n} failures in all of this cause: {cause} (--failures FILE lists all)", err=True
            )


def _timings(seconds: Mapping[str, float]) -> str:
    """Formats the time of each stage: summed over all cores, or elapsed."""
    by_core = {stage: value for stage, value in seconds.items() if stage in OF_ALL_CORES}
    by_wall = {stage: value for stage, value in seconds.items() if stage not in OF_ALL_CORES}
    return f"core-seconds: {list_seconds(by_core)}; wall: {list_seconds(by_wall)}"
