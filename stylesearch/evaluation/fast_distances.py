"""Fast distances without NumPy: by TensorFlow on a GPU, and l1 by faiss on the processor.

Both keep the bound on their error that ``FastDistances`` promises.
"""

from __future__ import annotations

import functools
from typing import Any, Final

from stylesearch.array_types import Floats
from stylesearch.distance_kernels import FastDistances
from stylesearch.extractors.engines.tensorflow import import_tensorflow

__all__ = [
    "FaissDistances",
    "GpuDistances",
    "gpu_is_visible",
]

# Number of l1 differences that the GPU holds at once: 256 MB.
_GPU_VALUES_AT_ONCE: Final = 64 * 2**20
# Numbers of the gallery that faiss gets at once: they fit into the cache of a core.
_FAISS_VALUES_PER_CALL: Final = 240_000


def gpu_is_visible() -> bool:
    """Whether TensorFlow sees a GPU; imports TensorFlow."""
    return bool(import_tensorflow().config.list_physical_devices("GPU"))


class GpuDistances(FastDistances):
    """Fast distances whose products and differences TensorFlow computes."""

    def __init__(self, queries: Floats, metric: str) -> None:
        super().__init__(queries, metric)
        self._tensorflow = import_tensorflow()
        # TF32 rounds to ten bits: far beyond the bound.
        self._tensorflow.config.experimental.enable_tensor_float_32_execution(False)
        self._on_device = self._tensorflow.constant(queries)

    def fill(self, block: Floats, out: Floats) -> Floats:
        """Writes distances to the rows of ``block`` into ``out``; see the base class."""
        sizes = self._measure(block)
        rows = self._tensorflow.constant(block)
        if self.metric != "l1":
            out[:] = self._tensorflow.matmul(self._on_device, rows, transpose_b=True).numpy()
            self._finish_products(out, sizes)
            return sizes
        step = max(1, _GPU_VALUES_AT_ONCE // max(1, block.size))
        for first in range(0, len(out), step):
            part = self._on_device[first : first + step]
            out[first : first + step] = _compile_l1(self._tensorflow)(part, rows).numpy()
        return sizes


class FaissDistances(FastDistances):
    """Fast distances whose l1 faiss computes, on all cores.

    A matrix product cannot compute sums of absolute differences. NumPy needs two passes through memory for
    one; the loop of faiss works in registers and is ten times as fast.

    References:
        M. Douze et al., "The Faiss library", 2024, https://arxiv.org/abs/2401.08281.
    """

    def fill(self, block: Floats, out: Floats) -> Floats:
        """Writes distances to the rows of ``block`` into ``out``; see the base class."""
        if self.metric != "l1":
            return super().fill(block, out)
        import faiss

        sizes = self._measure(block)
        step = max(1, _FAISS_VALUES_PER_CALL // max(1, block.shape[1]))
        for first in range(0, len(block), step):
            rows = slice(first, first + step)
            out[:, rows] = faiss.pairwise_distances(self.queries, block[rows], faiss.METRIC_L1)
        return sizes


@functools.cache
def _compile_l1(tensorflow: Any) -> Any:
    """Compiles sums of absolute differences, (q, d) and (b, d) to (q, b), in one pass if XLA can fuse it."""

    @tensorflow.function(jit_compile=True, reduce_retracing=True)  # type: ignore[untyped-decorator, unused-ignore]
    def sums(queries: Any, rows: Any) -> Any:
        return tensorflow.reduce_sum(tensorflow.abs(queries[:, None] - rows[None]), axis=2)

    return sums
