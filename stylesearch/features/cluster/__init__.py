"""Extraction on several processes or machines: the same stream, over an executor whose workers come and go."""

from __future__ import annotations

from stylesearch.features.cluster.address import open_cluster
from stylesearch.features.cluster.executor import ClusterExecutor

__all__ = ["ClusterExecutor", "open_cluster"]
