"""Finds out which source an ingest is of, and how it is read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stylesearch.errors import ConfigError
from stylesearch.importers import IMPORTERS
from stylesearch.importers.base import (
    AUTO,
    Importer,
    ImportOptions,
    LayoutImporter,
    check_options,
)
from stylesearch.importers.choice import choose_importer

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog, Source
    from stylesearch.workspace.resources import Resources

__all__ = ["ChosenSource", "choose_source"]

NOT_KEPT: Final = {"splits", "gallery"}
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
    """

    name: str
    path: Path
    importer: Importer
    options: ImportOptions
    kept: Mapping[str, Any]


def choose_source(
    resources: Resources,
    path: str | os.PathLike[str] | None,
    name: str,
    format: str,
    options: Mapping[str, Any],
) -> ChosenSource:
    """Finds out which source is meant, and how it is read; nothing is written.

    A source has the name that is given, else that of the source that lies at the path, else the path. What is
    not given is as it was when the source was ingested last.

    Args:
        resources: resources of the workspace.
        path: path of the source; None for where the named source lay last.
        name: name of the source, or "".
        format: name of a format, or ``auto``.
        options: fields of ``ImportOptions`` by name; None for those that are not given.

    Raises:
        ConfigError: neither a path nor a name.
        DatasetError: nothing is at the path, or no importer can read it.
        UnknownName: no such source, format or split.
    """
    catalog = resources.existing_catalog()
    # Links stay as they were given: a link to the latest export is one source.
    place = None if path is None else os.path.abspath(path)  # noqa: PTH100
    known = _known_source(catalog, place, name)
    if place is None:
        if known is None:
            raise ConfigError(
                "there is nothing to ingest", hint="give a path, or --source with the name of a source"
            )
        place = known.path
    kept: dict[str, Any] = {} if known is None else dict(known.options)
    given = {key: value for key, value in options.items() if value is not None}
    if format == AUTO:
        format = kept.get("format", AUTO)
    kept |= {key: value for key, value in given.items() if key not in NOT_KEPT}
    if format != AUTO:
        kept["format"] = format
    import_options = ImportOptions.of({**kept, **given})
    if format == AUTO and known is not None and _still_reads(known.format, place):
        # Read otherwise, its products would have other ids.
        format = known.format
    importer = choose_importer(place, format)
    check_options(importer, import_options)
    # This run tells what it assumes; later ones read the folder in the same way, whatever is added.
    if (
        isinstance(importer, LayoutImporter)
        and "layout" not in kept
        and (layout := importer.find_layout(Path(place)))
    ):
        kept["layout"] = layout
    return ChosenSource(name or (known.name if known else place), Path(place), importer, import_options, kept)


def _still_reads(format: str, place: str) -> bool:
    """Whether the importer that read a source before can read what is there now."""
    return format in IMPORTERS and os.path.exists(place) and IMPORTERS.load(format)().sniff(Path(place)) > 0  # noqa: PTH110


def _known_source(catalog: Catalog | None, place: str | None, name: str) -> Source | None:
    if catalog is None:
        return None
    if name:
        # With a path, a new name is a new source; without one, it has to be known.
        known = {one.name: one for one in catalog.sources.all()}
        return known.get(name) if place is not None else catalog.sources.get(name)
    return None if place is None else catalog.sources.of_path(place)
