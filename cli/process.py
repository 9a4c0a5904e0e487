"""What a failed command says, and the exit code it leaves.

0 done; 1 an error that stylesearch raised on purpose or that the system reported (message and hint,
traceback with ``-v``); 2 wrong usage; 3 done, but some inputs failed; 130 interrupted. Anything else is a
bug, and shows its traceback.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Final, TextIO

import click

from stylesearch.errors import StyleSearchError

__all__ = [
    "EXIT_ERROR",
    "EXIT_SOME_FAILED",
    "claim_process",
    "give_way",
    "past_click",
    "resumable",
    "run",
]

EXIT_ERROR = 1
EXIT_SOME_FAILED = 3
EXIT_INTERRUPTED = 130
AND_KEPT = ": what was done is kept; run {how}, and it goes on from there"


def run(command: click.Command, args: list[str] | None = None) -> int:
    """Runs ``command`` and returns its exit code; nothing but a bug raises."""
    warnings.showwarning = _show_warning
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    logging.getLogger("stylesearch").setLevel(logging.WARNING)  # what an earlier run asked for is over
    try:
        code = _main(command, args)
    except StyleSearchError as error:
        return _report(error.message, error.hint)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        kept = AND_KEPT.format(how=error.how) if isinstance(error, _Resumable) else ""
        click.echo(f"interrupted{kept}", err=True)
        return EXIT_INTERRUPTED
    except OSError as error:
        if isinstance(error, BrokenPipeError) and (gone := _outputs_without_reader()):
            # The reader went away (`| head`): nothing is wrong, and nobody is left to tell.
            _let_go_of(gone)
            return 0
        reason = error.strerror or str(error) or type(error).__name__
        return _report(f"{error.filename}: {reason}" if error.filename else reason)
    return code if isinstance(code, int) else 0


class _PastClick(Exception):
    """Carries its cause through Click's ``main``."""


class _Resumable(click.Abort):
    """The user interrupted what keeps its work; ``how`` says what to run so that it goes on."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how


@contextlib.contextmanager
def resumable(how: Callable[[], str] = lambda: "the same command again") -> Iterator[None]:
    """Marks work of which what was done is kept when the user interrupts it; the message then says so.

    Args:
        how: what is to be run, so that it goes on; asked when it is interrupted.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise _Resumable(how()) from error


@contextlib.contextmanager
def past_click() -> Iterator[None]:
    """Brings an error to :func:`run` that Click's ``main`` would keep to itself.

    It leaves the process with exit code 1 when a pipe is closed, and takes an ``EOFError`` (a file that is
    cut short, say) for an interruption by the user.
    """
    try:
        yield
    except (BrokenPipeError, EOFError) as error:
        raise _PastClick from error


def _main(command: click.Command, args: list[str] | None) -> Any:
    try:
        return command.main(args=args, prog_name="stylesearch", standalone_mode=False)
    except _PastClick as carrier:
        if carrier.__cause__ is None:
            raise
        raise carrier.__cause__ from None


def _report(message: str, hint: str = "") -> int:
    """Says on stderr what went wrong; to be called while the error is being handled."""
    if logging.getLogger("stylesearch").isEnabledFor(logging.INFO):
        traceback.print_exc()
    click.secho(f"error: {message}", fg="red", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)
    return EXIT_ERROR


def _outputs_without_reader() -> list[int]:
    """Which of stdout and stderr are pipes that nobody reads; a pipe to a child process may break, too."""
    outputs = [1, 2]
    if not hasattr(select, "poll"):  # Windows
        return outputs
    poller = select.poll()
    for output in outputs:
        poller.register(output, 0)
    return [output for output, state in poller.poll(0) if state & (select.POLLERR | select.POLLHUP)]


def _let_go_of(outputs: list[int]) -> None:
    """Sends what is still buffered nowhere, so that Python's flush at the end does not fail once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in outputs:
        os.dup2(nowhere, output)
    os.close(nowhere)


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


# Long work gives way to what somebody waits for: searches of the service on the same machine.

NICENESS: Final = 10
"""Of 0 to 19. Alone on the machine the work is as quick as ever; beside a service it gets about a tenth."""

_is_ours = False


def claim_process() -> None:
    """Says that this process does nothing else than one command, so that its priority may be changed."""
    global _is_ours
    _is_ours = True


def give_way() -> None:
    """Lowers the priority of this process, if it is ours and the system knows such a thing.

    Of threads that run already nothing changes; those that are started from now on have the new priority.
    """
    if _is_ours and hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
