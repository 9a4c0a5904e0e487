"""Finds out which source an ingest is of, and how it is read."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stylesearch.errors import ConfigError
from stylesearch.images.source import is_remote
from stylesearch.importers import IMPORTERS
from stylesearch.importers.base import (
    AUTO,
    Importer,
    ImportOptions,
    LayoutImporter,
    Misread,
    check_options,
)
from stylesearch.importers.choice import choose_importer

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog, Source
    from stylesearch.workspace.resources import Resources

__all__ = ["ChosenSource", "choose_source"]

N_PLACES_COMPARED: Final = 50
"""Places with folders that look otherwise than a layout says, of which it is asked whether they are new."""
N_MISREAD_TOLD: Final = 3
"""Places of them that are told."""

_NOUNS: Final = {
    "category": "categories",
    "product": "products",
    "split": "splits",
    "*": "folders that say nothing",
}

NOT_KEPT: Final = {"allow_outside", "splits", "gallery"}
"""Options of an import that are for one run; all others are kept with the source."""


@dataclass(frozen=True, slots=True)
class ChosenSource:
    """A source to ingest: its name, where it lies, and how it is read.

    Attributes:
        name: name of the source.
        path: where it lies now.
        importer: reads it.
        options: options of the importer.
        kept: options to be kept with the source, JSON values by name.
        renames: name that the source has had, where it gets another; else "".
        notes: what the user should know of the choice.
    """

    name: str
    path: Path
    importer: Importer
    options: ImportOptions
    kept: Mapping[str, Any]
    renames: str = ""
    notes: tuple[str, ...] = ()


def choose_source(
    resources: Resources,
    path: str | os.PathLike[str] | None,
    name: str,
    format: str,
    options: Mapping[str, Any],
) -> ChosenSource:
    """Finds out which source is meant, and how it is read; nothing is written.

    A source has the name that is given, else that of the source that lies at the path, else the path. A name
    that no source has, for a path where one lies, is another name of that one, unless it is to be read in
    another format. What is not given is as it was when the source was ingested last.

    Args:
        resources: resources of the workspace.
        path: path of the source; None for where the named source lay last.
        name: name of the source, or "".
        format: name of a format, or ``auto``.
        options: fields of ``ImportOptions`` by name; None for those that are not given.

    Raises:
        ConfigError: neither a path nor a name, a name that is reserved, or no such domain.
        DatasetError: nothing is at the path, or no importer can read it.
        UnknownName: no such source, format or split.
    """
    if name:
        from stylesearch.catalog.source_reader import check_name

        check_name(name)
    catalog = resources.existing_catalog()
    # Links stay as they were given: a link to the latest export is one source.
    place = None if path is None else os.path.abspath(path)  # noqa: PTH100
    known = _known_source(catalog, place, name, format)
    if place is None:
        if known is None:
            raise ConfigError(
                "there is nothing to ingest", hint="give a path, or --source with the name of a source"
            )
        place = known.path
    chosen_name = name or (known.name if known else place)
    renames, notes = "", []
    if known is not None and known.name != chosen_name:
        renames = known.name
        notes.append(f"the source {renames} is called {chosen_name} from now on")
    kept: dict[str, Any] = {} if known is None else dict(known.options)
    given = _whole_values(options, kept)
    if format == AUTO:
        format = kept.get("format", AUTO)
    kept = {key: value for key, value in {**kept, **given}.items() if key not in NOT_KEPT}
    if not kept.get("columns", True):
        del kept["columns"]
    if format != AUTO:
        kept["format"] = format
    if "layout" in given:
        for found in ("layout_found", "roles"):
            kept.pop(found, None)
    import_options = ImportOptions.of({**kept, **given})
    if format == AUTO and known is not None and _still_reads(known.format, place):
        # Read otherwise, its products would have other ids.
        format = known.format
    importer = choose_importer(place, format)
    check_options(importer, import_options)
    if isinstance(importer, LayoutImporter):
        # This run tells what it assumes; later ones read the folder in the same way, whatever is added.
        if "layout" not in kept:
            kept |= importer.find_reading(Path(place), import_options)
        elif catalog is not None and known is not None and import_options.layout_found:
            misread = importer.find_misread(Path(place), import_options.layout)
            notes += _misread_notes(catalog, known.name, import_options.layout, misread)
    return ChosenSource(
        chosen_name, Path(place), importer, import_options, kept, renames=renames, notes=tuple(notes)
    )


def _misread_notes(catalog: Catalog, name: str, layout: str, misread: Iterable[Misread]) -> list[str]:
    """Says which new folders look otherwise than the layout says that was found before they were there."""
    notes: list[str] = []
    for one in itertools.islice(misread, N_PLACES_COMPARED):
        if len(notes) == N_MISREAD_TOLD:
            break
        if any(catalog.sources.has_products_below(name, folder) for folder in one.folders):
            continue  # these were read so before, and are read so with what was added to them
        names = ", ".join(f"{folder.rpartition('/')[2]!r}" for folder in one.folders[:3])
        below = f"in {one.place!r}" if one.place else "in the folder"
        notes.append(
            f"took the new folders {below} ({names}{', ...' if len(one.folders) > 3 else ''}) as the layout "
            f"{layout} says, which an earlier run found: {_NOUNS[one.read_as]}; they look like "
            f"{_NOUNS[one.looks_like]}: --layout auto looks at each folder, --layout {one.layout} is for a "
            "source in which all are so"
        )
    return notes


def _whole_values(options: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are given, as later runs need them, which may begin in another folder."""
    given = {key: value for key, value in options.items() if value is not None}
    if "columns" in given:
        given["columns"] = _join_columns(kept.get("columns", {}), given["columns"])
    root = given.get("media_root")
    if root and not is_remote(root):
        given["media_root"] = os.path.abspath(os.path.expanduser(root))  # noqa: PTH100, PTH111
    return given


def _join_columns(kept: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Columns by field: those that are given instead of those that are kept; an empty one removes a field."""
    from stylesearch.importers.tables.aliases import find_field
    from stylesearch.importers.tables.items import plain_name

    def field_of(name: str) -> str:
        return (find_field(plain_name(name)) or (name,))[0]

    replaced = {field_of(name) for name in given}
    joined = {name: column for name, column in kept.items() if field_of(name) not in replaced}
    return joined | {name: column for name, column in given.items() if column}


def _still_reads(format: str, place: str) -> bool:
    """Whether the importer that read a source before can read what is there now."""
    return format in IMPORTERS and os.path.exists(place) and IMPORTERS.load(format)().sniff(Path(place)) > 0  # noqa: PTH110


def _known_source(catalog: Catalog | None, place: str | None, name: str, format: str) -> Source | None:
    """The source that is meant; None for one that is not in the catalog yet."""
    if catalog is None:
        return None
    if place is None:
        return catalog.sources.get(name) if name else None
    at_place = catalog.sources.of_path(place)
    if not name:
        return at_place
    known = {one.name: one for one in catalog.sources.all()}
    if name in known or at_place is None:
        return known.get(name)
    is_read_otherwise = format not in (AUTO, at_place.format, at_place.options.get("format"))
    return None if is_read_otherwise else at_place
