"""The indexes of one space: one for each category, in its own folder.

A category's folder has generations: folders that are never changed, and a small file that names the current
one. A reader that has files mapped into memory dies if they are overwritten, and may read two halves of
different builds; so a build fills a new folder, and ``os.replace`` swaps the pointer. The generation before
the current one is kept for readers that have just looked at the pointer.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import secrets
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from stylesearch.array_types import AnyFloats, Floats, Ids
from stylesearch.data_files import read_json
from stylesearch.distance import check_metric
from stylesearch.errors import IndexDamaged, IndexingError
from stylesearch.files import (
    atomic_file,
    find_partials,
    hold_lock,
    remove_partials,
    sha256_bytes,
    sync_files,
    sync_folder,
    write_json,
)
from stylesearch.index.annoy_forest import AnnoyForest, annoy_works
from stylesearch.index.base import ExactIndex, VectorIndex, validate_queries
from stylesearch.index.index_files import (
    FOREST,
    IDS,
    REDUCED,
    REDUCTION,
    VECTORS,
    Contents,
    Manifest,
    bytes_of_a_row,
    open_array,
    read_ids,
    write_generation,
)
from stylesearch.index.reduction import PANEL, Reduction, n_panels
from stylesearch.index.reranked import TRUSTED_RECALL, RerankedIndex, Strategy, possible_strategies

__all__ = [
    "CategoryIndexes",
    "CategoryState",
    "Generations",
    "Nearest",
    "OpenIndex",
    "slug_of",
]

log = logging.getLogger(__name__)
T = TypeVar("T")

_POINTER = "CURRENT"
_GENERATION = re.compile(r"g(\d{8})-[0-9a-f]{8}")
_UNFINISHED = "building-"
_PATIENCE = 1800.0
"""Seconds to wait for another build of the same index."""

_WORTH_OPENING = 512
"""Vectors from which one scan of reduced vectors is worth opening their files."""

_NAME = "category.json"
_READABLE = 32
"""Letters of a category that its folder's name begins with, at most."""

_DIGITS = 16
_TRIES = 5
"""A generation can vanish between reading the pointer and opening it, when two builds end just then."""


class Generations:
    """The generations of one index, in a folder.

    Args:
        folder: folder of the index; made at the first build.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def current(self) -> Path:
        """The folder of the generation in use.

        Raises:
            IndexDamaged: there is none, or the pointer is damaged.
        """
        pointer = self.folder / _POINTER
        try:
            name = pointer.read_text(encoding="ascii").strip()
        except FileNotFoundError as error:
            raise IndexDamaged(f"nothing has been built in {self.folder}") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error  # without the path once more
            raise IndexDamaged(f"{pointer} cannot be read: {reason}") from error
        if not _GENERATION.fullmatch(name):
            raise IndexDamaged(f"{pointer} does not name a generation")
        return self.folder / name

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Makes other builds of this index wait.

        Raises:
            IndexingError: another process has held it for too long.
        """
        path = self._lock_file
        too_long = IndexingError(
            f"another process has been building {self.folder} for {_PATIENCE / 60:.0f} minutes",
            hint=f"if none is running, remove {path}",
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        with hold_lock(path, _PATIENCE, too_long):
            yield

    @contextlib.contextmanager
    def new(self) -> Iterator[Path]:
        """Gives a folder to fill; when the block ends without an error it becomes the current generation.

        The caller holds ``lock``.
        """
        remove_partials(self.folder)
        self._remove([path for path in self.folder.iterdir() if path.name.startswith(_UNFINISHED)])
        token = secrets.token_hex(4)
        unfinished = self.folder / f"{_UNFINISHED}{token}"
        unfinished.mkdir()
        try:
            yield unfinished
            sync_files(unfinished)
            finished = {
                path: match for path in self.folder.iterdir() if (match := _GENERATION.fullmatch(path.name))
            }
            number = 1 + max((int(match[1]) for match in finished.values()), default=0)
            generation = self.folder / f"g{number:08d}-{token}"
            unfinished.rename(generation)
            sync_folder(self.folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        previous = self._previous()
        with atomic_file(self.folder / _POINTER) as file:
            file.write(generation.name.encode("ascii"))
        self._remove([path for path in finished if path != previous])

    def leftovers(self) -> list[Path]:
        """Lists what killed builds have left, which the next one removes; nothing during a build."""
        if not self.folder.is_dir():
            return []
        found = find_partials(self.folder)
        unfinished = [path for path in self.folder.iterdir() if path.name.startswith(_UNFINISHED)]
        if unfinished:
            with contextlib.suppress(IndexingError), hold_lock(self._lock_file, 0, IndexingError("")):
                found += [path for path in unfinished if path.exists()]
        return found

    @property
    def _lock_file(self) -> Path:
        """Lies beside the folder, which may be removed."""
        return self.folder.with_name(f"{self.folder.name}.lock")

    def _previous(self) -> Path | None:
        try:
            return self.current()
        except IndexDamaged:
            return None

    def _remove(self, folders: list[Path]) -> None:
        for folder in folders:
            try:
                shutil.rmtree(folder)
            except OSError as error:  # in use, on a system that forbids removal: the next build tries again
                log.info("%s could not be removed yet: %s", folder, error)


@functools.lru_cache(maxsize=4096)
def slug_of(category: str) -> str:
    """Makes a folder name for a category: short, lower case, ASCII, never special, another for each.

    The readable part is for people; the digest alone tells categories apart, so that names that differ in
    case, in accents or after the thirty-second character, or are empty, ``..`` or ``CON``, need no care.

    Example:
        >>> slug_of("Robes d'été / Été")
        'robes-d-ete-ete-c946447f5f13bc24'
    """
    plain = unicodedata.normalize("NFKD", category).encode("ascii", "ignore").decode()
    readable = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:_READABLE].strip("-")
    digest = sha256_bytes(category.encode("utf-8", "surrogatepass"))[:_DIGITS]
    return f"{readable}-{digest}" if readable else f"category-{digest}"


class Nearest(NamedTuple):
    """Ids, distances and rows of queries: int64, float32, int64, shape (n,); see ``OpenIndex.search_any``."""

    ids: Ids
    distances: Floats
    rows: Ids


@dataclass(frozen=True, slots=True)
class CategoryState:
    """The state of one category's index.

    Attributes:
        category: name of the category.
        state: ``ready`` or ``damaged``.
        reason: what is damaged, or an empty string.
        manifest: manifest of the index; None when it is damaged.
    """

    category: str
    state: str
    reason: str
    manifest: Manifest | None


class OpenIndex:
    """An open index, which answers with the ids that it was built with. Safe to use from several threads.

    Attributes:
        manifest: manifest of the index.
        ids: id of each slot, int64, shape (count,).
        vectors: vector of each slot, shape (count, dim), memory-mapped.
        slots: the index of slots.
    """

    def __init__(
        self,
        manifest: Manifest,
        ids: Ids,
        vectors: Floats,
        slots: VectorIndex,
        open_reduced: Callable[[], RerankedIndex],
    ) -> None:
        self.manifest = manifest
        self.ids = ids
        self.vectors = vectors
        self.slots = slots
        self._is_rising = bool((ids[1:] > ids[:-1]).all())
        self._open_reduced = open_reduced
        self._reduced = slots if isinstance(slots, RerankedIndex) else None
        self._was_asked = False

    def reduced(self) -> RerankedIndex | None:
        """The index of reduced vectors, to be scanned together with those of other categories.

        Where searches of this category alone do without it, its files are opened here; those of few vectors
        at the second call, since opening them takes longer than comparing with all vectors once.

        Returns:
            the index; None where none was written, or where it is not worth opening yet.

        Raises:
            IndexDamaged: its files are damaged, or removed since a newer generation took its place.
        """
        if self._reduced is None and self.manifest.reduced_width:
            if self.count >= _WORTH_OPENING or self._was_asked:
                self._reduced = self._open_reduced()
            self._was_asked = True
        return self._reduced

    @property
    def count(self) -> int:
        """Number of vectors."""
        return self.manifest.count

    @property
    def kind(self) -> str:
        """``annoy``, or ``exact`` for few vectors or without Annoy."""
        return self.manifest.kind

    @property
    def n_bytes(self) -> int:
        """Size on disk."""
        return self.manifest.n_bytes

    @property
    def last_feature_id(self) -> int:
        """The largest feature id when it was built."""
        return self.manifest.last_feature_id

    def query(self, vectors: AnyFloats, k: int) -> tuple[Ids, Floats]:
        """Ids and distances of the k nearest of each vector; see ``VectorIndex.query``.

        Raises:
            IndexDamaged: as ``search_any``.
        """
        with self._told_as_damage(vectors, k):
            slots, found = self.slots.query(vectors, k)
        return self.ids[slots], found

    def slots_of(self, ids: Ids) -> Ids:
        """Slots, rising, of those of some ids, rising, that are in this index."""
        if self._is_rising and len(ids) < self.count:
            slots = np.searchsorted(self.ids, ids)
            is_here = slots < self.count
            is_here[is_here] = self.ids[slots[is_here]] == ids[is_here]
            return slots[is_here]
        places = np.searchsorted(ids, self.ids)
        is_meant = places < len(ids)
        is_meant[is_meant] = ids[places[is_meant]] == self.ids[is_meant]
        return np.flatnonzero(is_meant)

    def search_any(self, vectors: AnyFloats, k: int, *, among: Ids | None = None) -> Nearest:
        """The k ids that are nearest to any of the vectors; see ``VectorIndex.search_any``.

        Args:
            vectors: shape (q, dim).
            k: number of ids.
            among: the slots that are searched, as ``slots_of`` finds them; all if not given.

        Raises:
            IndexDamaged: a vector has numbers that none was built with, or Annoy names slots that there are
            not.
        """
        with self._told_as_damage(vectors, k):
            slots, found, rows = self.slots.search_any(vectors, k, among=among)
        return Nearest(self.ids[slots], found, rows)

    @contextlib.contextmanager
    def _told_as_damage(self, vectors: AnyFloats, k: int) -> Iterator[None]:
        """Turns the error of stored vectors with values that are not finite, which no build writes."""
        try:
            yield
        except ValueError as error:
            validate_queries(vectors, self.slots.dim, k)  # it may be the query's
            raise IndexDamaged(f"the index of {self.manifest.category!r} is damaged: {error}") from error

    def close(self) -> None:
        """Closes the files; the index cannot be searched any more."""
        if isinstance(self.slots, RerankedIndex):
            self.slots.close()


class CategoryIndexes:
    """Builds, opens, checks and removes the indexes of one space.

    Args:
        folder: folder of the indexes; made at the first build.
        space_key: name of the space; an index of another one is refused.
        metric: one of ``stylesearch.distance.METRICS``.
        dim: width of a vector of the space.
        strategy: how opened indexes are searched; by default the quickest way for each query.
    """

    def __init__(
        self, folder: Path, space_key: str, metric: str, dim: int, *, strategy: Strategy | None = None
    ) -> None:
        self.folder = folder
        self.space_key = space_key
        self.metric = check_metric(metric)
        self.dim = dim
        self.strategy = strategy
        self._pointers: dict[str, tuple[Path, tuple[int, int, int], str]] = {}

    def build(
        self,
        category: str,
        blocks: Iterable[tuple[Ids, AnyFloats]],
        *,
        transform_version: str,
        last_feature_id: int,
        n_rows: int | None = None,
    ) -> Manifest:
        """Builds a category's index anew; readers use the old one until the new one is complete.

        Args:
            category: any string.
            blocks: ids, int64 (n,), all different, and vectors, (n, dim), block by block.
            transform_version: version of the transform that made the vectors.
            last_feature_id: the largest feature id so far; newer features are not in this index.
            n_rows: rough number of vectors, if known: a full disk is then noticed beforehand.

        Raises:
            IndexingError: vectors of another width or not finite, ids that repeat, too little room on the
                disk, or another process that does not finish building this category.
        """
        contents = Contents(
            self.space_key, category, self.metric, self.dim, transform_version, last_feature_id
        )
        home = self.folder / slug_of(category)
        generations = Generations(home)
        with generations.lock():
            if n_rows:
                _check_room(self.folder, n_rows * bytes_of_a_row(self.dim))
            with generations.new() as generation:
                manifest = write_generation(generation, contents, blocks)
            write_json(home / _NAME, {"category": category})
        log.info("built the index of %r: %s, %d vectors", category, manifest.kind, manifest.count)
        return manifest

    def open(self, category: str, *, transform_version: str | None = None) -> OpenIndex:
        """Opens a category's index, after checking that it is complete and of this space.

        Args:
            category: name of the category.
            transform_version: if given, an index of another version is refused.

        Raises:
            IndexDamaged: it is missing, of another space, cut short or altered. The caller can search
                exactly, and build again.
        """
        return self._retry(category, partial(self._open, transform_version=transform_version))

    def current_generation(self, category: str) -> str:
        """Name of the generation that ``open`` would open; empty if there is none.

        Quick, since every search asks for it: the pointer is read again only when another file has taken its
        place.
        """
        known = self._pointers.get(category)
        path = known[0] if known else self.folder / slug_of(category) / _POINTER
        try:
            status = path.stat()
        except OSError:
            return ""
        stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
        if known and known[1] == stamp:
            return known[2]
        try:
            name = Generations(path.parent).current().name
        except IndexDamaged:
            return ""
        self._pointers[category] = path, stamp, name
        return name

    def categories(self) -> list[str]:
        """Names of the categories that have been built, sorted."""
        names = []
        for path in sorted(self.folder.glob(f"*/{_NAME}")):
            try:
                name = read_json(path)["category"]
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("%s cannot be read: %s", path, error)
                continue
            if isinstance(name, str) and slug_of(name) == path.parent.name:
                names.append(name)
        return sorted(names)

    def status(self) -> list[CategoryState]:
        """The state of every index, checked without hashing all of its files."""
        return [self._state(category) for category in self.categories()]

    def verify(self, category: str) -> Manifest:
        """Hashes every file of a category's index.

        Raises:
            IndexDamaged: it is missing, of another space, cut short or altered.
        """
        return self._retry(category, self._verify)

    def _verify(self, generation: Path, category: str) -> Manifest:
        manifest = self._manifest(generation, category, None)
        manifest.check_files(generation, thorough=True)
        return manifest

    def _retry(self, category: str, use: Callable[[Path, str], T]) -> T:
        """Uses the current generation, and the one that has replaced it meanwhile if there is one."""
        generations = Generations(self.folder / slug_of(category))
        for attempt in range(_TRIES):
            generation = generations.current()
            try:
                return use(generation, category)
            except IndexDamaged:
                if attempt + 1 == _TRIES or generations.current() == generation:
                    raise
        raise AssertionError("unreachable")

    def remove(self, category: str) -> None:
        """Removes a category's index, if there is one."""
        generations = Generations(self.folder / slug_of(category))
        if generations.folder.exists():
            with generations.lock():
                shutil.rmtree(generations.folder)

    def leftovers(self, categories: Iterable[str]) -> list[Path]:
        """Lists what builds that were killed have left, and the indexes of categories that are not named."""
        kept = {slug_of(category) for category in categories}
        folders = [path for path in self.folder.glob("*") if path.is_dir()]
        others = [path for path in folders if path.name not in kept]
        return others + [
            one for path in folders if path.name in kept for one in Generations(path).leftovers()
        ]

    def remove_others(self, categories: Iterable[str]) -> None:
        """Removes the indexes of all categories but these, also where a folder does not say whose it is."""
        kept = {slug_of(category) for category in categories}
        for path in self.folder.glob("*"):
            if path.is_dir() and path.name not in kept:
                with Generations(path).lock():
                    shutil.rmtree(path)

    def _state(self, category: str) -> CategoryState:
        try:
            opened = self.open(category)
        except IndexDamaged as error:
            return CategoryState(category, "damaged", error.message, None)
        opened.close()
        return CategoryState(category, "ready", "", opened.manifest)

    def _manifest(self, generation: Path, category: str, transform_version: str | None) -> Manifest:
        manifest = Manifest.read(generation)
        wanted = (self.space_key, category, self.metric, self.dim)
        stored = (manifest.space_key, manifest.category, manifest.metric, manifest.dim)
        if stored != wanted:
            raise IndexDamaged(f"{generation} is an index of {stored} instead of {wanted}")
        if transform_version not in (None, manifest.transform_version):
            raise IndexDamaged(f"{generation} was built with another fit of the space")
        expected = {VECTORS, IDS} | ({REDUCED, REDUCTION, FOREST} if manifest.kind == "annoy" else set())
        if set(manifest.files) != expected:
            raise IndexDamaged(f"{generation} does not list the files of an index")
        return manifest

    def _open(self, generation: Path, category: str, *, transform_version: str | None) -> OpenIndex:
        manifest = self._manifest(generation, category, transform_version)
        manifest.check_files(generation)
        vectors = open_array(generation / VECTORS, (manifest.count, self.dim))
        ids = read_ids(generation, manifest)
        slots = self._slots(generation, manifest, vectors)
        open_reduced = partial(self._reranked, generation, manifest, vectors, set())
        return OpenIndex(manifest, ids, vectors, slots, open_reduced)

    def _slots(self, generation: Path, manifest: Manifest, vectors: Floats) -> VectorIndex:
        """Opens only the files that a search of these vectors can need: a cold query waits for it."""
        width = manifest.reduced_width
        ways = (
            possible_strategies(
                self.metric,
                manifest.count,
                self.dim,
                width,
                needed=manifest.n_candidates,
            )
            if width
            else set()
        )
        if width and self.strategy:
            ways = {self.strategy}
        if ways <= {Strategy.EXACT}:
            return ExactIndex(vectors, self.metric)
        index = self._reranked(generation, manifest, vectors, ways)
        if self.strategy is Strategy.ANNOY and not index.has_trees:
            return ExactIndex(vectors, self.metric)
        return index

    def _reranked(
        self, generation: Path, manifest: Manifest, vectors: Floats, ways: set[Strategy]
    ) -> RerankedIndex:
        """Opens what candidates are searched with; Annoy's trees only if they are among the ways to do it."""
        width = manifest.reduced_width
        manifest.check_file(generation, REDUCTION)
        reduction = Reduction.load(generation / REDUCTION)
        if reduction.axes.shape != (self.dim, width - 1) or reduction.mean.shape != (self.dim,):
            raise IndexDamaged(f"{generation / REDUCTION} is of another space")
        panels = open_array(generation / REDUCED, (n_panels(manifest.count), width + 1, PANEL))
        forest = None
        trusted = self.strategy is Strategy.ANNOY or manifest.annoy_recall >= TRUSTED_RECALL
        if Strategy.ANNOY in ways and trusted and annoy_works():
            manifest.check_file(generation, FOREST)
            forest = AnnoyForest(generation / FOREST, width, manifest.count)
        return RerankedIndex(
            vectors,
            self.metric,
            reduction,
            panels,
            forest,
            needed=manifest.n_candidates,
            strategy=self.strategy if forest or self.strategy is not Strategy.ANNOY else None,
        )


def _check_room(folder: Path, n_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise IndexingError(
            f"an index of about {n_bytes // 2**20} MiB does not fit: {folder} has {free // 2**20} MiB left",
            hint="the catalog is searched exactly without it; make room, then: stylesearch index build",
        )
