"""What a failed command says, and the exit code it leaves.

0 done; 1 an error that stylesearch raised on purpose (message and hint, traceback with ``-v``); 2 wrong
usage; 3 done, but some inputs failed; 130 interrupted.
"""

from __future__ import annotations

import logging
import sys
import traceback
import warnings
from typing import TextIO

import click

from stylesearch.errors import StyleSearchError

__all__ = ["EXIT_SOME_FAILED", "run"]

EXIT_ERROR = 1
EXIT_SOME_FAILED = 3
EXIT_INTERRUPTED = 130


def run(command: click.Command, args: list[str] | None = None) -> int:
    """Runs ``command`` and returns its exit code; nothing but a bug raises."""
    warnings.showwarning = _show_warning
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    try:
        code = command.main(args=args, prog_name="stylesearch", standalone_mode=False)
    except StyleSearchError as error:
        if logging.getLogger("stylesearch").isEnabledFor(logging.DEBUG):
            traceback.print_exc()
        click.secho(f"error: {error}", fg="red", err=True)
        if error.hint:
            click.echo(f"hint: {error.hint}", err=True)
        return EXIT_ERROR
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of stdout went away (`| head`): nothing is wrong, and nobody is left to tell.
        sys.stderr.close()
        return 0
    return code if isinstance(code, int) else 0


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A warning as one line for a user, without the place in the code."""
    click.secho(f"warning: {message}", fg="yellow", err=True)
