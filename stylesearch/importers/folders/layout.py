"""What the levels of a tree of folders are: the roles, and a layout that the user gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from stylesearch.errors import DatasetError
from stylesearch.importers.folders.tree import Folder

__all__ = [
    "CATEGORY",
    "IGNORED",
    "IMAGE",
    "PRODUCT",
    "SPLIT",
    "GivenLayout",
    "KeptRoles",
    "Place",
    "Roles",
    "RolesOfFolders",
    "pack_roles",
    "parse_layout",
    "unpack_roles",
]

CATEGORY: Final = "category"
PRODUCT: Final = "product"
SPLIT: Final = "split"
IMAGE: Final = "image"
IGNORED: Final = "*"
"""Role of a folder that says nothing of its products."""

_EXAMPLES: Final = "category/product/image, product/image, category/category/product/image, image"
_KNOWN: Final = f"levels are category, product, split and * (says nothing), the last is image: {_EXAMPLES}"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that is no product: the root, a category, a split, or one that says nothing.

    Attributes:
        folders: the folders of this name; several where their names differ in Unicode form only.
        path: relative to the root, in NFC; "" for the root.
        levels: roles of the folders on the way from the root, this one included.
        categories: names of the categories on the way.
        split: name of the split on the way, or "".
        is_dated: whether its own name is a part of a date.
    """

    folders: tuple[Folder, ...]
    path: str = ""
    levels: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    split: str = ""
    is_dated: bool = False

    def below(self, name: str) -> str:
        """Path of what is called ``name`` in it."""
        return f"{self.path}/{name}" if self.path else name

    def child(self, name: str, folders: Iterable[Folder], role: str, *, is_dated: bool = False) -> Place:
        """The place of the folders called ``name`` in it, which have a role other than product."""
        return Place(
            tuple(folders),
            self.below(name),
            (*self.levels, role),
            (*self.categories, name) if role == CATEGORY else self.categories,
            name if role == SPLIT else self.split,
            is_dated,
        )


class RolesOfFolders(Protocol):
    """Says what the folders in a place are."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed about them."""
        ...

    def role(self, name: str, folders: tuple[Folder, ...]) -> str:
        """Role of the folders called ``name``: one of the constants of this module, except ``image``."""
        ...


class Roles(Protocol):
    """Says what the folders of a tree are."""

    def of(self, place: Place) -> RolesOfFolders:
        """The roles of the folders in ``place``, and what was assumed about them."""
        ...


@dataclass(frozen=True, slots=True)
class _OneRole:
    """The same role for all folders in a place."""

    of_all: str
    notes: tuple[str, ...] = ()

    def role(self, name: str, folders: tuple[Folder, ...]) -> str:
        return self.of_all


class GivenLayout:
    """Roles by level, as the user gives them. Folders below the last level say nothing.

    An image above the last level is a product by itself.

    Args:
        levels: from ``parse_layout``.
    """

    def __init__(self, levels: tuple[str, ...]) -> None:
        self._levels = levels

    def of(self, place: Place) -> RolesOfFolders:
        """The role of the level below ``place``."""
        depth = len(place.levels)
        return _OneRole(self._levels[depth] if depth < len(self._levels) else IGNORED)


@dataclass(frozen=True, slots=True)
class _KnownRoles:
    """Roles of the folders in a place, of which an earlier run found some.

    Attributes:
        place: the place.
        known: roles by path.
        found: the roles of the others.
        notes: what was assumed about them.
    """

    place: Place
    known: Mapping[str, str]
    found: RolesOfFolders
    notes: tuple[str, ...]

    def role(self, name: str, folders: tuple[Folder, ...]) -> str:
        return self.known.get(self.place.below(name)) or self.found.role(name, folders)


class KeptRoles:
    """Roles of folders as an earlier run found them, and those of new folders as they are found now.

    Args:
        known: roles by path of the folder.
        found: the roles of all folders.
    """

    def __init__(self, known: Mapping[str, str], found: Roles) -> None:
        self._known = known
        self._found = found
        self._known_places = {path.rpartition("/")[0] for path in known}

    def of(self, place: Place) -> RolesOfFolders:
        """The roles of the folders in ``place``; what is assumed is told only of a place that is new."""
        found = self._found.of(place)
        notes = () if place.path in self._known_places else found.notes
        return _KnownRoles(place, self._known, found, notes)


def pack_roles(roles: Mapping[str, str]) -> dict[str, dict[str, list[str]]]:
    """Makes roles by path short: names by role, by the path of the place that they are in.

    Example:
        >>> pack_roles({"Shoes": "category", "Shoes/4711": "product", "Shoes/4712": "product"})
        {'': {'category': ['Shoes']}, 'Shoes': {'product': ['4711', '4712']}}
    """
    packed: dict[str, dict[str, list[str]]] = {}
    for path, role in sorted(roles.items()):
        place, _, name = path.rpartition("/")
        packed.setdefault(place, {}).setdefault(role, []).append(name)
    return packed


def unpack_roles(packed: Mapping[str, Mapping[str, Iterable[str]]]) -> dict[str, str]:
    """Roles by path, of what ``pack_roles`` made."""
    return {
        f"{place}/{name}" if place else name: role
        for place, by_role in packed.items()
        for role, names in by_role.items()
        for name in names
    }


def parse_layout(layout: str) -> tuple[str, ...]:
    """Reads a layout; returns the roles of its folders, without the image at its end.

    Example:
        >>> parse_layout("split/category/*/product/image")
        ('split', 'category', '*', 'product')

    Raises:
        DatasetError: an unknown level, or levels that do not go together.
    """
    *levels, last = (level.strip().casefold() for level in layout.strip("/ ").split("/"))
    for level in (*levels, last):
        if level not in (CATEGORY, PRODUCT, SPLIT, IGNORED, IMAGE):
            raise DatasetError(f"a layout has no level {level!r}. Received: {layout!r}", hint=_KNOWN)
    if last != IMAGE or IMAGE in levels:
        raise DatasetError(f"a layout ends with image. Received: {layout!r}", hint=_KNOWN)
    for level in (PRODUCT, SPLIT):
        if levels.count(level) > 1:
            raise DatasetError(f"a layout has one {level} at most. Received: {layout!r}", hint=_KNOWN)
    if PRODUCT in levels and {CATEGORY, SPLIT} & set(levels[levels.index(PRODUCT) :]):
        raise DatasetError(
            f"all below a product is the product's. Received: {layout!r}",
            hint="give categories and splits before the product",
        )
    return tuple(levels)
