"""Writes the history of a training run as event files for TensorBoard.

``keras.callbacks.TensorBoard`` is not used: it writes with ``tf.summary.scalar``, which raises an error
without the library ``tensorboard``. Here the library is only needed for reading.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from stylesearch.extractors.engines.tensorflow import import_tensorflow
from stylesearch.training.epoch import Epoch

__all__ = ["EventLog"]

tf = import_tensorflow()


class EventLog:
    """Writes event files in a folder: a new one each time that a run begins or is resumed.

    Args:
        folder: is created.
    """

    def __init__(self, folder: Path) -> None:
        self._writer: Any = tf.summary.create_file_writer(str(folder))

    def write(self, epoch: Epoch) -> None:
        """Adds the figures of an epoch; those that are not finite are left out."""
        figures = {
            "loss": epoch.loss,
            "learning rate": epoch.learning_rate,
            "validation top-k": epoch.top_k,
            "validation reciprocal rank": epoch.reciprocal_rank,
        }
        kind = tf.compat.v1.Summary
        values = [
            kind.Value(tag=name, simple_value=value)
            for name, value in figures.items()
            if math.isfinite(value)
        ]
        with self._writer.as_default():
            tf.summary.experimental.write_raw_pb(kind(value=values).SerializeToString(), step=epoch.number)
        self._writer.flush()

    def close(self) -> None:
        """Closes the file."""
        self._writer.close()
