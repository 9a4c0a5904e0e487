"""Writes the files of one generation of an index, and a manifest that is checked before they are used.

The manifest has a digest of itself. The sizes of all files are always checked, and so are the headers of
arrays that are opened. What a wrong byte could turn into a wrong answer at once is hashed at each opening:
the ids, the axes, and Annoy's trees, since a wrong byte there can crash the process. The vectors, and what
is scanned for candidates, are many times as large, and are hashed if their modification time is not the
recorded one (so a copied workspace costs some milliseconds more at each start, until it is built again). A
bit that rots in them with the recorded time changes one distance, or loses one candidate; only ``verify``
finds it, which hashes everything.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import AnyFloats, Floats, Ids
from stylesearch.data_files import check_fields, read_json
from stylesearch.errors import IndexDamaged, IndexingError
from stylesearch.files import digest_of, sha256_bytes, sha256_file, write_json
from stylesearch.index.annoy_forest import AnnoyForest, annoy_works, build_forest
from stylesearch.index.reduction import PANEL, fit_reduction, n_panels, scan_panels
from stylesearch.index.reranked import Calibration, calibrate

__all__ = [
    "FOREST",
    "FORMAT",
    "IDS",
    "REDUCED",
    "REDUCTION",
    "VECTORS",
    "Contents",
    "FileRecord",
    "Manifest",
    "bytes_of_a_row",
    "open_array",
    "read_ids",
    "write_generation",
]

FORMAT = 3
_NAME = "manifest.json"
VECTORS, IDS = "vectors.npy", "ids.npy"
REDUCED, REDUCTION, FOREST = "reduced.npy", "reduction.npz", "forest.ann"

FEWEST_FOR_CANDIDATES = 64
"""Below this many vectors comparing with all of them is all there is."""

N_AXES = 94
"""Axes that candidates of CNN features are searched in; two more numbers come with them."""

N_AXES_SIGNED = 142
"""The same where vectors have negative values: whitening spreads what matters over more axes."""

N_TREES = 40
SAMPLE = 8192
_BLOCK = 128 * PANEL


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file as it was when it was written.

    Attributes:
        size: size in bytes.
        sha256: hexadecimal digest of its content.
        mtime_ns: time of modification, nanoseconds.
    """

    size: int
    sha256: str
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """Makes the record of a complete file."""
        stat = path.stat()
        return cls(stat.st_size, sha256_file(path), stat.st_mtime_ns)

    def check(self, path: Path, *, thorough: bool) -> None:
        """Compares the record with the file at ``path``.

        Args:
            path: the file.
            thorough: whether to hash it even if its time is the recorded one.

        Raises:
            IndexDamaged: it is missing, cut short or altered.
        """
        try:
            stat = path.stat()
            if stat.st_size != self.size:
                raise IndexDamaged(f"{path} has {stat.st_size} bytes instead of {self.size}")
            if (thorough or stat.st_mtime_ns != self.mtime_ns) and sha256_file(path) != self.sha256:
                raise IndexDamaged(f"{path} is not what was written: its sha256 differs")
        except OSError as error:
            reason = getattr(error, "strerror", None) or error  # without the path once more
            raise IndexDamaged(f"{path} cannot be read: {reason}") from error


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of a generation.

    Attributes:
        space_key: name of the space of the vectors.
        category: name of the category.
        metric: metric of all distances.
        dim: width of a vector.
        count: number of vectors.
        kind: ``annoy``, or ``exact`` where there are few vectors or no Annoy.
        reduced_width: width of a reduced vector, which candidates are searched with; 0 for ``exact``.
        n_candidates: number of candidates that a search of these vectors needs as a rule, by calibration; 0
            for ``exact``.
        annoy_recall: share of true neighbours among Annoy's candidates in the calibration.
        n_trees: Annoy's trees; 0 for ``exact``.
        seed: seed of the sample, of the axes and of Annoy.
        transform_version: version of the transform that made the vectors.
        last_feature_id: the largest feature id when the vectors were read.
        built: time of the build, ISO 8601 in UTC.
        builders: versions of the libraries that built it.
        files: records of the files by name.
    """

    space_key: str
    category: str
    metric: str
    dim: int
    count: int
    kind: str
    reduced_width: int
    n_candidates: int
    annoy_recall: float
    n_trees: int
    seed: int
    transform_version: str
    last_feature_id: int
    built: str
    builders: Mapping[str, str]
    files: Mapping[str, FileRecord]

    @property
    def n_bytes(self) -> int:
        """Size of all files."""
        return sum(record.size for record in self.files.values())

    def write(self, folder: Path) -> None:
        """Writes the manifest into a generation's folder."""
        values = {"format": FORMAT, **asdict(self)}
        write_json(folder / _NAME, {**values, "sha256": digest_of(values)})

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads what ``write`` wrote.

        Raises:
            IndexDamaged: it is missing, damaged, or of a format that is not known here.
        """
        path = folder / _NAME
        try:
            stored: dict[str, Any] = read_json(path)
            if stored["format"] != FORMAT:
                raise IndexDamaged(f"{path} is of another format", hint="stylesearch index build")
            if stored.pop("sha256") != digest_of(stored):
                raise IndexDamaged(f"{path} is not what was written: its sha256 differs")
            del stored["format"]
            files = {name: _read_record(record) for name, record in stored.pop("files").items()}
            check_fields(cls, stored)
            return cls(**stored, files=files)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = getattr(error, "strerror", None) or error  # without the path once more
            raise IndexDamaged(f"{path} cannot be read: {reason}") from error

    def check_files(self, folder: Path, *, thorough: bool = False) -> None:
        """Compares every file with its record.

        Raises:
            IndexDamaged: one is missing, cut short or altered.
        """
        for name, record in self.files.items():
            record.check(folder / name, thorough=thorough)

    def check_file(self, folder: Path, name: str) -> None:
        """Hashes one file.

        Raises:
            IndexDamaged: it is missing, cut short or altered.
        """
        self.files[name].check(folder / name, thorough=True)


def _read_record(stored: dict[str, Any]) -> FileRecord:
    check_fields(FileRecord, stored)
    return FileRecord(**stored)


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything besides vectors that an index is built with; see ``Manifest``."""

    space_key: str
    category: str
    metric: str
    dim: int
    transform_version: str
    last_feature_id: int
    seed: int = 20


def write_generation(folder: Path, contents: Contents, blocks: Iterable[tuple[Ids, AnyFloats]]) -> Manifest:
    """Writes a generation into an empty folder; memory is bounded by a block, a sample and Annoy's trees.

    Args:
        folder: folder of the generation.
        contents: category, metric and versions of the index.
        blocks: ids, int64 (n,), and vectors, (n, dim); slots are numbered from the first block to the last.

    Raises:
        IndexingError: vectors of another width, or values that are not finite, or an id that comes twice.
    """
    count = _write_vectors(folder, contents, blocks)
    names, width, n_trees = [VECTORS, IDS], 0, 0
    needs = Calibration(0, 0.0)
    if count >= FEWEST_FOR_CANDIDATES and annoy_works():
        width, needs = _write_candidates(folder, contents, count)
        names, n_trees = [*names, REDUCED, REDUCTION, FOREST], N_TREES
    manifest = Manifest(
        space_key=contents.space_key,
        category=contents.category,
        metric=contents.metric,
        dim=contents.dim,
        count=count,
        kind="annoy" if width else "exact",
        reduced_width=width,
        n_candidates=needs.n_candidates,
        annoy_recall=round(needs.annoy_recall, 4),
        n_trees=n_trees,
        seed=contents.seed,
        transform_version=contents.transform_version,
        last_feature_id=contents.last_feature_id,
        built=datetime.now(UTC).isoformat(timespec="seconds"),
        builders=_builders(with_annoy=bool(width)),
        files={name: FileRecord.of(folder / name) for name in names},
    )
    manifest.write(folder)
    return manifest


def open_array(path: Path, shape: tuple[int, ...]) -> Floats:
    """Maps an array of float32 from a file into memory, read only, after comparing its header.

    Raises:
        IndexDamaged: the file is missing, of another size, or holds another array.
    """
    header = _header(np.float32, shape)
    try:
        with path.open("rb") as file:
            found = file.read(len(header))
            size = os.fstat(file.fileno()).st_size
            if found != header or size != len(header) + math.prod(shape) * 4:
                raise IndexDamaged(f"{path} does not hold an array of shape {shape}")
            if math.prod(shape) == 0:  # an empty file cannot be mapped
                return np.empty(shape, np.float32)
            return np.asarray(np.memmap(file, dtype="<f4", mode="r", offset=len(header), shape=shape))
    except (OSError, ValueError) as error:
        raise IndexDamaged(f"{path} cannot be opened: {error}") from error


def read_ids(folder: Path, manifest: Manifest) -> Ids:
    """Reads the ids of a generation, int64 (count,), and compares their digest with the manifest's.

    Raises:
        IndexDamaged: they are missing, damaged, or of another number.
    """
    path, header = folder / IDS, _header(np.int64, (manifest.count,))
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = getattr(error, "strerror", None) or error  # without the path once more
        raise IndexDamaged(f"{path} cannot be read: {reason}") from error
    if sha256_bytes(data) != manifest.files[IDS].sha256:
        raise IndexDamaged(f"{path} is not what was written: its sha256 differs")
    if not data.startswith(header) or len(data) != len(header) + 8 * manifest.count:
        raise IndexDamaged(f"{path} does not hold {manifest.count} ids")
    return np.frombuffer(data, "<i8", offset=len(header))


def bytes_of_a_row(dim: int) -> int:
    """Rough size of a vector on the disk: itself, its reduced vector, and its share of Annoy's trees."""
    return 4 * dim + 8 + 4 * (N_AXES_SIGNED + 2) * 2 + 25 * N_TREES


def _write_vectors(folder: Path, contents: Contents, blocks: Iterable[tuple[Ids, AnyFloats]]) -> int:
    ids: list[Ids] = []
    with (folder / VECTORS).open("xb") as file:
        _write_header(file, (0, contents.dim))  # written again when their number is known
        for block_ids, vectors in blocks:
            if vectors.ndim != 2 or vectors.shape[1] != contents.dim or len(vectors) != len(block_ids):
                raise IndexingError(
                    f"ids (n,) and vectors (n, {contents.dim}) are wanted. "
                    f"Received: {np.shape(block_ids)} and {vectors.shape}"
                )
            block = np.ascontiguousarray(vectors, dtype="<f4")
            if not np.isfinite(block).all():
                raise IndexingError(f"the vectors of {contents.category!r} have values that are not finite")
            file.write(block.data)
            ids.append(np.asarray(block_ids, dtype=np.int64))
        all_ids = np.concatenate([np.empty(0, np.int64), *ids])
        _write_header(file, (len(all_ids), contents.dim))
    if len(np.unique(all_ids)) != len(all_ids):
        raise IndexingError(f"an id comes twice among the vectors of {contents.category!r}")
    np.save(folder / IDS, all_ids)
    return len(all_ids)


def _write_candidates(folder: Path, contents: Contents, count: int) -> tuple[int, Calibration]:
    """Writes what candidates are searched with; returns the reduced width and the calibration."""
    vectors = open_array(folder / VECTORS, (count, contents.dim))
    chosen = np.random.default_rng(contents.seed).choice(count, min(count, SAMPLE), replace=False)
    sample = vectors[np.sort(chosen)]
    signed = bool((sample < 0).any())
    n_axes = min(N_AXES_SIGNED if signed else N_AXES, contents.dim, len(sample))
    reduction = fit_reduction(sample, contents.metric, n_axes, seed=contents.seed)
    reduction.save(folder / REDUCTION)

    def reduced_blocks() -> Iterator[Floats]:
        with (folder / REDUCED).open("xb") as file:
            _write_header(file, (n_panels(count), reduction.width + 1, PANEL))
            for start in range(0, count, _BLOCK):
                block = reduction.reduce(vectors[start : start + _BLOCK])
                file.write(scan_panels(block).astype("<f4", copy=False).data)
                yield block

    build_forest(folder / FOREST, reduced_blocks(), reduction.width, n_trees=N_TREES, seed=contents.seed)
    panels = open_array(folder / REDUCED, (n_panels(count), reduction.width + 1, PANEL))
    forest = AnnoyForest(folder / FOREST, reduction.width, count)
    try:
        needs = calibrate(vectors, panels, reduction, forest, contents.metric, seed=contents.seed)
    finally:
        forest.close()
    return reduction.width, needs


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    """Writes a header at the start of the file, and returns to its end."""
    file.seek(0)
    file.write(_header(np.float32, shape))
    file.seek(0, 2)


def _header(dtype: npt.DTypeLike, shape: tuple[int, ...]) -> bytes:
    """The header of a ``.npy`` file; as long for any length of the array, so that it can be written again."""
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(dtype).newbyteorder("<")),
        "fortran_order": False,
        "shape": shape,
    }
    text = io.BytesIO()
    np.lib.format.write_array_header_1_0(text, header)
    return text.getvalue()


def _builders(*, with_annoy: bool) -> dict[str, str]:
    import platform  # imported here, since only builds need these, and every query imports this module
    from importlib import metadata

    versions = {"python": platform.python_version(), "numpy": np.__version__}
    if with_annoy:
        versions["annoy"] = metadata.version("annoy")
    return versions
