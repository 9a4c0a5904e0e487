"""Real photos of single garments with their kinds, and their split into training, validation and test."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.shops import real_photos
from stylesearch.files import sha256_file
from stylesearch.images.decode import decode
from stylesearch.settings import load_settings
from stylesearch.training.near_duplicates import near_pairs
from stylesearch.training.perceptual_hash import DECODED_SIDE, perceptual_hash

__all__ = ["KINDS", "NOT_A_GARMENT", "PARTS", "KindPhotos", "cache_folder", "kind_photos", "split_by_group"]

NOT_A_GARMENT: Final = "not a garment"
KINDS: Final = (
    "t-shirt",
    "shirt",
    "longsleeve",
    "outwear",
    "dress",
    "skirt",
    "pants",
    "shorts",
    "shoes",
    "hat",
    NOT_A_GARMENT,
)
PARTS: Final = ("train", "validation", "test")
SHARES: Final = (0.60, 0.15, 0.25)
SEED: Final = 1
NEAR_BITS: Final = 48
"""Photos whose hashes differ in so few bits of 255 stay in one part: more than in a training of a shop, since
here no two photos of different garments are that near (``stylesearch.training.perceptual_hash``)."""

FOLDERS: Final = {
    "blazer": "outwear",
    "coat": "outwear",
    "hoodie": "outwear",
    "jacket": "outwear",
    "jeans": "pants",
    "jumper": "longsleeve",
    "outerwear": "outwear",
    "shoe": "shoes",
    "sweater": "longsleeve",
    "top": "t-shirt",
    "trousers": "pants",
    "tshirt": "t-shirt",
}
"""Other names that a folder of photos may have; a folder that has none of these names is left out."""


@dataclass(frozen=True)
class KindPhotos:
    """Photos with the kind of garment and the part of the split of each.

    Attributes:
        paths: their files.
        kinds: places in ``KINDS``, (n,).
        parts: places in ``PARTS``, (n,).
    """

    paths: list[Path]
    kinds: npt.NDArray[np.intp]
    parts: npt.NDArray[np.intp]

    def part(self, name: str) -> KindPhotos:
        """The photos of one part."""
        rows = np.flatnonzero(self.parts == PARTS.index(name))
        return KindPhotos([self.paths[row] for row in rows], self.kinds[rows], self.parts[rows])


def cache_folder() -> Path:
    """Where features and images are kept for the next run: ``BENCH_FOLDER``, or the workspace's cache."""
    return Path(os.environ.get("BENCH_FOLDER") or load_settings().home / "cache" / "kinds")


def kind_photos() -> KindPhotos | None:
    """Reads the photos of ``clothing/`` in the folder $STYLESEARCH_TEST_DATA; None where it is missing."""
    home = real_photos()
    if home is None:
        return None
    paths: list[Path] = []
    kinds: list[int] = []
    for folder in sorted(path for path in (home / "clothing").iterdir() if path.is_dir()):
        kind = FOLDERS.get(folder.name.lower(), folder.name.lower())
        if kind not in KINDS:
            print(f"left out: {folder.name}, which is no kind of garment that is known here\n")
            continue
        found = sorted(folder.glob("*.jpg"))
        paths += found
        kinds += [KINDS.index(kind)] * len(found)
    labels = np.array(kinds, np.intp)
    return KindPhotos(paths, labels, split_by_group(_group(paths), labels))


def split_by_group(groups: Sequence[str], kinds: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Splits photos into the parts, each kind by the same shares; photos of one group stay together.

    The order in which groups are dealt out follows from the digests of their names, so that a photo more
    moves few others to another part.

    Args:
        groups: a name for each photo; the first photo of a group decides its kind.
        kinds: of each photo, (n,).

    Returns:
        places in ``PARTS``, (n,).
    """
    kind_of: dict[str, int] = {}
    members: dict[str, int] = {}
    for group, kind in zip(groups, kinds.tolist(), strict=True):
        kind_of.setdefault(group, kind)
        members[group] = members.get(group, 0) + 1
    part_of: dict[str, int] = {}
    bounds = np.cumsum(SHARES)
    for kind in sorted(set(kind_of.values())):
        own = sorted((group for group in kind_of if kind_of[group] == kind), key=_digest)
        total = sum(members[group] for group in own)
        n_before = 0
        for group in own:
            part_of[group] = min(int(np.searchsorted(bounds, (n_before + 0.5) / total)), len(PARTS) - 1)
            n_before += members[group]
    return np.array([part_of[group] for group in groups], np.intp)


def _digest(group: str) -> str:
    return hashlib.sha256(f"{SEED} {group}".encode()).hexdigest()


def _group(paths: Sequence[Path]) -> list[str]:
    """Names of groups of equal and near-equal photos: the smallest sha256 of each group."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    shapes = _shapes(paths)
    pairs = np.concatenate([np.empty((0, 2), np.int64), *near_pairs(shapes, NEAR_BITS)])
    graph = coo_array((np.ones(len(pairs), np.bool_), (pairs[:, 0], pairs[:, 1])), shape=(len(paths),) * 2)
    _, component = connected_components(graph, directed=False)
    names: dict[int, str] = {}
    digests = [sha256_file(path) for path in paths]
    for number, digest in zip(component.tolist(), digests, strict=True):
        names[number] = min(names.get(number, digest), digest)
    return [names[number] for number in component.tolist()]


def _shapes(paths: Sequence[Path]) -> npt.NDArray[np.uint64]:
    """Perceptual hashes of photos, (n, words), kept for the next run."""
    kept = cache_folder() / "hashes.npz"
    names = [f"{path.parent.name}/{path.name}" for path in paths]
    if kept.is_file():
        with np.load(kept) as stored:
            if stored["names"].tolist() == names:
                return np.asarray(stored["shapes"], np.uint64)
    shapes = np.stack([perceptual_hash(decode(path, reduce_to=DECODED_SIDE).pixels).shape for path in paths])
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.savez(kept, names=np.array(names), shapes=shapes)
    return shapes
