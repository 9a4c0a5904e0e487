"""Draws batches of right pairs: every product once an epoch, with a new draw of its photo and shop image.

An epoch depends only on the arguments, its number and the neighbours that were known when it began, and each
batch only on these and its own number. So the state is two numbers and the neighbours, and batches that are
restored in the middle of an epoch continue exactly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Floats, Ids
from stylesearch.errors import ConfigError
from stylesearch.evaluation.ranking import RankedGallery, rank

__all__ = [
    "MIN_OF_CATEGORY",
    "NO_NEIGHBOUR",
    "N_NEIGHBOURS",
    "Batch",
    "Batches",
    "ProductRows",
    "nearest_wrong",
]

MIN_OF_CATEGORY: Final = 8
"""Products of a category below which ``within_category`` puts them into mixed batches: fewer than 7 wrong
ones for each right one teach little."""

CLUSTER: Final = 8
"""Products that lie next to each other in a hard batch: one and its 7 nearest that are still free. Of whole
batches around one product, those at the end of an epoch would be of what is left over, and not hard."""

LOOKED_UP_AT_ONCE: Final = 4096
"""Products among which the nearest wrong ones of each are looked up; of a larger shop, a random part."""

N_NEIGHBOURS: Final = 20
"""Nearest wrong products that are kept of each product: several times those that lie beside it in a batch,
since many will be in a batch already."""

NO_NEIGHBOUR: Final = -1

_MAX_BYTES: Final = 256 * 2**20

# Streams of random numbers of an epoch: for its order, for the look-up of neighbours, then one for each
# batch.
_ORDER, _LOOK_UP, _FIRST_BATCH = 0, 1, 2


class ProductRows:
    """Index of rows by product.

    Args:
        product_of: number of the product of each row, int64 (rows,), in any order.
        n_products: number of products.

    Attributes:
        product_of: number of the product of each row.
        counts: number of rows of each product, int64 (products,).

    Example:
        >>> rows = ProductRows(np.array([2, 0, 2]), 3)
        >>> rows.of(np.array([0, 2])).tolist()
        [1, 0, 2]
    """

    def __init__(self, product_of: Ids, n_products: int) -> None:
        self.product_of = product_of
        self.counts: Ids = np.bincount(product_of, minlength=n_products).astype(np.int64)
        self._sorted = np.argsort(product_of, kind="stable")
        self._starts = np.cumsum(self.counts) - self.counts

    def __len__(self) -> int:
        return len(self.product_of)

    def of(self, products: Ids) -> Ids:
        """Returns all rows of these products, product by product, int64."""
        counts = self.counts[products]
        ends = np.cumsum(counts)
        within = np.arange(counts.sum()) - np.repeat(ends - counts, counts)
        found: Ids = self._sorted[np.repeat(self._starts[products], counts) + within]
        return found

    def draw(self, products: Ids, rng: np.random.Generator) -> Ids:
        """Draws a row of each of these products, int64 (len(products),); each must have a row."""
        drawn: Ids = self._sorted[self._starts[products] + rng.integers(0, self.counts[products])]
        return drawn


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """One right pair of each of several products; every other combination is a wrong pair.

    Attributes:
        products: numbers of the products, int64 (b,), b >= 2, all different, no two of one group of
            duplicates.
        photos: row of a photo of each, int64 (b,).
        shop: row of a shop image of each, int64 (b,); never the photo itself.
    """

    products: Ids
    photos: Ids
    shop: Ids


class Batches:
    """Draws batches, epoch by epoch, without end.

    Args:
        photo_product: number of the product on each photo, int64 (photos,).
        shop_product: number of the product on each shop image, int64 (images,).
        product_category: category of each product, by its number.
        products: products that are drawn, bool (products,). Those without a pair are left out.
        own: row of the shop image that is the photo itself, or -1; int64 (photos,).
        duplicates: group of each product, int64 (products,); by default each is its own.
        batch_size: products in a batch, at most; the batches of an epoch have about the same size.
        seed: seed of all draws, 0 or more.
        within_category: whether a batch is of one category; products of categories under 8 are mixed.
        hard: whether batches are built of nearest wrong neighbours, once ``refresh`` has found some.

    Raises:
        ConfigError: a batch size below 2.

    Example:
        >>> numbers = np.arange(6)
        >>> batches = Batches(numbers, numbers, ["dress"] * 6, np.ones(6, bool), batch_size=4)
        >>> [batch.products.tolist() for batch in batches.epoch()]
        [[4, 0, 1], [3, 2, 5]]
    """

    def __init__(
        self,
        photo_product: Ids,
        shop_product: Ids,
        product_category: Sequence[str],
        products: npt.NDArray[np.bool_],
        *,
        own: Ids | None = None,
        duplicates: Ids | None = None,
        batch_size: int = 256,
        seed: int = 0,
        within_category: bool = False,
        hard: bool = False,
    ) -> None:
        if batch_size < 2:
            raise ConfigError(
                f"a batch is of 2 products or more: one has no wrong pair. Received: {batch_size}"
            )
        n_products = len(product_category)
        self._own = np.full(len(photo_product), -1, np.int64) if own is None else own
        self._groups = np.arange(n_products) if duplicates is None else duplicates
        self._photos = ProductRows(photo_product, n_products)
        self._shop = ProductRows(shop_product, n_products)
        n_own = np.bincount(photo_product[self._own >= 0], minlength=n_products)
        n_pairs = self._photos.counts * self._shop.counts - n_own
        self._drawn: Ids = np.flatnonzero(products & (n_pairs > 0)).astype(np.int64)
        self._batch_size, self._seed, self._hard = batch_size, seed, hard
        self._lots = _by_category(self._drawn, product_category) if within_category else [self._drawn]
        self._lots = [lot for lot in self._lots if len(lot)]
        self._identity = _digest(
            repr((batch_size, seed, within_category, hard, tuple(product_category))),
            (photo_product, shop_product, self._drawn, self._own, self._groups),
        )
        self._neighbours: Ids = np.empty((n_products, 0), np.int64)
        self._epoch = self._step = 0

    @property
    def n_products(self) -> int:
        """Number of products in an epoch."""
        return len(self._drawn)

    @property
    def n_batches(self) -> int:
        """Number of batches of an epoch, at most: with many duplicates of one product there may be fewer."""
        return sum(len(self._sizes(len(lot))) for lot in self._lots)

    def epoch(self) -> Iterator[Batch]:
        """Yields the remaining batches of the current epoch, and then advances to the next epoch."""
        order = self._rng(_ORDER)
        planned = [batch for lot in self._lots for batch in self._pack(self._order(lot, order), len(lot))]
        planned = [planned[place] for place in order.permutation(len(planned))]
        for number in range(self._step, len(planned)):
            self._step = number + 1  # a state that is saved while a batch is used counts it as used
            yield self._draw_pairs(planned[number], self._rng(_FIRST_BATCH + number))
        self._epoch, self._step = self._epoch + 1, 0

    def refresh(self, embed: Callable[[Ids], Floats], shop_vectors: Floats, metric: str = "cosine") -> None:
        """Updates the nearest wrong products of every product, by one of its photos, drawn anew each time.

        Args:
            embed: returns vectors of photos by their rows, int64 (n,) to float32 (n, regions, d) or (n, d);
                the nearest region counts. It is called with one photo of each product, and with at most
                ``LOOKED_UP_AT_ONCE`` at a time.
            shop_vectors: float32 (images, d).
            metric: ``l1``, ``l2`` or ``cosine``.

        Raises:
            ValueError: in the middle of an epoch, shapes that do not fit, or values that are not finite.
        """
        if self._step:
            raise ValueError("neighbours are looked up between epochs")
        _check_count(shop_vectors, len(self._shop), "shop images")
        rng = self._rng(_LOOK_UP)
        found = np.full((len(self._groups), N_NEIGHBOURS), NO_NEIGHBOUR, np.int64)
        # In parts, so that the time for a large shop grows only in proportion to its size.
        for lot in self._lots:
            n_parts = -(-len(lot) // LOOKED_UP_AT_ONCE)
            for products in map(np.sort, np.array_split(rng.permutation(lot), n_parts)):
                table = self._look_up(products, embed, shop_vectors, metric, rng)
                found[products, : table.shape[1]] = np.where(table >= 0, products[table], NO_NEIGHBOUR)
        self._neighbours = found

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """The state as int64 arrays by name, for a checkpoint."""
        return {
            "identity": self._identity.copy(),
            "epoch": np.array([self._epoch, self._step], np.int64),
            "neighbours": self._neighbours.copy(),
        }

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Restores a state.

        Raises:
            ConfigError: the state is of batches with other arguments.
        """
        if not np.array_equal(state["identity"], self._identity):
            raise ConfigError(
                "the checkpoint is of batches of other products, pictures or options",
                hint="begin anew, without resuming",
            )
        self._epoch, self._step = (int(number) for number in state["epoch"])
        self._neighbours = np.array(state["neighbours"], np.int64)

    def _rng(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, self._epoch, stream])

    def _sizes(self, n_products: int) -> list[int]:
        """Computes the sizes of batches for a number of products: about equal, none of a single product."""
        n_batches = -(-n_products // self._batch_size)
        sizes = [
            (n_products * (i + 1)) // n_batches - (n_products * i) // n_batches for i in range(n_batches)
        ]
        return [size for size in sizes if size > 1]

    def _order(self, lot: Ids, rng: np.random.Generator) -> Iterable[int]:
        """Orders products as they are filled into batches."""
        shuffled: list[int] = rng.permutation(lot).tolist()
        if not self._hard or not self._neighbours.shape[1]:
            return shuffled
        free = set(shuffled)
        order = []
        for product in shuffled:
            if product not in free:
                continue
            near = [other for other in self._neighbours[product].tolist() if other in free]
            cluster = [product, *near[: CLUSTER - 1]]
            free.difference_update(cluster)
            order += cluster
        return order

    def _pack(self, order: Iterable[int], n_products: int) -> Iterator[Ids]:
        """Fills batches one after the other; duplicates of a product in one are put into the next."""
        coming, waiting = iter(order), list[int]()
        for size in self._sizes(n_products):
            batch: list[int] = []
            groups: set[int] = set()
            still_waiting: list[int] = []
            for product in waiting:
                fits = len(batch) < size and self._groups[product] not in groups
                (batch if fits else still_waiting).append(product)
                if fits:
                    groups.add(int(self._groups[product]))
            waiting = still_waiting
            while len(batch) < size and (product := next(coming, -1)) >= 0:
                group = int(self._groups[product])
                (waiting if group in groups else batch).append(product)
                groups.add(group)
            if len(batch) > 1:
                yield np.array(batch, np.int64)

    def _draw_pairs(self, products: Ids, rng: np.random.Generator) -> Batch:
        """Draws a photo and a shop image of each; all right pairs of a product are equally likely."""
        photos = np.empty(len(products), np.int64)
        shop = np.empty(len(products), np.int64)
        left = np.arange(len(products))
        while len(left):  # this ends, since every product has a pair
            photos[left] = self._photos.draw(products[left], rng)
            shop[left] = self._shop.draw(products[left], rng)
            left = left[self._own[photos[left]] == shop[left]]
        return Batch(products, photos, shop)

    def _look_up(
        self,
        products: Ids,
        embed: Callable[[Ids], Floats],
        shop_vectors: Floats,
        metric: str,
        rng: np.random.Generator,
    ) -> Ids:
        """Finds nearest wrong products among ``products``, which rise; returns places in ``products``."""
        photos = self._draw_pairs(products, rng).photos
        vectors = embed(photos)
        _check_count(vectors, len(photos), "photos")
        rows = self._shop.of(products)
        place_of_row = np.full(len(self._shop) + 1, -1, np.int64)  # the last one is for own == -1
        place_of_row[rows] = np.arange(len(rows))
        return nearest_wrong(
            vectors if vectors.ndim == 3 else vectors[:, None],
            place_of_row[self._own[photos]],
            shop_vectors[rows],
            np.searchsorted(products, self._shop.product_of[rows]),
            self._groups[products],
            metric,
        )


def nearest_wrong(
    photos: Floats,
    own: Ids,
    shop: Floats,
    shop_product: Ids,
    groups: Ids,
    metric: str,
) -> Ids:
    """Finds the nearest wrong products of each product, among the products given.

    Args:
        photos: one photo of each of some products, float32 (p, regions, d).
        own: row of ``shop`` that is the photo itself, or -1; int64 (p,).
        shop: images of the same products, float32 (m, d), product by product; at least one of each besides
            the photo itself.
        shop_product: place of each image's product among those products, int64 (m,), rising, without a gap.
        groups: group of duplicates of each product, int64 (p,): products of one group are not wrong.
        metric: ``l1``, ``l2`` or ``cosine``.

    Returns:
        places among the products, nearest first, int64 (p, at most 20); ``NO_NEIGHBOUR`` behind the last.
    """
    # The product itself and its copies are among the results; with many copies some neighbours are lost.
    n_hits = N_NEIGHBOURS + min(int(np.bincount(np.unique(groups, return_inverse=True)[1]).max()), 10)
    columns = rank(
        photos,
        np.arange(len(photos)),
        RankedGallery(shop, shop_product),
        metric,
        own=own,
        n_hits=n_hits,
        max_bytes=_MAX_BYTES,
    )
    places = np.where(columns.hit_images >= 0, shop_product[columns.hit_images], NO_NEIGHBOUR)
    wrong = (places >= 0) & (groups[places] != groups[:, None])
    # A stable sort moves the wrong ones to the front, still nearest first.
    order = np.argsort(~wrong, axis=1, kind="stable")
    places = np.where(np.take_along_axis(wrong, order, 1), np.take_along_axis(places, order, 1), NO_NEIGHBOUR)
    n_kept = min(N_NEIGHBOURS, int(wrong.sum(axis=1).max(initial=0)))
    return places[:, :n_kept].astype(np.int64)


def _check_count(vectors: Floats, n_wanted: int, of: str) -> None:
    if len(vectors) != n_wanted:
        raise ValueError(f"vectors of {n_wanted} {of} are wanted. Received: {vectors.shape}")


def _by_category(products: Ids, product_category: Sequence[str]) -> list[Ids]:
    """Groups products by category; the last group has those of all small categories."""
    names, numbers = np.unique([product_category[one] for one in products.tolist()], return_inverse=True)
    counts = np.bincount(numbers, minlength=len(names))
    lots = [products[numbers == number] for number in np.flatnonzero(counts >= MIN_OF_CATEGORY)]
    mixed = products[counts[numbers] < MIN_OF_CATEGORY] if len(products) else products
    return [*lots, mixed] if len(mixed) else lots


def _digest(text: str, arrays: Iterable[Ids]) -> Ids:
    """Digest of the arguments of batches, int64 (4,)."""
    digest = hashlib.sha256(text.encode())
    for array in arrays:
        digest.update(f"{len(array)}".encode())
        digest.update(np.ascontiguousarray(array, np.int64).data)
    return np.frombuffer(digest.digest(), np.int64).copy()
