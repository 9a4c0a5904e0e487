"""Error messages, exit codes and the priority of the process.

Exit codes: 0 done; 1 an error that stylesearch raised or the operating system reported (printed with a hint,
and with a traceback after ``-v``); 2 wrong usage; 3 done, but some inputs failed; 130 interrupted. Any other
exception is a bug and shows its traceback. With ``--json`` the last line of stderr is the error as JSON.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import os
import select
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

import click

from stylesearch.errors import StyleSearchError

from .interruptions import EXIT_INTERRUPTED, has_come, last_words
from .options import Shared
from .output import echo_error

__all__ = [
    "EXIT_ERROR",
    "EXIT_INTERRUPTED",
    "EXIT_SOME_FAILED",
    "claim_process",
    "confirm",
    "explain_interruption",
    "give_way",
    "past_click",
    "quick_start",
    "resumable",
    "run",
    "wants_json",
]

EXIT_ERROR = 1
EXIT_SOME_FAILED = 3
SECONDS_OF_A_REPETITION = 10.0
AND_KEPT = "finished work is kept; to continue, run {how}"


def run(command: click.Command, args: list[str] | None = None) -> int:
    """Runs ``command`` and returns its exit code; only a bug raises an exception."""
    as_json = wants_json(sys.argv[1:] if args is None else args)
    shared = Shared(command.list_commands(click.Context(command)) if isinstance(command, click.Group) else ())
    warnings.showwarning = functools.partial(_show_warning, shared)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LogFormatter(shared))
    handler.addFilter(_OnceInARow())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("stylesearch").setLevel(logging.WARNING)  # an earlier run may have changed it
    try:
        code = _main(command, args, shared)
    except StyleSearchError as error:
        return _report(error, error.message, shared.name_workspace(error.hint), as_json=as_json)
    except _Declined as error:
        hint = shared.name_workspace(error.hint)
        if as_json:
            echo_error(error.said, hint, kind="Declined", as_json=True)
        else:
            click.echo(f"{error.said}: {hint}" if hint else error.said, err=True)
        return EXIT_ERROR
    except click.ClickException as error:
        if as_json:
            context = getattr(error, "ctx", None)
            hint = f"{context.command_path} --help" if context is not None else ""
            echo_error(error.format_message(), hint, kind="UsageError", as_json=True)
        else:
            error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        explanation = error.explanation if isinstance(error, _Interrupted) else ""
        with last_words():
            if as_json:
                echo_error("interrupted", explanation, kind="Interrupted", as_json=True)
            else:
                click.echo(f"interrupted: {explanation}" if explanation else "interrupted", err=True)
        return EXIT_INTERRUPTED
    except OSError as error:
        if isinstance(error, BrokenPipeError) and (gone := _outputs_without_reader()):
            # The reader of the pipe has ended (`| head`), which is no error.
            _let_go_of(gone)
            return 0
        from stylesearch.files import NO_ROOM, TEMPORARY_HINT  # with NumPy

        reason = error.strerror or str(error) or type(error).__name__
        hint = ""
        if error.errno in NO_ROOM:
            hint = TEMPORARY_HINT if _is_temporary(error.filename) else "free some space on that disk"
        elif "No usable temporary directory" in reason:  # how `tempfile` says it, with the folders it tried
            reason, hint = f"temporary files cannot be written: {reason}", TEMPORARY_HINT
        message = f"{error.filename}: {reason}" if error.filename else reason
        return _report(error, message, hint, as_json=as_json)
    return code if isinstance(code, int) else 0


def _is_temporary(path: Any) -> bool:
    """Whether a file lies in the folder for temporary files."""
    import tempfile

    return isinstance(path, str) and Path(path).is_relative_to(tempfile.gettempdir())


class _OnceInARow(logging.Filter):
    """Leaves out a line that was just printed: several steps of a command may find the same wrong."""

    def __init__(self) -> None:
        super().__init__()
        self._last = ("", 0.0)

    def filter(self, record: logging.LogRecord) -> bool:
        said, at = self._last
        self._last = (record.getMessage(), record.created)
        return said != record.getMessage() or record.created - at > SECONDS_OF_A_REPETITION


class _LogFormatter(logging.Formatter):
    """Formats a record of the log as warnings and errors are printed: ``warning: ...``."""

    def __init__(self, shared: Shared) -> None:
        super().__init__()
        self._shared = shared

    def format(self, record: logging.LogRecord) -> str:
        """Formats a record."""
        return self._shared.name_workspace(f"{record.levelname.lower()}: {super().format(record)}")


class _PastClick(Exception):
    """Carries an exception through Click's ``main``, as its cause."""


class _Declined(Exception):
    """The user said no to a question, or nothing."""

    def __init__(self, said: str, hint: str = "") -> None:
        super().__init__(said)
        self.said = said
        self.hint = hint


def confirm(question: str, otherwise: str) -> None:
    """Asks a question on stderr; returns if the answer is yes, else the command ends with exit code 1.

    Args:
        question: what is asked.
        otherwise: what is said if the answer is no: ``nothing was removed``.
    """
    try:
        is_yes = click.confirm(question, err=True)
    except click.Abort:
        if sys.stdin is not None and sys.stdin.isatty():
            raise  # Ctrl-C
        click.echo(err=True)  # the question's line ends
        raise _Declined(otherwise, "nobody answered the question; --yes asks none") from None
    if not is_yes:
        raise _Declined(otherwise)


class _Interrupted(click.Abort):
    """The user interrupted a command; ``explanation`` says what is left behind and what to run next."""

    def __init__(self, explanation: str) -> None:
        super().__init__()
        self.explanation = explanation


@contextlib.contextmanager
def explain_interruption(explain: Callable[[], str]) -> Iterator[None]:
    """Has the message of an interruption by the user explained.

    Args:
        explain: returns what is left behind and what to run next; called when the work is interrupted.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise _Interrupted(explain()) from error


def resumable(
    how: Callable[[], str] = lambda: "the same command again",
) -> contextlib.AbstractContextManager[None]:
    """Marks work that keeps its finished parts when the user interrupts it; the message then says so.

    Args:
        how: returns what to run to continue; called when the work is interrupted.
    """
    return explain_interruption(lambda: AND_KEPT.format(how=how()))


@contextlib.contextmanager
def past_click() -> Iterator[None]:
    """Passes errors to ``run`` that Click's ``main`` would handle itself.

    Click ends the process with exit code 1 when a pipe is closed, and takes an ``EOFError`` (from a truncated
    file, for example) for an interruption by the user.
    """
    try:
        yield
    except (BrokenPipeError, EOFError) as error:
        raise _PastClick from error


def _main(command: click.Command, args: list[str] | None, shared: Shared) -> Any:
    try:
        return command.main(args=args, prog_name="stylesearch", standalone_mode=False, obj=shared)
    except _PastClick as carrier:
        if carrier.__cause__ is None:
            raise
        raise carrier.__cause__ from None
    except click.Abort:
        raise
    except Exception:
        if has_come():  # a library has made something else of it
            raise KeyboardInterrupt from None
        raise


def wants_json(args: Sequence[str]) -> bool:
    """Whether ``--json`` is among the arguments, also where they cannot be parsed."""
    options = args[: args.index("--")] if "--" in args else args
    return "--json" in options


def _report(error: Exception, message: str, hint: str, *, as_json: bool) -> int:
    """Prints an error on stderr; called while the exception is being handled."""
    if logging.getLogger("stylesearch").isEnabledFor(logging.INFO):
        traceback.print_exc()
    echo_error(message, hint, kind=type(error).__name__, as_json=as_json)
    return EXIT_ERROR


def _outputs_without_reader() -> list[int]:
    """Finds which of stdout and stderr are pipes without a reader.

    A ``BrokenPipeError`` may also come from a pipe to a child process; then the list is empty.
    """
    outputs = [1, 2]
    if not hasattr(select, "poll"):  # Windows
        return outputs
    poller = select.poll()
    for output in outputs:
        poller.register(output, 0)
    return [output for output, state in poller.poll(0) if state & (select.POLLERR | select.POLLHUP)]


def _let_go_of(outputs: list[int]) -> None:
    """Redirects outputs to the null device, so that Python's flush at exit does not fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in outputs:
        os.dup2(nowhere, output)
    os.close(nowhere)


def _show_warning(
    shared: Shared,
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Prints a warning as one line, without the place in the code."""
    click.secho(f"warning: {shared.name_workspace(str(message))}", fg="yellow", err=True)


# An ingest runs at a low priority, so that searches of a service on the same machine stay quick.

NICENESS: Final = 10
"""From 0 to 19. Alone on a machine, work is as quick at 10 as at 0; beside a service it gets about a tenth of
the processor time."""

_is_ours = False


def claim_process() -> None:
    """Declares that this process runs one command and nothing else, so that its priority may be changed."""
    global _is_ours
    _is_ours = True


def give_way() -> None:
    """Lowers the priority of this process, if ``claim_process`` was called and the system supports it.

    Threads that run already keep their priority; threads started later have the new one.
    """
    if _is_ours and hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))


# A query in a new process spends most of its time on importing libraries and loading networks.


@contextlib.contextmanager
def quick_start() -> Iterator[None]:
    """Makes a block quick in which most libraries are imported, if ``claim_process`` was called.

    - NumPy's BLAS starts no threads, unless the user has set how many: a query multiplies small matrices, in
      threads of its own, and those of OpenBLAS spin for half as long again as the import of NumPy takes. This
      outlives the block, since OpenBLAS reads ``OPENBLAS_NUM_THREADS`` when NumPy is imported, and child
      processes inherit it: a space that is fitted later in the process multiplies its matrices on one core.
    - Python looks for no reference cycles, which takes a twentieth of the processor time and frees nothing;
      what the block has made is not looked at afterwards either.
    - Threads that read the photo and load networks wait less for the one that imports.
    """
    if not _is_ours:
        yield
        return
    from stylesearch.parallel import quick_switches

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.disable()
    try:
        with quick_switches():
            yield
    finally:
        gc.freeze()
        gc.enable()
