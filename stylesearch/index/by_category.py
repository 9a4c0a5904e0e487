"""One index per category of a space, on disk: built from a stream, opened in milliseconds.

::

    <folder>/<slug of the category>/
        CURRENT                    the generation in force
        gen-<time>/                manifest.json, vectors.npy, ids.npy, trees.ann, reduction.npz
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from stylesearch.errors import IndexDamaged
from stylesearch.index.annoy_backend import N_TREES, SEED, AnnoyBackend, build_trees, reduction_of
from stylesearch.index.base import AnyFloats, Floats, Slots
from stylesearch.index.exact import ExactIndex
from stylesearch.index.generations import new_generation, put_in_force, read_current
from stylesearch.index.manifest import MANIFEST, Manifest, record_of
from stylesearch.index.reduction import Reduction
from stylesearch.index.self_test import annoy_works

__all__ = ["CategoryIndexes", "Found", "OpenIndex"]

VECTORS, IDS, TREES, REDUCTION = "vectors.npy", "ids.npy", "trees.ann", "reduction.npz"

# The matrix is far the largest file, and reading it whole would cost more than the search: its size is
# checked when it is opened, its content by `verify`.
ONLY_SIZES = frozenset({VECTORS})

TREES_FROM = 64
"""Below so many vectors no trees are built."""

EXACT_BELOW = 8_000
"""Below so many vectors, comparing with all of them is as fast as asking the trees: measured."""

SLUG_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Found:
    """What an index proposes, nearest first.

    Attributes:
        ids: as given when it was built, int64, shape (n,).
        distances: exact, float32, shape (n,).
        rows: the query vector that was nearest, int64, shape (n,).
    """

    ids: Slots
    distances: Floats
    rows: Slots


class OpenIndex:
    """The index of one category, open. Keeps working when a newer one is built.

    Args:
        manifest: what it was built of.
        ids: of the slots, shape (count,).
        vectors: shape (count, dim), memory-mapped.
        trees: what proposes candidates; None for a small category, or without Annoy.
    """

    def __init__(
        self, manifest: Manifest, ids: Slots, vectors: AnyFloats, trees: AnnoyBackend | None
    ) -> None:
        self.manifest = manifest
        self._ids = ids
        self._trees = trees
        self._exact = ExactIndex(vectors, manifest.metric)

    @property
    def count(self) -> int:
        """How many vectors there are."""
        return self.manifest.count

    @property
    def last_feature_id(self) -> int:
        """The largest feature id there was when it was built."""
        return self.manifest.last_feature_id

    @property
    def n_bytes(self) -> int:
        """Size on disk."""
        return self.manifest.n_bytes

    @property
    def kind(self) -> str:
        """What answers: ``annoy`` or ``exact``."""
        return "exact" if self._trees is None else "annoy"

    def query_min(self, vectors: AnyFloats, k: int) -> Found:
        """The k images nearest to any of several vectors; see :meth:`VectorIndex.query_min`."""
        by_trees = self._trees is not None and self.count >= EXACT_BELOW and 4 * k < self.count
        index = self._trees if by_trees and self._trees is not None else self._exact
        slots, distances, rows = index.query_min(vectors, k)
        return Found(self._ids[slots], distances, rows)

    def close(self) -> None:
        """Lets go of the files."""
        if self._trees is not None:
            self._trees.close()


class CategoryIndexes:
    """The indexes of all categories of one space.

    Args:
        folder: of this space and fit; made by the first build.
        space_key: names the space; an index of another one is not opened.
        metric: one of :data:`stylesearch.metrics.METRICS`.
        dim: width of a vector.
    """

    def __init__(self, folder: Path, *, space_key: str, metric: str, dim: int) -> None:
        self.folder = folder
        self.space_key = space_key
        self.metric = metric
        self.dim = dim

    def build(
        self,
        category: str,
        blocks: Iterable[tuple[Slots, Floats]],
        *,
        n_rows: int,
        transform_version: str,
        last_feature_id: int,
    ) -> None:
        """Builds the index of a category and puts it in force; memory is bounded by a block and the trees.

        Args:
            category: its name.
            blocks: ids, int64 (n,), and vectors, float32 (n, dim).
            n_rows: how many there are in all, at most; further ones are left for the next build.
            transform_version: of the fit.
            last_feature_id: the largest feature id in the feature set, from before the blocks are read.

        Raises:
            IndexingError: it cannot be written.
        """
        place = self.folder / _slug(category)
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place / ".lock"):
            generation = new_generation(place)
            try:
                count = self._write_vectors(generation, blocks, n_rows)
                kind = self._write_trees(generation, count)
                self._manifest(category, generation, count, kind, transform_version, last_feature_id).write(
                    generation
                )
                put_in_force(generation)
            except BaseException:
                shutil.rmtree(generation, ignore_errors=True)
                raise

    def open(self, category: str) -> OpenIndex:
        """Opens the index in force.

        Raises:
            IndexDamaged: there is none, or it is damaged or of another space.
        """
        return read_current(self.folder / _slug(category), lambda path: self._open(category, path))

    def verify(self, category: str) -> None:
        """Reads the index whole.

        Raises:
            IndexDamaged: a file is missing, cut short or altered.
        """
        read_current(self.folder / _slug(category), lambda path: Manifest.read(path).check(path))

    def categories(self) -> list[str]:
        """Categories for which something was built, sorted; those whose manifest is damaged are left out."""
        names = []
        for manifest in self.folder.glob(f"*/*/{MANIFEST}"):
            try:
                names.append(Manifest.read(manifest.parent).category)
            except IndexDamaged:
                continue
        return sorted(set(names))

    def remove(self, category: str) -> None:
        """Removes what was built for a category."""
        shutil.rmtree(self.folder / _slug(category), ignore_errors=True)

    def _open(self, category: str, path: Path) -> OpenIndex:
        manifest = Manifest.read(path)
        expected = (category, self.space_key, self.metric, self.dim)
        if (manifest.category, manifest.space_key, manifest.metric, manifest.dim) != expected:
            raise IndexDamaged(f"{path} is the index of another space or category")
        manifest.check(path, only_sizes=ONLY_SIZES)
        try:
            ids = np.load(path / IDS, allow_pickle=False)
            vectors = np.load(path / VECTORS, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise IndexDamaged(f"{path} cannot be loaded: {error}") from error
        if ids.shape != (manifest.count,) or vectors.shape != (manifest.count, manifest.dim):
            raise IndexDamaged(f"{path} does not hold what its manifest says")
        trees = None
        if manifest.kind == "annoy" and annoy_works():
            trees = AnnoyBackend(vectors, self.metric, Reduction.load(path / REDUCTION), path / TREES)
        return OpenIndex(manifest, ids, vectors, trees)

    def _write_vectors(self, generation: Path, blocks: Iterable[tuple[Slots, Floats]], n_rows: int) -> int:
        """Streams ids and vectors into files; returns how many there were."""
        all_ids = []
        count = 0
        with (generation / VECTORS).open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": (n_rows, self.dim)}
            np.lib.format.write_array_header_1_0(file, header)
            for ids, vectors in blocks:
                taken = vectors[: n_rows - count]
                file.write(np.ascontiguousarray(taken, dtype="<f4").tobytes())
                all_ids.append(ids[: len(taken)])
                count += len(taken)
        if count < n_rows:  # rows went away meanwhile: the header has to say the true number
            _rewrite_header(generation / VECTORS, count, self.dim)
        ids_of_slots = np.concatenate(all_ids) if all_ids else np.empty(0, np.int64)
        np.save(generation / IDS, ids_of_slots, allow_pickle=False)
        return count

    def _write_trees(self, generation: Path, count: int) -> str:
        if count < TREES_FROM or not annoy_works():
            return "exact"
        vectors = np.load(generation / VECTORS, mmap_mode="r", allow_pickle=False)
        reduction = reduction_of(vectors, self.metric)
        build_trees(vectors, reduction, generation / TREES)
        reduction.save(generation / REDUCTION)
        return "annoy"

    def _manifest(
        self,
        category: str,
        generation: Path,
        count: int,
        kind: str,
        transform_version: str,
        last_feature_id: int,
    ) -> Manifest:
        parameters: dict[str, str | int] = {"numpy": np.__version__}
        if kind == "annoy":
            from importlib.metadata import version

            parameters |= {"annoy": version("annoy"), "trees": N_TREES, "seed": SEED}
        return Manifest(
            category=category,
            space_key=self.space_key,
            transform_version=transform_version,
            metric=self.metric,
            dim=self.dim,
            count=count,
            last_feature_id=last_feature_id,
            kind=kind,
            parameters=parameters,
            files={path.name: record_of(path) for path in sorted(generation.iterdir())},
        )


def _slug(category: str) -> str:
    """A folder name for a category: readable, and different for different categories on any file system."""
    readable = re.sub(r"[^a-z0-9]+", "-", category.lower()).strip("-")[:SLUG_LENGTH]
    digest = hashlib.sha256(category.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{readable}-{digest}" if readable else digest


def _rewrite_header(path: Path, count: int, dim: int) -> None:
    with path.open("r+b") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (count, dim)}
        )
