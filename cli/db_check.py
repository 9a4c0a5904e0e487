"""``stylesearch db check``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from stylesearch.wording import count

from .options import Shared, pass_shared, shared_options
from .output import Progress, echo_json
from .process import EXIT_ERROR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stylesearch.catalog.check.findings import Finding, Problem

__all__ = ["check"]

SHOWN = 5
"""Problems of one check that are printed, of each kind of repair; `--json` has up to 10,000."""


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
    - trained models, indexes and fits; their files in a catalog that machines share

    What the sources said and what images are cannot be mended: then the products are named. A vector that
    was damaged before schema 0003 has the checksum of the damaged one. Exit code 1 if a problem is left.
    """
    from stylesearch.workspace.check import check_workspace

    with Progress(quiet=shared.verbosity < 0, unit="rows") as progress:
        found = check_workspace(shared.load(), repair=repair, contents=files, progress=progress)
    if shared.as_json:
        echo_json([_as_dict(shared, one) for one in found], indent=2)
    else:
        for one in found:
            _print(shared, one, repair)
        _print_sum(found, repair, shared.flags())
    return EXIT_ERROR if any(one.n_problems for one in found) else 0


def _print(shared: Shared, finding: Finding, has_repaired: bool) -> None:
    mark, color = ("PROBLEM", "red") if finding.n_problems else ("ok", "green")
    line = f"{click.style(f'{mark:<8}', fg=color)}{finding.check}: {finding.n_checked:,} {finding.unit}"
    if finding.n_problems:
        line += f", {finding.n_problems:,} wrong"
    if finding.n_repaired:
        line += f", {finding.n_repaired:,} mended"
    click.echo(line)
    by_repair: dict[str, list[Problem]] = {}
    for one in finding.problems:
        by_repair.setdefault(one.repair, []).append(one)
    for repair, problems in by_repair.items():
        for one in problems[:SHOWN]:
            click.echo(
                f"        {one.what}" + (f" (product {one.product})" if one.product is not None else "")
            )
        if len(problems) > SHOWN:
            click.echo(f"        and {len(problems) - SHOWN:,} more; --json lists them")
        if repair and not has_repaired:
            click.echo(f"        -> --repair {repair}")
        elif finding.hint:
            click.echo(f"        -> {shared.name_workspace(finding.hint)}")
    if finding.n_problems > len(finding.problems):
        click.echo(f"        and {finding.n_problems - len(finding.problems):,} more, which are not listed")


def _print_sum(found: Sequence[Finding], has_repaired: bool, flags: str) -> None:
    """Says at the end what was found, and the next command."""
    n_problems = sum(one.n_problems for one in found)
    n_repaired = sum(one.n_repaired for one in found)
    mended = f"; {count(n_repaired, 'problem')} mended" if n_repaired else ""
    if not n_problems:
        click.echo(f"nothing is wrong{mended}")
        return
    repairs = any(one.repair for finding in found for one in finding.problems)
    then = (
        f"; `stylesearch db check --repair{flags}` mends what can be" if repairs and not has_repaired else ""
    )
    click.echo(f"{count(n_problems, 'problem')}{mended}{then}")


def _as_dict(shared: Shared, finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "checked": finding.n_checked,
        "unit": finding.unit,
        "problems": finding.n_problems,
        "repaired": finding.n_repaired,
        "hint": shared.name_workspace(finding.hint) if finding.n_problems else "",
        "listed": [
            {"what": one.what, "product": one.product, "repair": one.repair} for one in finding.problems
        ],
    }
