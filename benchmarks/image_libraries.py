"""Own image code on the CPU against the same step with OpenCV or scikit-image: ratio of medians, difference.

Each row times one step of the features or of the preparation of images in turn with a library's call for it,
on the same images in the same run, with one thread each. The first table has what importing the libraries
costs a process. Times are of the processor, not of the clock: other programs disturb them less. What follows
from the figures is in docs/benchmarks.md.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.measuring import alternate, median_of, print_table

N_IMAGES = 64
SIZE = 64
NETWORK_SIZE = 320
N_ROUNDS = 15

IMPORTS = {
    "NumPy, which is always loaded": "import numpy",
    "OpenCV": "import cv2",
    "scikit-image, rgb2lab": "from skimage.color import rgb2lab",
    "scikit-image, label": "from skimage.measure import label",
    "scikit-image, hog": "from skimage.feature import hog",
}

Array = npt.NDArray[Any]
Step = Callable[[Array], Array]


def main() -> None:
    """Prints the time of imports, then one row for each step and library."""
    import cv2

    cv2.setNumThreads(1)
    print_table(
        ["import", "ms of processor time, with the interpreter's start"],
        [
            [name, f"{1000 * median_of(partial(_seconds_of_import, code), 3):.0f}"]
            for name, code in IMPORTS.items()
        ],
    )
    print()
    print_table(
        [
            "step",
            "instead",
            "own, ms",
            "library, ms",
            "times as long (medians)",
            "rounds",
            "largest difference",
        ],
        [_compare(*row) for row in _steps()],
    )


def _compare(step: str, library: str, own: Step, other: Step, batches: list[Array]) -> list[str]:
    difference = max(
        float(np.abs(own(batch).astype(np.float64) - other(batch).astype(np.float64)).max())
        for batch in batches
    )
    ours, theirs = alternate(
        partial(_run, own, batches),
        partial(_run, other, batches),
        N_ROUNDS,
    )
    ratios = sorted(b / a for a, b in zip(ours, theirs, strict=True))
    quartiles = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
    ours_ms, theirs_ms = (1000 * statistics.median(one) for one in (ours, theirs))
    return [
        step,
        library,
        f"{ours_ms:.2f}",
        f"{theirs_ms:.2f}",
        f"{theirs_ms / ours_ms:.2f}",
        f"{quartiles[0]:.2f} to {quartiles[1]:.2f}",
        f"{difference:.2g}",
    ]


def _run(step: Step, batches: list[Array]) -> float:
    began = time.process_time()
    for batch in batches:
        step(batch)
    return time.process_time() - began


def _seconds_of_import(code: str) -> float:
    began = os.times()
    subprocess.run([sys.executable, "-c", code], check=True)
    ended = os.times()
    return (ended.children_user - began.children_user) + (ended.children_system - began.children_system)


def _steps() -> list[tuple[str, str, Step, Step, list[Array]]]:
    """Name, library, own code, the library's, and what both are given."""
    from benchmarks.own_image_code import blurred_colors, harris_response
    from stylesearch.extractors.classical.colors import colors, lab
    from stylesearch.extractors.classical.hog import HOG
    from stylesearch.extractors.classical.luma import luma
    from stylesearch.extractors.engines.bf16 import sample_images
    from stylesearch.extractors.hsv_histogram import _bins_of, _middle_blocks
    from stylesearch.images.regions import letterbox

    images = sample_images(N_IMAGES, SIZE)
    # As the features are computed: as many pictures at once as stay in the cache of a core.
    batches = [images[start : start + 8] for start in range(0, len(images), 8)]
    brightness = [luma(batch) for batch in batches]
    numbers = [colors(batch) for batch in batches]
    blurred = [blurred_colors(batch) for batch in batches]
    large = sample_images(8, NETWORK_SIZE)
    photos = list(sample_images(3, 900)[:, 100:-100])
    blocks = [_middle_blocks(large)]
    level = (np.arange(32) + 0.5) / 32
    cube = np.stack(np.meshgrid(level, level, level, indexing="ij"), axis=-1).reshape(1, -1, 3)
    return [
        ("letterbox (Pillow)", "OpenCV, INTER_AREA", partial(letterbox, size=320), _cv_letterbox, photos),
        ("means of blocks (default colors)", "OpenCV, INTER_AREA", _middle_blocks, _cv_blocks, [large]),
        ("HSV bins (default colors)", "OpenCV, RGB2HSV_FULL", _bins_of, _cv_bins, blocks),
        ("luma", "OpenCV, RGB2GRAY", luma, _cv_luma, batches),
        ("Lab of the color table", "scikit-image", lab, _skimage_lab, [cube]),
        ("Lab of the color table", "OpenCV, float32", lab, _cv_lab, [cube]),
        ("blur of 3 x 3, then colors", "OpenCV, boxFilter", blurred_colors, _cv_blurred, batches),
        ("region sizes", "scikit-image, label", _own_regions, _skimage_regions, blurred),
        ("region sizes", "OpenCV, color by color", _own_regions, _cv_regions, blurred),
        ("histograms (NumPy's bincount)", "OpenCV, calcHist", _own_histograms, _cv_histograms, numbers),
        ("Harris response", "OpenCV, cornerHarris", harris_response, _cv_harris, brightness),
        ("HOG", "scikit-image", HOG.of_luma, _skimage_hog, brightness),
    ]


def _cv_letterbox(pixels: Array) -> Array:
    import cv2

    from stylesearch.images.regions import fit_size

    height, width = pixels.shape[:2]
    fitted = fit_size(width, height, (NETWORK_SIZE, NETWORK_SIZE))
    canvas = np.full((NETWORK_SIZE, NETWORK_SIZE, 3), 255, np.uint8)
    x, y = (NETWORK_SIZE - fitted[0]) // 2, (NETWORK_SIZE - fitted[1]) // 2
    canvas[y : y + fitted[1], x : x + fitted[0]] = cv2.resize(pixels, fitted, interpolation=cv2.INTER_AREA)
    return canvas


def _cv_blocks(images: Array) -> Array:
    import cv2

    # The middle 38 of 64 blocks of 5 pixels.
    middle = images[:, 65:255, 65:255]
    return np.stack([cv2.resize(one, (38, 38), interpolation=cv2.INTER_AREA) for one in middle])


def _cv_bins(pixels: Array) -> Array:
    import cv2

    flat = np.ascontiguousarray(pixels.reshape(-1, pixels.shape[-2], 3))
    hsv = cv2.cvtColor(flat, cv2.COLOR_RGB2HSV_FULL).reshape(pixels.shape).astype(np.int32)
    return np.asarray((hsv[..., 0] * 12 // 256 * 3 + hsv[..., 1] * 3 // 256) * 3 + hsv[..., 2] * 3 // 256)


def _cv_luma(images: Array) -> Array:
    import cv2

    flat = images.reshape(-1, images.shape[2], 3)
    return np.asarray(cv2.cvtColor(flat, cv2.COLOR_RGB2GRAY)).reshape(images.shape[:3])


def _skimage_lab(rgb: Array) -> Array:
    from skimage.color import rgb2lab

    return np.asarray(rgb2lab(rgb))


def _cv_lab(rgb: Array) -> Array:
    import cv2

    return np.asarray(cv2.cvtColor(rgb.astype(np.float32), cv2.COLOR_RGB2LAB))


def _cv_blurred(images: Array) -> Array:
    import cv2

    from stylesearch.extractors.classical.colors import colors_of_levels

    sums = np.empty(images.shape, np.uint16)
    for image, out in zip(images, sums, strict=True):
        out[...] = cv2.boxFilter(image, cv2.CV_16U, (3, 3), normalize=False, borderType=cv2.BORDER_REPLICATE)
    sums //= np.uint16(72)
    return colors_of_levels(sums)


def _own_regions(numbers: Array) -> Array:
    from benchmarks.own_image_code import label_runs, runs_of

    runs = runs_of(numbers)
    labels = label_runs(numbers, runs)
    return np.bincount(labels, runs.length, minlength=len(labels))[labels][runs.of_pixel]


def _skimage_regions(numbers: Array) -> Array:
    from skimage.measure import label

    n, height, width = numbers.shape
    # One below the other, a row of background between: no region reaches from one picture into the next.
    column = np.full((n, height + 1, width), 255, np.uint8)
    column[:, :height] = numbers
    labels = label(column.reshape(-1, width), background=255, connectivity=2)
    labels = labels.reshape(n, height + 1, width)[:, :height]
    sizes: Array = np.bincount(labels.ravel())[labels]
    return sizes


def _cv_regions(numbers: Array) -> Array:
    import cv2

    sizes = np.empty(numbers.shape, np.int32)
    for image, out in zip(numbers, sizes, strict=True):
        for color in np.unique(image):
            mask = image == color
            _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
            out[mask] = stats[labels[mask], cv2.CC_STAT_AREA]
    return sizes


def _own_histograms(numbers: Array) -> Array:
    return np.stack([np.bincount(image.ravel(), minlength=26) for image in numbers])


def _cv_histograms(numbers: Array) -> Array:
    import cv2

    return np.stack([cv2.calcHist([image], [0], None, [26], [0, 26]).ravel() for image in numbers])


def _cv_harris(brightness: Array) -> Array:
    import cv2

    return np.stack([cv2.cornerHarris(image, 3, 3, 0.04) for image in brightness])


def _skimage_hog(brightness: Array) -> Array:
    from skimage.feature import hog

    return np.stack([hog(image, 9, (8, 8), (2, 2), block_norm="L2-Hys") for image in brightness])
