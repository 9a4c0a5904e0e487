"""Fast distances on a GPU, with the same bound on their error as on the processor."""

from __future__ import annotations

import functools
from typing import Any

from stylesearch.extractors.engines.tensorflow_import import import_tensorflow
from stylesearch.metrics_kernels import Floats, Rough

__all__ = ["GpuRough", "gpu_is_visible"]

# Differences of l1 held on the GPU at once, in numbers: 256 MB.
VALUES_AT_ONCE = 64 * 2**20


def gpu_is_visible() -> bool:
    """Whether TensorFlow sees a GPU; imports TensorFlow."""
    return bool(import_tensorflow().config.list_physical_devices("GPU"))


class GpuRough(Rough):
    """:class:`~stylesearch.metrics_kernels.Rough`, its products and differences computed by TensorFlow."""

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
        step = max(1, VALUES_AT_ONCE // max(1, block.size))
        for first in range(0, len(out), step):
            part = self._on_device[first : first + step]
            out[first : first + step] = _l1(self._tensorflow)(part, rows).numpy()
        return sizes


@functools.cache
def _l1(tensorflow: Any) -> Any:
    """Sums of absolute differences, (q, d) and (b, d) to (q, b), in one pass where XLA can fuse it."""

    @tensorflow.function(jit_compile=True, reduce_retracing=True)  # type: ignore[untyped-decorator, unused-ignore]
    def sums(queries: Any, rows: Any) -> Any:
        return tensorflow.reduce_sum(tensorflow.abs(queries[:, None] - rows[None]), axis=2)

    return sums
