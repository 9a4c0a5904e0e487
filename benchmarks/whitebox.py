"""White-box features against a loop over scikit-image and OpenCV, picture by picture, measured in turn.

The loop computes the same vector from the same colors, with a call of the two libraries wherever one does
the step; once with OpenCV's labelling of regions, once with SciPy's. One thread each.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.measuring import alternate, print_table, seconds_of
from benchmarks.shops import drawn_images, real_photos

N_IMAGES = 256
N_COLORS = 25

Images = npt.NDArray[np.uint8]
Label = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.integer[Any]]]


def main() -> None:
    """Prints milliseconds a picture and the ratio of medians, for two sizes."""
    import cv2

    from stylesearch.extractors import load_extractor

    cv2.setNumThreads(1)
    rows = []
    for size in (64, 128):
        images = _images(size)
        extractor = load_extractor(f"whitebox@{size}", engine="numpy")
        for how, sizes_of in (("OpenCV", _opencv_sizes), ("SciPy", _scipy_sizes)):
            difference = np.abs(_loop(images[:32], sizes_of) - extractor.extract(images[:32])).max()
            ours, theirs = alternate(
                partial(seconds_of, partial(extractor.extract, images)),
                partial(seconds_of, partial(_loop, images, sizes_of)),
            )
            ours_ms, theirs_ms = (1000 * statistics.median(one) / len(images) for one in (ours, theirs))
            ratios = sorted(b / a for a, b in zip(ours, theirs, strict=True))
            rows.append(
                [
                    f"{size} x {size}",
                    how,
                    f"{theirs_ms:.2f}",
                    f"{ours_ms:.2f}",
                    f"{theirs_ms / ours_ms:.1f}",
                    f"{ratios[0]:.1f} to {ratios[-1]:.1f}",
                    f"{difference:.0e}",
                ]
            )
    print_table(
        [
            f"{N_IMAGES} pictures",
            "regions labelled by",
            "loop, ms a picture",
            "whitebox, ms a picture",
            "times as fast (medians)",
            "rounds",
            "largest difference",
        ],
        rows,
    )


def _images(size: int) -> Images:
    """Letterboxed pictures: real photos of garments where there are some, else drawn ones."""
    from stylesearch.images.decode import decode
    from stylesearch.images.regions import letterbox, reduction

    with tempfile.TemporaryDirectory() as name:
        photos = real_photos()
        folder = photos / "clothing" if photos else Path(name) / "drawn"
        if photos is None:
            drawn_images(folder, N_IMAGES)
        paths = sorted(folder.rglob("*.jpg"))
        chosen = paths[:: max(1, len(paths) // N_IMAGES)][:N_IMAGES]
        return np.stack([letterbox(decode(path, reduce_to=reduction(size)).pixels, size) for path in chosen])


def _loop(images: Images, sizes_of: Label) -> npt.NDArray[np.float32]:
    return np.stack([_one(image, sizes_of) for image in images])


def _one(image: Images, sizes_of: Label) -> npt.NDArray[np.float32]:
    """The vector of one picture as one would write it with the two libraries."""
    import cv2
    from skimage.feature import hog

    from stylesearch.extractors.classical.colors import colors, colors_of_levels
    from stylesearch.extractors.classical.luma import luma

    size = len(image)
    brightness = luma(image)
    edges = hog(brightness, 9, (8, 8), (2, 2), block_norm="L2-Hys")
    histogram = cv2.calcHist([colors(image)], [0], None, [N_COLORS], [0, N_COLORS]).ravel()
    sums = cv2.boxFilter(image, cv2.CV_16U, (3, 3), normalize=False, borderType=cv2.BORDER_REPLICATE)
    blurred = colors_of_levels(sums // 72)
    coherence = np.zeros((2, N_COLORS))
    for color in np.unique(blurred[blurred < N_COLORS]):
        sizes = sizes_of((blurred == color).astype(np.uint8))
        coherent = sizes > 0.01 * size**2
        coherence[:, color] = sizes[coherent].sum(), sizes[~coherent].sum()
    response = cv2.cornerHarris(brightness, 3, 3, 0.04)
    corners = cv2.resize(np.sqrt(np.maximum(response, 0)), (8, 8), interpolation=cv2.INTER_AREA).ravel()
    parts = (
        edges / (size // 8 - 1),
        np.sqrt(histogram / max(1, histogram.sum())),
        np.sqrt(coherence.ravel() / max(1, coherence.sum())),
        corners / max(1e-12, float(np.linalg.norm(corners))),
    )
    return np.concatenate([part * len(part) ** -0.25 for part in parts]).astype(np.float32)


def _opencv_sizes(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.integer[Any]]:
    """Pixels of each region of a mask."""
    import cv2

    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    sizes: npt.NDArray[np.integer[Any]] = stats[1:, cv2.CC_STAT_AREA]
    return sizes


def _scipy_sizes(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.integer[Any]]:
    """Pixels of each region of a mask."""
    from scipy.ndimage import label

    labels, _ = label(mask, structure=np.ones((3, 3)))
    return np.bincount(labels.ravel())[1:]
