"""The command line: ``stylesearch``, installed from this folder as ``stylesearch.cli``.

No heavy library is imported here. A command's module is imported when that command runs, and the lines of
``stylesearch --help`` come from a table, so that it prints at once.
"""

from __future__ import annotations

from .main import main

__all__ = ["main"]
