"""Extraction on several processes or machines, by workers that come and go."""

from __future__ import annotations

from stylesearch.features.cluster.address import open_cluster
from stylesearch.features.cluster.executor import ClusterExecutor

__all__ = ["ClusterExecutor", "open_cluster"]
