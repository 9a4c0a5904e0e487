"""Reads a folder of images, however deep: as its layout says, or as its names and numbers tell.

- A folder that is a product has all images in it, however deep. An image in a folder that is a category, or
  directly in the given folder, is a product by itself.
- The categories on the way are the product's: ``Women > Dresses``. Where there is none, the name of the given
  folder is the guess.
- A product's id is its name (the folder's, or the image's without its extension) where no other product of
  the tree has it; else its path without the extension, or the whole path. The catalog keeps the id of a
  product that is where it was.
- Hidden files, leftovers of operating systems, files that are plainly no images, and smaller copies of images
  that are there (``red-150x150.jpg``) are skipped; everything else is listed: whether it is an image is for
  the decoder to say, by its content.
- Links are followed, but not into a folder that contains them.
- Names that differ only in their Unicode form are one name.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np

from stylesearch.errors import DatasetError
from stylesearch.importers.base import AUTO, ImportOptions, Listed, Misread, Note, title_from_name
from stylesearch.importers.folders.layout import (
    CATEGORY,
    IGNORED,
    IMAGE,
    PRODUCT,
    SPLIT,
    GivenLayout,
    KeptRoles,
    Place,
    Roles,
    pack_roles,
    parse_layout,
    unpack_roles,
)
from stylesearch.importers.folders.names import is_year, is_year_and_month
from stylesearch.importers.folders.products import FoundProduct, find_folders, find_places, find_products
from stylesearch.importers.folders.recognition import FoundLayout
from stylesearch.importers.folders.tree import File, Folder, Tree, nfc
from stylesearch.listing import UNCATEGORIZED, Listing, Record
from stylesearch.types import Failure

__all__ = ["FolderImporter"]

N_ROLES_KEPT: Final = 20_000
"""Folders whose roles are kept for later runs."""
N_NAMED: Final = 20
"""Folders of a place that are named as misread."""

EXPECTED: Final = (
    "expected category/product/picture.jpg, category/picture.jpg or product/picture.jpg below it, "
    "or what --layout says"
)


class FolderImporter:
    """Reads a folder; see the module's text. Stateless.

    Args:
        notes: what the user should know of the folder before what it lists.
    """

    name = "folder"

    def __init__(self, notes: tuple[str, ...] = ()) -> None:
        self._notes = notes

    def sniff(self, path: Path) -> int:
        """2 for any folder."""
        return 2 if path.is_dir() else 0

    def records(self, path: Path, options: ImportOptions) -> Iterator[Listed]:
        """Lists every image below ``path``, in the order of the names; see ``Importer``.

        Notes say what was assumed where the layout is not given and the folders can be read in two ways.

        Raises:
            DatasetError: ``path`` is not a folder, or has no file that could be an image; the layout is none.
        """
        tree = _open_tree(path)
        roles = _roles(tree, options)
        yield from map(Note, self._notes)
        repeated = _repeated_names(tree, roles)
        empty = True
        for found in find_products(tree, roles):
            if not isinstance(found, FoundProduct):
                empty = empty and not isinstance(found, Failure)
                yield found
                continue
            product = _listing(found, repeated, tree)
            for part in found.parts:
                for item in tree.files(part):
                    empty = False
                    yield item if isinstance(item, Failure) else Record(product, item.path, options.domain)
        if empty:
            raise DatasetError(f"no pictures in {path}", hint=EXPECTED)

    def count(self, path: Path) -> int:
        """Number of images."""
        tree = _open_tree(path)
        return sum(1 for item in tree.files(tree.root) if isinstance(item, File))

    def find_layout(self, path: Path) -> str:
        """Finds the layout by which later runs read ``path`` as it is read now, whatever is added to it.

        Returns:
            the layout, or "" where folders of one level are read in different ways, or where there are none.

        Raises:
            DatasetError: ``path`` is not a folder.
        """
        tree = _open_tree(path)
        by_depth: dict[int, set[str]] = {}
        for place, roles in find_places(tree, FoundLayout(tree)):
            if place.is_dated:
                return ""
            by_depth.setdefault(len(place.levels), set()).update(roles)
        levels = [roles.pop() for _, roles in sorted(by_depth.items()) if len(roles) == 1]
        if not levels or len(levels) != len(by_depth) or levels[-1] in (IGNORED, SPLIT):
            return ""
        if levels[-1] == CATEGORY:
            levels.append(PRODUCT)  # images beside folders of products are products as well
        return "/".join([*levels, IMAGE])

    def find_reading(self, path: Path, options: ImportOptions) -> dict[str, Any]:
        """Finds how later runs read ``path`` as it is read now; see ``LayoutImporter``.

        A layout where there is one, else the role of each folder that has files, with those that earlier runs
        found of folders that are gone. Of more than ``N_ROLES_KEPT`` folders only those that are no products
        are kept.

        Raises:
            DatasetError: ``path`` is not a folder.
        """
        if not options.roles and (layout := self.find_layout(path)):
            return {"layout": layout, "layout_found": True}
        tree = _open_tree(path)
        known = unpack_roles(options.roles)
        roles: dict[str, str] = {}
        for place, name, role, folders in find_folders(tree, _roles(tree, replace(options, layout=""))):
            one = place.below(name)
            if one in known or any(map(tree.has_files, folders)):
                roles[one] = role
        roles |= {one: role for one, role in known.items() if one not in roles}
        if len(roles) > N_ROLES_KEPT:
            roles = {one: role for one, role in roles.items() if role != PRODUCT}
        return {"roles": pack_roles(dict(itertools.islice(roles.items(), N_ROLES_KEPT)))} if roles else {}

    def find_misread(self, path: Path, layout: str) -> Iterator[Misread]:
        """Finds folders that look otherwise than ``layout`` says, the uppermost; see ``LayoutImporter``.

        Raises:
            DatasetError: ``path`` is not a folder, or the layout is none.
        """
        tree = _open_tree(path)
        found = FoundLayout(tree)
        others: dict[tuple[str, str, str], list[tuple[Place, str, tuple[Folder, ...]]]] = {}
        misread: set[str] = set()
        for place, name, role, folders in find_folders(tree, GivenLayout(parse_layout(layout))):
            if place.path in misread:
                misread.add(place.below(name))
                continue
            looks_like = found.of(place).role(name, folders)
            if looks_like != role and any(map(tree.has_files, folders)):
                misread.add(place.below(name))
                others.setdefault((place.path, role, looks_like), []).append((place, name, folders))
        for (where, role, looks_like), several in others.items():
            step = max(1, len(several) // N_NAMED)
            yield Misread(
                where,
                tuple(place.below(name) for place, name, _ in several[::step]),
                role,
                looks_like,
                _layout_as_it_looks(tree, *several[0], looks_like),
            )


class _RepeatedNames:
    """Hashes of names that more than one product has; eight bytes for each product."""

    def __init__(self, names: Iterable[str]) -> None:
        hashes = array("Q", map(_name_hash, names))
        values, counts = np.unique(np.frombuffer(hashes, np.uint64), return_counts=True)
        self._repeated = set(values[counts > 1].tolist())

    def __contains__(self, name: str) -> bool:
        return bool(self._repeated) and _name_hash(name) in self._repeated


def _open_tree(path: Path) -> Tree:
    if not path.is_dir():
        raise DatasetError(f"not a folder: {path}", hint=EXPECTED)
    return Tree(path)


def _roles(tree: Tree, options: ImportOptions) -> Roles:
    if options.layout not in ("", AUTO):
        return GivenLayout(parse_layout(options.layout))
    found = FoundLayout(tree)
    return KeptRoles(unpack_roles(options.roles), found) if options.roles else found


def _layout_as_it_looks(tree: Tree, place: Place, name: str, folders: tuple[Folder, ...], role: str) -> str:
    """The layout by which a folder is read as it looks, from the root down to the first product in it."""
    found = FoundLayout(tree)
    while role != PRODUCT:
        place = place.child(name, folders, role)
        below = next(((one, parts) for one, parts in _folders_in(tree, place)), None)
        if below is None:
            break
        name, folders = below
        role = found.of(place).role(name, folders)
    # Images beside folders of products are products as well.
    return "/".join([*place.levels, PRODUCT, IMAGE])


def _folders_in(tree: Tree, place: Place) -> Iterator[tuple[str, tuple[Folder, ...]]]:
    for name, entry in tree.entries(place.folders):
        if isinstance(entry, Folder) and tree.has_files(entry):
            yield name, (entry,)


def _repeated_names(tree: Tree, roles: Roles) -> _RepeatedNames:
    """The names that several products have, alone or behind the path of their folder."""
    return _RepeatedNames(
        name
        for found in find_products(tree, roles)
        if isinstance(found, FoundProduct) and any(tree.has_files(part) for part in found.parts)
        for name in _names(found)[:2]
    )


def _names(found: FoundProduct) -> list[str]:
    """What a product could be called: the name alone, behind the path of its folder, and as a file."""
    folder = found.within.path or "."
    names = [found.name, f"{folder}/{found.name}"]
    return [*names, f"{folder}/{found.place.rpartition('/')[2]}"] if found.is_file else names


def _listing(found: FoundProduct, repeated: _RepeatedNames, tree: Tree) -> Listing:
    """Describes a product; a name that several have stands behind the path of its folder in its id."""
    within = found.within
    names = _names(found)
    while len(names) > 1 and names[0] in repeated:
        del names[0]
    # No other place makes the last one, so there always is an id that is free.
    first, *others = *names, f"{found.place}/"
    said: dict[str, str] = {}
    if within.categories:
        said["category"] = " > ".join(within.categories)
    if within.split:
        said["attributes.split"] = within.split
    return Listing(
        first,
        said,
        guesses={
            "title": title_from_name(found.name),
            "category": said.get("category") or _category_of_root(tree),
        },
        place=found.place,
        other_ids=tuple(others),
    )


def _category_of_root(tree: Tree) -> str:
    name = nfc(tree.root.name)
    return UNCATEGORIZED if not name or is_year(name) or is_year_and_month(name) else name


def _name_hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")
