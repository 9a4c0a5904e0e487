"""The user's cache folder, shared by all workspaces."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """``$STYLESEARCH_CACHE``, or the place where this platform keeps caches. May not exist yet."""
    chosen = os.environ.get("STYLESEARCH_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("stylesearch", appauthor=False))
