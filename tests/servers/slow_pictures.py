"""What workers of a test's cluster run: slow pictures, and an extractor that is another there."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stylesearch.features.prepare import PreparedImage, Task, prepare_image
from stylesearch.testing.fake_extractor import FakeExtractor

SECONDS = 0.3


def prepare_slowly(task: Task, *, sizes: Mapping[str, int], max_pixels: int, log: str) -> PreparedImage:
    """Prepares an image in a third of a second, and writes down which process did it."""
    time.sleep(SECONDS)
    prepared = prepare_image(task, sizes=sizes, max_pixels=max_pixels)
    with Path(log).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return prepared


def pids_in(log: Path) -> list[int]:
    """The processes that have prepared images, in order."""
    return [int(line) for line in log.read_text().split()] if log.exists() else []


class OtherElsewhere(FakeExtractor):
    """An extractor whose weights are others in other processes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return FakeExtractor, (), {"seed": 1}


def other_elsewhere() -> FakeExtractor:
    """What a worker with other weights loads."""
    return FakeExtractor(seed=1)
