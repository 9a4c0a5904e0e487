"""How large the region of one colour is to which each pixel belongs, for a batch of pictures at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Runs", "label_runs", "region_sizes_tensor", "runs_of"]


class Runs:
    """Maximal stretches of one colour along a row, which is what regions are put together from.

    Attributes:
        picture: which picture of the batch each belongs to, intp ``(runs,)``.
        colour: its colour, ``(runs,)``.
        length: its pixels, intp ``(runs,)``.
        of_pixel: the run of each pixel, int32 ``(n, h, w)``.
        begins: where a run begins, bool ``(n, h, w)``.
    """

    __slots__ = ("begins", "colour", "length", "of_pixel", "picture")

    def __init__(self, picture: Any, colour: Any, length: Any, of_pixel: Any, begins: Any) -> None:
        self.picture: npt.NDArray[np.intp] = picture
        self.colour: npt.NDArray[np.integer[Any]] = colour
        self.length: npt.NDArray[np.intp] = length
        self.of_pixel: npt.NDArray[np.int32] = of_pixel
        self.begins: npt.NDArray[np.bool_] = begins


def runs_of(colours: npt.NDArray[np.integer[Any]]) -> Runs:
    """The runs of pictures ``(n, h, w)`` whose pixels are numbers of colours, in reading order."""
    height, width = colours.shape[1:]
    begins = np.ones(colours.shape, np.bool_)
    np.not_equal(colours[:, :, 1:], colours[:, :, :-1], out=begins[:, :, 1:])
    first = np.flatnonzero(begins)
    of_pixel = np.cumsum(begins, dtype=np.int32).reshape(colours.shape)
    of_pixel -= 1
    return Runs(
        picture=first // (height * width),
        colour=colours.reshape(-1)[first],
        length=np.diff(first, append=colours.size),
        of_pixel=of_pixel,
        begins=begins,
    )


def label_runs(colours: npt.NDArray[np.integer[Any]], runs: Runs) -> npt.NDArray[np.int32]:
    """The region of each run: the smallest number of a run in it. Pixels touch their eight neighbours."""
    uppers, lowers = _touching(colours, runs)
    labels = np.arange(len(runs.length), dtype=np.int32)
    while len(uppers):
        one, other = labels[uppers], labels[lowers]
        apart = one != other
        uppers, lowers, one, other = uppers[apart], lowers[apart], one[apart], other[apart]
        # Each region is hung below one of its neighbours of smaller number: whichever is written last.
        labels[np.maximum(one, other)] = np.minimum(one, other)
        while True:
            shorter = labels[labels]
            if np.array_equal(shorter, labels):
                break
            labels = shorter
    return labels


def _touching(
    colours: npt.NDArray[np.integer[Any]], runs: Runs
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Pairs of runs of one colour in neighbouring rows that touch, each at least once."""
    upper, lower = runs.of_pixel[:, :-1], runs.of_pixel[:, 1:]
    begin_above, begin_below = runs.begins[:, :-1], runs.begins[:, 1:]
    above, below = colours[:, :-1], colours[:, 1:]
    # Straight below each other: looked at where one of the two begins.
    straight = (above == below) & (begin_above | begin_below)
    # Across a corner: only where neither runs on, since otherwise the two also meet straight.
    corner = begin_above[:, :, 1:] & begin_below[:, :, 1:]
    falling = corner & (above[:, :, :-1] == below[:, :, 1:])
    rising = corner & (above[:, :, 1:] == below[:, :, :-1])
    return (
        np.concatenate([upper[straight], upper[:, :, :-1][falling], upper[:, :, 1:][rising]]),
        np.concatenate([lower[straight], lower[:, :, 1:][falling], lower[:, :, :-1][rising]]),
    )


def region_sizes_tensor(tensorflow: Any, colours: Any) -> Any:
    """Pixels of the region to which each pixel belongs, int32 ``(n, h, w)``, with dense tensors.

    Every pixel takes the smallest number among its own and those of its like neighbours, and hands it on to
    the pixel whose number it had; then it takes the number of the pixel of that number. This is repeated
    until nothing changes.

    Args:
        tensorflow: the module.
        colours: int32 tensor ``(n, h, w)`` with static ``h`` and ``w``.
    """
    tf = tensorflow
    height, width = colours.shape[1:]
    n_pixels = tf.size(colours)
    outside = tf.pad(colours, [[0, 0], [1, 1], [1, 1]], constant_values=-1)
    around = [(row, column) for row in range(3) for column in range(3) if (row, column) != (1, 1)]
    alike = [
        tf.equal(outside[:, row : row + height, column : column + width], colours) for row, column in around
    ]

    def spread(labels: Any, changed: Any) -> tuple[Any, Any]:
        del changed
        padded = tf.pad(labels, [[0, 0], [1, 1], [1, 1]])
        smallest = labels
        for (row, column), same in zip(around, alike, strict=True):
            neighbour = padded[:, row : row + height, column : column + width]
            smallest = tf.where(same, tf.minimum(smallest, neighbour), smallest)
        before, flat = tf.reshape(labels, [-1]), tf.reshape(smallest, [-1])
        flat = tf.tensor_scatter_nd_min(flat, before[:, None], flat)
        for _ in range(2):
            flat = tf.gather(flat, flat)
        found = tf.reshape(flat, tf.shape(labels))
        return found, tf.reduce_any(tf.not_equal(found, labels))

    numbers = tf.reshape(tf.range(n_pixels), tf.shape(colours))
    labels, _ = tf.while_loop(lambda labels, changed: changed, spread, [numbers, tf.constant(True)])
    flat = tf.reshape(labels, [-1])
    sizes = tf.math.unsorted_segment_sum(tf.ones_like(flat), flat, n_pixels)
    return tf.gather(sizes, labels)
