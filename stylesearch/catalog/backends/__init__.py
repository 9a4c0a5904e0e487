"""The databases that can keep a catalog: SQLite, a file, and PostgreSQL, a server.

``backend_of`` chooses one by a path or URL. The rest of the package asks it for all that is not the same
on both: see ``stylesearch.catalog.backends.base.Backend``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from stylesearch.catalog.backends.base import Backend, PoolSettings
    from stylesearch.catalog.backends.choice import backend_behind, backend_of

__all__ = ["Backend", "PoolSettings", "backend_behind", "backend_of"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={"base": ["Backend", "PoolSettings"], "choice": ["backend_behind", "backend_of"]},
)
