"""The command line: ``stylesearch``, installed from this folder as ``stylesearch.cli``.

Nothing heavy is imported here: a command's module is loaded when that command runs, and the help texts
of the list stand in a table, so that ``stylesearch --help`` answers at once.
"""

from __future__ import annotations

from .main import main

__all__ = ["main"]
