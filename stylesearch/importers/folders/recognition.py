"""Finds out what the folders of a tree are, by their names, how many there are, and what is in them.

Place by place, from the root down: a look at the names in it, and at those in some of its folders, decides
for all of its folders. Those with images alone are judged together (products, or categories whose images are
products), and those with folders in them (categories, or products with a folder for each view). Every sign
adds to a sum, or takes from it; a sum near zero is a doubt, which is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final, TypeVar

from stylesearch.importers.folders.layout import CATEGORY, IGNORED, PRODUCT, SPLIT, Place
from stylesearch.importers.folders.names import (
    CONTAINERS,
    is_category,
    is_color,
    is_day,
    is_id,
    is_month,
    is_position,
    is_split,
    is_title,
    is_view,
    is_year,
    is_year_and_month,
)
from stylesearch.importers.folders.tree import Folder, Look, Tree

__all__ = ["FoundLayout"]

T = TypeVar("T")

N_LOOKED_AT: Final = 60
"""Folders of a place that are looked into, evenly spread."""

DOUBT: Final = 1.0
"""Sums up to this are told as an assumption."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A folder that was looked into, and its name."""

    name: str
    look: Look


@dataclass(frozen=True, slots=True)
class _FoundRoles:
    """Roles of the folders in a place.

    Attributes:
        with_images: role of folders without folders in them.
        with_folders: role of the others.
        others: roles by name, where the name alone decides.
        notes: what was assumed.
    """

    tree: Tree
    with_images: str
    with_folders: str
    others: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def role(self, name: str, folders: tuple[Folder, ...]) -> str:
        """Role of the folders called ``name``; looks into them where that decides."""
        if name in self.others:
            return self.others[name]
        if self.with_images == self.with_folders:
            return self.with_images
        return self.with_folders if self.tree.look(folders).folders else self.with_images


class FoundLayout:
    """Roles of folders, found by looking at them.

    Args:
        tree: the tree.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._known: dict[str, _FoundRoles] = {}
        self._told: set[str] = set()

    def of(self, place: Place) -> _FoundRoles:
        """The roles of the folders in ``place``, which is looked at once."""
        found = self._known.get(place.path)
        if found is None:
            found = self._known[place.path] = self._find(place)
        return found

    def _find(self, place: Place) -> _FoundRoles:
        look = self._tree.look(place.folders)
        seen = [
            _Seen(name, self._tree.look(Folder(one.path, name) for one in place.folders))
            for name in _spread(look.folders)
        ]
        others = _roles_by_name(place, look, seen)
        seen = [one for one in seen if one.name not in others and (one.look.n_images or one.look.folders)]
        leaves = [one for one in seen if not one.look.folders]
        inner = [one for one in seen if one.look.folders]
        notes = []
        with_images = with_folders = CATEGORY if not place.categories else PRODUCT
        if leaves:
            total = _leaves_are_products(place, look, leaves, self._tree.root.name)
            with_images = with_folders = PRODUCT if total > 0 else CATEGORY
            notes += self._doubt(place, leaves, with_images, total)
        if inner:
            total = _inner_are_categories(
                place, look, inner, holds_products=bool(leaves) and with_images == PRODUCT
            )
            with_folders = CATEGORY if total > 0 else PRODUCT
            notes += self._doubt(place, inner, with_folders, total)
            if not leaves:
                with_images = with_folders
        return _FoundRoles(self._tree, with_images, with_folders, others, tuple(notes))

    def _doubt(self, place: Place, seen: Sequence[_Seen], role: str, total: float) -> list[str]:
        """Says what was assumed, once for each kind of assumption."""
        has_folders = bool(seen[0].look.folders)
        kind = f"{role}{len(place.levels)}{has_folders}"
        if abs(total) > DOUBT or kind in self._told:
            return []
        self._told.add(kind)
        names = ", ".join(f"{one.name!r}" for one in seen[:3]) + (", ..." if len(seen) > 3 else "")
        below = f"in {place.path!r}" if place.path else "in the folder"
        ahead = list(place.levels)
        if role == PRODUCT:
            other = [*ahead, CATEGORY, *([PRODUCT] if has_folders else []), "image"]
            read, else_ = "products with all images below them", "categories"
        elif has_folders:
            other = [*ahead, PRODUCT, "image"]
            read, else_ = "categories", "products with all images below them"
        else:
            other = [*ahead, PRODUCT, "image"]
            read, else_ = "categories in which each image is a product", "products"
        return [
            f"took the folders {below} ({names}) for {read}; if they are {else_}: --layout {'/'.join(other)}"
        ]


def _spread(names: Sequence[str]) -> list[str]:
    """Some of the names, evenly spread."""
    if len(names) <= N_LOOKED_AT:
        return list(names)
    return [names[i * len(names) // N_LOOKED_AT] for i in range(N_LOOKED_AT)]


def _roles_by_name(place: Place, look: Look, seen: Sequence[_Seen]) -> dict[str, str]:
    """Roles of splits, of parts of dates, and of folders that only hold the others."""
    names = look.folders
    found: dict[str, str] = {}
    if place.is_dated:
        found |= {name: IGNORED for name in names if is_month(name) or is_day(name)}
    for one in seen:
        is_dated = is_year_and_month(one.name) or (is_year(one.name) and _most(one.look.folders, is_month))
        holds_dates = one.name.casefold() in CONTAINERS and _most(one.look.folders, is_year)
        if is_dated or holds_dates:
            found[one.name] = IGNORED
    if any(is_year(name) for name in found):
        found |= {name: IGNORED for name in names if is_year(name)}
    if place.categories or place.split:
        return found
    splits = [name for name in names if is_split(name)]
    if len(splits) > 1 and 2 * len(splits) >= len(names):
        found |= dict.fromkeys(splits, SPLIT)
    is_alone = len(names) == 1 and not look.n_images
    if is_alone and (names[0].casefold() in CONTAINERS or is_year(names[0])):
        found[names[0]] = IGNORED
    return found


def _leaves_are_products(place: Place, look: Look, leaves: Sequence[_Seen], root_name: str) -> float:
    """Weighs whether folders with images alone are products (above 0), or categories."""
    names = [one.name for one in leaves]
    n_images = median(one.look.n_images for one in leaves)
    total = 1.5 if place.categories else -0.5
    if _most(names, is_category):
        total -= 6
    elif _most(names, is_id):
        total += 3.5
    elif _most(names, is_title):
        total += 1.5
    if n_images > 50:
        total -= 4
    elif n_images > 15:
        total -= 2
    elif 2 <= n_images <= 8:
        total += 1
    if len(look.folders) >= 30 and n_images <= 12:
        total += 1
    named_by_place = _most(leaves, _names_its_images_by_place)
    if named_by_place and n_images >= 2:
        total += 2
    elif not named_by_place and _most(leaves, _has_names_of_products):
        total -= 1.5
    if not place.categories and look.stems and named_by_place and not _most(look.stems, is_position):
        # Images beside the folders, each with a name of its own: the root is a category of products.
        total += 1.5
    return total


def _inner_are_categories(place: Place, look: Look, inner: Sequence[_Seen], *, holds_products: bool) -> float:
    """Weighs whether folders with folders in them are categories (above 0), or products with views."""
    names = [one.name for one in inner]
    below = [name for one in inner for name in one.look.folders[:N_LOOKED_AT]]
    total = -0.5 if place.categories else 2.5
    if _most(names, is_category):
        total += 3
    elif _most(names, is_id):
        total -= 2
    if _most(below, lambda name: is_view(name) and not is_category(name)):
        total -= 4
    elif _most(below, is_color):
        total -= 2
    elif _most(below, is_category):
        total += 3
    elif _most(below, is_id):
        total += 2
    elif _most(below, is_title):
        total += 1.5
    per_folder = len(below) / len(inner)
    total += 2 if per_folder >= 8 else -1 if per_folder <= 2 else 0
    if any(one.look.n_images for one in inner) and not place.categories:
        total += 1
    if holds_products or (place.categories and look.n_images):
        total -= 1.5
    return total


def _names_its_images_by_place(one: _Seen) -> bool:
    """Whether its images are called ``1``, ``front``, or after the folder: ``red-1`` in ``red``."""
    start = one.name.casefold()
    return _most(
        one.look.stems,
        lambda stem: is_position(stem) or (len(start) > 1 and stem.casefold().startswith(start)),
    )


def _has_names_of_products(one: _Seen) -> bool:
    return _most(one.look.stems, lambda stem: (is_id(stem) or is_title(stem)) and not _is_of_a_camera(stem))


def _is_of_a_camera(stem: str) -> bool:
    return stem.casefold().startswith(("img", "dsc", "pxl", "photo", "image", "mvimg", "p10"))


def _most(items: Iterable[T], check: Callable[[T], bool]) -> bool:
    """Whether at least half of the items, of which there must be one, pass."""
    results = [check(one) for one in items]
    return bool(results) and 2 * sum(results) >= len(results)
