"""``stylesearch db check``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .options import Shared, pass_shared, shared_options
from .output import Progress, echo_json
from .process import EXIT_ERROR

if TYPE_CHECKING:
    from stylesearch.catalog.check.findings import Finding

__all__ = ["check"]

SHOWN = 5
"""Problems of one check that are printed; `--json` has up to 10,000."""


@click.command()
@click.option("--repair", is_flag=True, help="Mend what follows from something else, and check again.")
@click.option("--files", is_flag=True, help="Read every image file too, and compare it with its digest.")
@shared_options
@pass_shared
def check(shared: Shared, repair: bool, files: bool) -> int:
    """Check the catalog for damage, and what belongs to it.

    \b
    - the file, as SQLite checks it; references between tables; the schema
    - every text, number, box and JSON; every vector against its checksum
    - products against what their sources say; amounts; categories; listings
    - whether image files are gone; images put over the API that no product has
    - trained models, indexes and fits

    What the sources said and what images are cannot be mended: then the products are named. A vector that
    was damaged before schema 0003 has the checksum of the damaged one. Exit code 1 if a problem is left.
    """
    from stylesearch.workspace.check import check_workspace

    with Progress(quiet=shared.verbosity < 0, unit="rows") as progress:
        found = check_workspace(shared.load(), repair=repair, contents=files, progress=progress)
    if shared.as_json:
        echo_json([_as_dict(one) for one in found], indent=2)
    else:
        for one in found:
            _print(one, repair)
    return EXIT_ERROR if any(one.n_problems for one in found) else 0


def _print(finding: Finding, has_repaired: bool) -> None:
    mark, color = ("PROBLEM", "red") if finding.n_problems else ("ok", "green")
    line = f"{click.style(f'{mark:<8}', fg=color)}{finding.check}: {finding.n_checked:,} {finding.unit}"
    if finding.n_problems:
        line += f", {finding.n_problems:,} wrong"
    if finding.n_repaired:
        line += f", {finding.n_repaired:,} mended"
    click.echo(line)
    for one in finding.problems[:SHOWN]:
        click.echo(f"        {one.what}" + (f" (product {one.product})" if one.product is not None else ""))
    if finding.n_problems > SHOWN:
        click.echo(f"        and {finding.n_problems - SHOWN:,} more; --json lists them")
    repairs = dict.fromkeys(one.repair for one in finding.problems if one.repair)
    if not has_repaired:
        for repair in repairs:
            click.echo(f"        -> --repair {repair}")
    if finding.hint and any(not one.repair or has_repaired for one in finding.problems):
        click.echo(f"        -> {finding.hint}")


def _as_dict(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "checked": finding.n_checked,
        "unit": finding.unit,
        "problems": finding.n_problems,
        "repaired": finding.n_repaired,
        "hint": finding.hint if finding.n_problems else "",
        "listed": [
            {"what": one.what, "product": one.product, "repair": one.repair} for one in finding.problems
        ],
    }
