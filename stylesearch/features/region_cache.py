"""Vectors of photos' regions on disk, by extractor, region plan and content of the photo.

One file a photo, ``FOLDER/<extractor>/<plan>/<ab>/<sha256>``: the vectors of its regions in the order of the
plan, encoded as the catalog encodes vectors. A file of another length than the plan asks for counts as
missing and is written again. In the plan *person* photos have different numbers of regions, which the length
of the file tells.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesearch.catalog.vector_codec import decode_vectors, encode_vectors
from stylesearch.errors import StyleSearchError
from stylesearch.files import atomic_file, digest_of
from stylesearch.images.regions import PERSON_PLAN, REGION_PLANS, WITH_PERSON, WITHOUT_PERSON
from stylesearch.registry import unknown_name

__all__ = ["RegionCache"]

SQUARES_VERSION = 2
"""Increased by one when the finder of persons, or what is cut out around them, changes."""


class RegionCache:
    """The cache of one extractor and one plan.

    Args:
        folder: folder for the caches of a workspace.
        fingerprint: fingerprint of the extractor.
        dim: width of its vectors.
        plan: a name in ``stylesearch.images.regions.REGION_PLANS``, or ``person``.

    Attributes:
        n_regions: the most regions that a photo has in the plan.

    Raises:
        UnknownName: no such plan.
    """

    def __init__(self, folder: Path, fingerprint: str, dim: int, plan: str) -> None:
        if plan != PERSON_PLAN and plan not in REGION_PLANS:
            raise unknown_name("region plan", plan, {PERSON_PLAN: None, **REGION_PLANS})
        # A plan whose boxes change is another plan.
        names = (WITH_PERSON, WITHOUT_PERSON) if plan == PERSON_PLAN else (plan,)
        boxes = [[box.x0, box.y0, box.x1, box.y1] for name in names for box in REGION_PLANS[name]]
        n_fixed = len(REGION_PLANS[names[0]])
        # The person as it is, and squares around one to three parts of it.
        numbers = [n_fixed + 2, n_fixed + 3, n_fixed + 4] if plan == PERSON_PLAN else []
        numbers.append(len(REGION_PLANS[names[-1]]))
        self.plan = plan
        self.n_regions = max(numbers)
        self.dim = dim
        decides: dict[str, Any] = {"boxes": boxes}
        if plan == PERSON_PLAN:
            decides["squares"] = SQUARES_VERSION
        self.folder = folder / fingerprint[:16] / f"{plan}-{digest_of(decides)[:8]}"
        self._n_regions_of = {width * n * dim: n for n in numbers for width in (2, 4)}  # by length in bytes

    def has(self, sha256: str) -> bool:
        """Whether the cache has the vectors of that content."""
        try:
            return self._path(sha256).stat().st_size in self._n_regions_of
        except FileNotFoundError:
            return False

    def get(self, sha256: str) -> npt.NDArray[np.float32]:
        """Reads the vectors of the regions, float32 (regions, dim).

        Raises:
            StyleSearchError: the cache does not have them, or the file is damaged.
        """
        path = self._path(sha256)
        data = path.read_bytes() if path.exists() else b""
        if len(data) not in self._n_regions_of:
            raise StyleSearchError(f"{path} is gone or damaged", hint="run it again: it is computed anew")
        n_regions = self._n_regions_of[len(data)]
        width = len(data) // n_regions
        return decode_vectors([data[i * width : (i + 1) * width] for i in range(n_regions)], self.dim)

    def put(self, sha256: str, vectors: npt.NDArray[np.float32]) -> None:
        """Stores the vectors of the regions, float32 (regions, dim), finite."""
        rows = encode_vectors(vectors)
        if len({len(row) for row in rows}) > 1:  # one width a file
            rows = encode_vectors(vectors, "float32")
        with atomic_file(self._path(sha256)) as file:
            file.write(b"".join(rows))

    def _path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256
