"""The extractor of a network: described at once, loaded when it is first used."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

import numpy as np

from stylesearch.array_types import Features, Images
from stylesearch.errors import MissingDependency
from stylesearch.extractors.base import Extractor, check_images
from stylesearch.extractors.engines.base import Engine, GraphRecipe

__all__ = ["CnnExtractor"]


class CnnExtractor:
    """A network cut at a layer, run by an engine: an ``Extractor``.

    Args:
        recipe: the network.
        open_engine: loads it; called once, by the first ``extract`` (or ``dim``, where only the
            finished model tells).
        concurrency: how many threads may usefully call ``extract`` at once.
        import_engine: imports the engine's library; called by ``preload``, before its thread starts.
        load: loads it anew, in another process: it is pickled as this function. None: it cannot be pickled.
    """

    def __init__(
        self,
        recipe: GraphRecipe,
        open_engine: Callable[[GraphRecipe], Engine],
        concurrency: int = 1,
        import_engine: Callable[[], object] = lambda: None,
        load: Callable[[], Extractor] | None = None,
    ) -> None:
        self.recipe = recipe
        self.concurrency = concurrency
        self._open_engine = open_engine
        self._import_engine = import_engine
        self._load = load
        self._engine: Future[Engine] | None = None
        self._loading = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        if self._load is None:
            raise TypeError(f"{self.name} was not loaded by its name: other processes cannot load it")
        return self._load, ()

    @property
    def name(self) -> str:
        """The name it was loaded by, without the input size."""
        return self.recipe.name

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self.recipe.dim if self.recipe.dim is not None else self.engine.dim

    @property
    def input_size(self) -> int:
        """Side of the square input in pixels."""
        return self.recipe.input_size

    @property
    def fingerprint(self) -> str:
        """Hexadecimal sha256 of all that decides the vectors."""
        return self.recipe.fingerprint

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Everything besides the weights that decides the vectors."""
        return self.recipe.parameters

    @property
    def weights_digest(self) -> str:
        """Hexadecimal sha256 of the weights file, or ``"random:SEED"``."""
        return self.recipe.weights_digest

    @property
    def engine(self) -> Engine:
        """The loaded network; loads it when it is first asked for."""
        return self._start(in_background=False).result()

    def preload(self) -> None:
        """Imports the engine's library, then starts loading in a thread; see ``Extractor.preload``.

        Python imports one module at a time: a thread that imports beside the caller's imports is late.
        """
        with contextlib.suppress(MissingDependency):  # raised again where the engine is asked for
            self._import_engine()
        self._start(in_background=True)

    def _start(self, *, in_background: bool) -> Future[Engine]:
        """Starts loading the network, once; a loading that failed is started again by the next caller."""
        with self._loading:
            engine = self._engine
            if engine is None or (engine.done() and engine.exception() is not None):
                engine = self._engine = Future()
                if in_background:
                    threading.Thread(target=self._load_into, args=(engine,), name="load").start()
                else:
                    self._load_into(engine)
            return engine

    def _load_into(self, engine: Future[Engine]) -> None:
        try:
            engine.set_result(self._open_engine(self.recipe))
        except BaseException as error:
            engine.set_exception(error)  # raised where the engine is asked for

    def extract(self, images: Images) -> Features:
        """Extracts vectors of images: see ``Extractor.extract``."""
        images = check_images(images, self.input_size)
        if len(images) == 0:
            return np.empty((0, self.dim), np.float32)
        return self.engine.run(images)
