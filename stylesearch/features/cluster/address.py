"""The address of a cluster, as the setting ``cluster`` has it, and what is opened at it."""

from __future__ import annotations

import re
from typing import Final

from stylesearch.errors import ConfigError
from stylesearch.features.cluster.executor import ClusterExecutor
from stylesearch.features.cluster.workers import Workers

__all__ = ["FORMS", "open_cluster"]

FORMS: Final = "dask://HOST:8786, dask+tls://HOST:8786, ray://HOST:10001 or local:N"
_LOCAL: Final = re.compile(r"local:([0-9]{1,4})")


def open_cluster(address: str) -> ClusterExecutor:
    """Connects to a cluster.

    Args:
        address: ``dask://HOST:8786``, ``dask+tls://HOST:8786``, ``ray://HOST:10001``, or ``local:4`` for
            processes of this machine.

    Raises:
        ConfigError: another address.
        MissingDependency: its library is not installed.
        ClusterError: nothing answers there.
    """
    return ClusterExecutor(address, _connect(address))


def _connect(address: str) -> Workers:
    if (found := _LOCAL.fullmatch(address)) and (n_processes := int(found[1])) > 0:
        from stylesearch.features.cluster.local import LocalWorkers

        return LocalWorkers(n_processes)
    scheme, separator, place = address.partition("://")
    if separator and place:
        if scheme in ("dask", "dask+tls"):
            from stylesearch.features.cluster.dask_workers import DaskWorkers

            return DaskWorkers(place, encrypted=scheme == "dask+tls")
        if scheme == "ray":
            from stylesearch.features.cluster.ray_workers import RayWorkers

            return RayWorkers(place)
    raise ConfigError(f"a cluster is {FORMS}. Received: {address!r}")
