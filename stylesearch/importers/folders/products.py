"""Walks a tree of folders, and finds the products in it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from stylesearch.importers.base import Note
from stylesearch.importers.folders.layout import PRODUCT, Place, Roles
from stylesearch.importers.folders.names import is_day, is_month, is_year, is_year_and_month
from stylesearch.importers.folders.tree import File, Folder, Tree
from stylesearch.types import Failure

__all__ = ["FoundProduct", "find_folders", "find_places", "find_products"]

_FURTHER: Final = re.compile(r"(?P<of>.+)-[0-9]{1,2}")
"""Name of a further image of a product in a folder of uploads: ``red-1`` beside ``red``."""


@dataclass(frozen=True, slots=True)
class FoundProduct:
    """A product in the tree.

    Attributes:
        place: path of its folder or first image, relative to the root, in NFC.
        name: name of that, without an extension, in NFC.
        parts: the files and folders that are its own, at any depth.
        is_file: whether it is an image by itself, or several beside each other.
        within: the place that it is in.
    """

    place: str
    name: str
    parts: tuple[File | Folder, ...]
    is_file: bool
    within: Place


def find_products(tree: Tree, roles: Roles) -> Iterator[FoundProduct | Failure | Note]:
    """Yields the products place by place: first those in a place, then those in the places below it."""
    for place, below in _walk(tree, roles):
        yield from map(Note, roles.of(place).notes)
        yield from _products_in(place, below)


def find_places(tree: Tree, roles: Roles) -> Iterator[tuple[Place, set[str]]]:
    """Yields the places of the tree that have folders in them, and the roles of these."""
    for place, entries in _walk(tree, roles):
        found = {role for _, (role, _) in entries if role}
        if found:
            yield place, found


def find_folders(tree: Tree, roles: Roles) -> Iterator[tuple[Place, str, str, tuple[Folder, ...]]]:
    """Yields the folders that are not within products, place by place.

    Yields:
        the place that a folder is in, its name, its role, and all folders of that name.
    """
    for place, entries in _walk(tree, roles):
        for name, (role, parts) in entries:
            folders = tuple(one for one in parts if isinstance(one, Folder))
            if role:
                yield place, name, role, folders


_Entry = tuple[str, tuple[str, tuple[File | Folder | Failure, ...]]]
"""Name, role ("" of a file or failure), and all that has this name and is of one kind."""


def _walk(tree: Tree, roles: Roles) -> Iterator[tuple[Place, Iterator[_Entry]]]:
    followed: set[tuple[int, int]] = set()
    name = tree.root.name
    pending = [Place((tree.root,), is_dated=is_year(name) or is_year_and_month(name))]
    while pending:
        place = pending.pop()
        below: list[Place] = []
        yield place, _entries(tree, roles, place, below, followed)
        pending += reversed(below)


def _entries(
    tree: Tree, roles: Roles, place: Place, below: list[Place], followed: set[tuple[int, int]]
) -> Iterator[_Entry]:
    """Lists a place, and adds the folders in it that are no products to ``below``."""
    of_place = roles.of(place)
    for name, group in itertools.groupby(tree.entries(place.folders), itemgetter(0)):
        entries = [entry for _, entry in group]
        folders = tuple(
            entry
            for entry in entries
            if isinstance(entry, Folder)
            # Those directly in the root may be linked as often as somebody likes.
            and (not place.path or tree.is_first_visit(entry, followed))
        )
        if rest := tuple(entry for entry in entries if not isinstance(entry, Folder)):
            yield name, ("", rest)
        if not folders:
            continue
        role = of_place.role(name, folders)
        yield name, (role, folders)
        if role != PRODUCT:
            is_dated = (
                is_year(name)
                or is_year_and_month(name)
                or (place.is_dated and (is_month(name) or is_day(name)))
            )
            below.append(place.child(name, folders, role, is_dated=is_dated))


def _products_in(place: Place, entries: Iterable[_Entry]) -> Iterator[FoundProduct | Failure]:
    if place.is_dated:
        entries = list(entries)
        stems = {one.stem for _, (_, parts) in entries for one in parts if isinstance(one, File)}
        yield from _uploads(place, entries, stems)
        return
    for name, (role, parts) in entries:
        yield from (one for one in parts if isinstance(one, Failure))
        if role == PRODUCT:
            yield FoundProduct(place.below(name), name, _own(parts), is_file=False, within=place)
        elif not role and (files := _own(parts)):
            yield FoundProduct(place.below(name), _stem(name), files, is_file=True, within=place)


def _uploads(place: Place, entries: list[_Entry], stems: set[str]) -> Iterator[FoundProduct | Failure]:
    """Finds products in a folder of uploads: ``red.jpg``, ``red-1.jpg``, ``red-2.jpg`` are one."""
    further: dict[str, list[File | Folder]] = {}
    rest: list[_Entry] = []
    for entry in entries:
        name, (role, parts) = entry
        found = None if role else _FURTHER.fullmatch(_stem(name))
        if found and found["of"] in stems and not any(isinstance(one, Failure) for one in parts):
            further.setdefault(found["of"], []).extend(_own(parts))
        else:
            rest.append(entry)
    for name, (role, parts) in rest:
        yield from (one for one in parts if isinstance(one, Failure))
        if role == PRODUCT:
            yield FoundProduct(place.below(name), name, _own(parts), is_file=False, within=place)
        elif not role and (files := _own(parts)):
            stem = _stem(name)
            files += tuple(further.pop(stem, ()))
            yield FoundProduct(place.below(name), stem, files, is_file=True, within=place)


def _own(parts: Iterable[File | Folder | Failure]) -> tuple[File | Folder, ...]:
    return tuple(one for one in parts if not isinstance(one, Failure))


def _stem(name: str) -> str:
    return File("", name).stem
