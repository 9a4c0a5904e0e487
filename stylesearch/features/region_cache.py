"""Vectors of photos' regions on disk, by extractor, region plan and content of the photo.

One file a photo, ``FOLDER/<extractor>/<plan>/<ab>/<sha256>``: the vectors of its regions in the order of the
plan, encoded as the catalog encodes vectors. A file of another length than the plan asks for counts as
missing and is written again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from stylesearch.catalog.vector_codec import decode_vectors, encode_vectors
from stylesearch.errors import StyleSearchError
from stylesearch.files import atomic_file, digest_of
from stylesearch.images.regions import REGION_PLANS
from stylesearch.registry import unknown_name

__all__ = ["RegionCache"]


class RegionCache:
    """The cache of one extractor and one plan.

    Args:
        folder: folder for the caches of a workspace.
        fingerprint: fingerprint of the extractor.
        dim: width of its vectors.
        plan: a name in ``stylesearch.images.regions.REGION_PLANS``.

    Raises:
        UnknownName: no such plan.
    """

    def __init__(self, folder: Path, fingerprint: str, dim: int, plan: str) -> None:
        if plan not in REGION_PLANS:
            raise unknown_name("region plan", plan, REGION_PLANS)
        boxes = [[box.x0, box.y0, box.x1, box.y1] for box in REGION_PLANS[plan]]
        self.plan = plan
        self.n_regions = len(boxes)
        self.dim = dim
        # A plan whose boxes change is another plan.
        self.folder = folder / fingerprint[:16] / f"{plan}-{digest_of({'boxes': boxes})[:8]}"

    def has(self, sha256: str) -> bool:
        """Whether the cache has the vectors of that content."""
        try:
            return self._path(sha256).stat().st_size in self._lengths
        except FileNotFoundError:
            return False

    def get(self, sha256: str) -> npt.NDArray[np.float32]:
        """Reads the vectors of the regions, float32 (regions, dim).

        Raises:
            StyleSearchError: the cache does not have them, or the file is damaged.
        """
        path = self._path(sha256)
        data = path.read_bytes() if path.exists() else b""
        if len(data) not in self._lengths:
            raise StyleSearchError(f"{path} is gone or damaged", hint="run it again: it is computed anew")
        width = len(data) // self.n_regions
        return decode_vectors([data[i * width : (i + 1) * width] for i in range(self.n_regions)], self.dim)

    def put(self, sha256: str, vectors: npt.NDArray[np.float32]) -> None:
        """Stores the vectors of the regions, float32 (regions, dim), finite."""
        rows = encode_vectors(vectors)
        if len({len(row) for row in rows}) > 1:  # one width a file
            rows = encode_vectors(vectors, "float32")
        with atomic_file(self._path(sha256)) as file:
            file.write(b"".join(rows))

    @property
    def _lengths(self) -> tuple[int, int]:
        n_values = self.n_regions * self.dim
        return 2 * n_values, 4 * n_values

    def _path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256
