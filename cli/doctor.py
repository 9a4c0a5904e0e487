"""``stylesearch doctor``: checks the installation and the workspace, and says how to repair them."""

from __future__ import annotations

import click

from .options import Shared, pass_shared, shared_options
from .output import echo_json
from .process import EXIT_ERROR

MARKS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "problem": ("PROBLEM", "red")}


@click.command()
@shared_options
@pass_shared
def doctor(shared: Shared) -> int:
    """Check this installation and workspace.

    Exit code 1 if a check finds a problem.
    """
    from stylesearch.workspace.doctor import examine

    findings = list(examine(shared.load()))
    hints = [shared.name_workspace(one.hint) for one in findings]
    if shared.as_json:
        echo_json(
            [
                {"check": one.check, "state": one.state, "detail": one.detail, "hint": hint}
                for one, hint in zip(findings, hints, strict=True)
            ],
            indent=2,
        )
    else:
        for one, hint in zip(findings, hints, strict=True):
            mark, color = MARKS[one.state]
            click.echo(f"{click.style(f'{mark:<8}', fg=color)}{one.check}: {one.detail}")
            if hint:
                click.echo(f"        -> {hint}")
    return EXIT_ERROR if any(one.state == "problem" for one in findings) else 0
