"""Chooses the ids of a folder's products: each place keeps its own, and no two places share one."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from stylesearch.catalog import Catalog
from stylesearch.files import sha256_file
from stylesearch.images.source import is_lost
from stylesearch.importers.base import Listed
from stylesearch.listing import Listing, Record, Unpictured

__all__ = ["ProductIds"]

N_COMPARED: Final = 4
"""Images of a product by which it is known to have moved."""


class ProductIds:
    """Chooses the ids of the products of one ingest.

    A product of a folder keeps the id that its place has in the catalog. A new place gets the first of its
    ids that no other place has: neither one of this source, even one that is gone, since it may come back,
    nor one of another folder. Ids of tables are the shop's own: places may have them too.

    A product has moved where a new place has the name of one that is gone, and the same images: it keeps its
    id. So it is found where its id is its name, or its name behind the path of the new folder.

    Args:
        catalog: the catalog.
        source: name of the source.
        root: path of the source.
    """

    def __init__(self, catalog: Catalog, source: str, root: str) -> None:
        self._catalog = catalog
        self._sources = catalog.sources
        self._source = source
        self._root = root
        # Ids given to new places that are not stored yet, and their places.
        self._given: dict[str, str] = {}

    def choose(self, listed: Sequence[Listed]) -> dict[int, tuple[Listing, str]]:
        """Chooses the id of each product; by the key of the object, with the object."""
        described = [one.product for one in listed if isinstance(one, Record | Unpictured)]
        chosen = {id(one): (one, one.id) for one in described}
        placed = {key: one for key, (one, _) in chosen.items() if one.place}
        if not placed:
            return chosen
        known = self._sources.ids_of_places(self._source, {one.place for one in placed.values()})
        known |= {place: name for name, place in self._given.items()}
        new = [one for one in placed.values() if one.place not in known]
        wanted = {name for one in new for name in itertools.islice(self._names(one), len(one.other_ids) + 3)}
        wanted |= {name for one in new for name in _bare_names(one.place)}
        taken = self._sources.places_of_ids(self._source, wanted) if wanted else {}
        taken |= self._given
        images_of: dict[int, list[str]] = {}
        for item in listed:
            if isinstance(item, Record):
                images_of.setdefault(id(item.product), []).append(item.path)
        elsewhere = self._sources.places_elsewhere(self._source, wanted) if wanted else {}
        for key, one in placed.items():
            name = known.get(one.place)
            if name is None:
                name = self._find_moved(one, taken, images_of.get(key, ())) or next(
                    each
                    for each in self._names(one)
                    if taken.get(each, one.place) == one.place
                    and self._is_free(one.place, elsewhere.get(each, ()))
                )
                known[one.place] = name
                taken[name] = self._given[name] = one.place
            chosen[key] = one, name
        return chosen

    def _find_moved(self, one: Listing, taken: Mapping[str, str], images: Sequence[str]) -> str | None:
        """The id of the product that has moved to a new place, or None for a new product."""
        if not images:
            return None
        for name in dict.fromkeys((*_bare_names(one.place), one.id, *one.other_ids)):
            place = taken.get(name, "")
            if (
                place in ("", one.place)
                or name in self._given
                or _last_part(place) != _last_part(one.place)
                or os.path.lexists(os.path.join(self._root, place))  # noqa: PTH118
            ):
                continue
            before = self._catalog.images_of(name)
            below = self._root.rstrip(os.sep) + os.sep
            # The place may be there under another Unicode form of its name.
            is_gone = all(is_lost(image.path) for image in before if image.path.startswith(below))
            lost = {image.sha256 for image in before if is_lost(image.path)}
            if is_gone and all(_digest(path) in lost for path in images[:N_COMPARED]):
                return name
        return None

    def forget(self, names: Iterable[str]) -> None:
        """Notes that products are stored: from now on the catalog knows where they lie."""
        for name in names:
            self._given.pop(name, None)

    def _names(self, one: Listing) -> Iterator[str]:
        """Ids for a new place, without end."""
        *names, last = (one.id, *one.other_ids)
        yield from names
        if one.other_ids:
            yield f"{os.path.basename(self._root)}/{one.place}"  # noqa: PTH119 - of a folder that may be gone
        yield last
        yield from (f"{self._source}/{one.place}{'/' * n}" for n in itertools.count())

    def _is_free(self, place: str, elsewhere: Collection[tuple[str, str]]) -> bool:
        """Whether no other folder has a product, or one of them is this one: seen from another, or moved."""
        return not elsewhere or any(self._is_same(place, *other) for other in elsewhere)

    def _is_same(self, place: str, root: str, other: str) -> bool:
        """Whether a place is that of another source: seen from another folder, or moved with all of it."""
        if place == other and not os.path.lexists(root):
            return True
        mine, its = (os.path.realpath(os.path.join(*one)) for one in ((self._root, place), (root, other)))  # noqa: PTH118
        return mine == its


def _bare_names(place: str) -> tuple[str, str]:
    """What a product at a place is called where no other has its name: as an image, and as a folder."""
    last = _last_part(place)
    return os.path.splitext(last)[0], last  # noqa: PTH122 - a name, not a path


def _last_part(place: str) -> str:
    return place.rpartition("/")[2]


def _digest(path: str) -> str | None:
    try:
        return sha256_file(path)
    except OSError:
        return None
