"""Importers, which read a shop's products: each lists records of one image of one product.

Readers of public datasets (``stylesearch.importers.datasets``) are importers too: they also know splits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from stylesearch.importers.lookup import has_any
from stylesearch.importers.tables import TABLE_FORMATS
from stylesearch.registry import Entry, Registry

__all__ = ["IMPORTERS", "ImporterEntry", "possible_formats"]


@dataclass(frozen=True, slots=True)
class ImporterEntry(Entry):
    """An importer's registry entry: its target, and the sources that it may read.

    Attributes:
        reads_file: whether its sources are files; else they are folders.
        is_table: whether it is the importer of tables, for the format of this name.
        markers: patterns of paths below the folder of a source, at least one of which always exists, in any
            case of letters; empty where the source may be any folder.
    """

    reads_file: bool = False
    is_table: bool = False
    markers: tuple[str, ...] = ()

    def may_read(self, path: Path) -> bool:
        """Whether ``path`` may be such a source, checked without importing the importer."""
        if self.reads_file:
            return path.is_file()
        return path.is_dir() and (not self.markers or has_any(path, self.markers))


_PARTITION: Final = tuple(f"{folder}list_eval_partition.txt" for folder in ("Eval/", "Anno/", ""))


class _Importers(Registry[ImporterEntry]):
    """A registry whose importers of tables know which format they are loaded for."""

    def load(self, name: str) -> Callable[[], Any]:
        """Imports the importer called ``name``; see ``Registry``."""
        importer: Callable[..., Any] = super().load(name)
        return partial(importer, name) if self[name].is_table else importer


IMPORTERS: Final = _Importers(
    "importer",
    {
        name: ImporterEntry(
            "stylesearch.importers.tables.importer:TableImporter",
            entry.summary,
            reads_file=True,
            is_table=True,
        )
        for name, entry in TABLE_FORMATS.items()
    }
    | {
        "deepfashion-c2s": ImporterEntry(
            "stylesearch.importers.datasets.deepfashion:ConsumerToShop",
            "DeepFashion, consumer-to-shop benchmark: Eval/, Anno/ and img/ or img_highres/",
            markers=_PARTITION,
        ),
        "deepfashion-inshop": ImporterEntry(
            "stylesearch.importers.datasets.deepfashion:InShop",
            "DeepFashion, in-shop benchmark: Eval/, Anno/ and img/ or img_highres/",
            markers=_PARTITION,
        ),
        "deepfashion2": ImporterEntry(
            "stylesearch.importers.datasets.deepfashion2:DeepFashion2",
            "DeepFashion2: train/ and validation/, each with annos/ and image/",
            markers=("train/annos", "validation/annos"),
        ),
        "folder": ImporterEntry(
            "stylesearch.importers.folders.importer:FolderImporter",
            "a folder of any depth: category/product/picture.jpg, category/picture.jpg, ...",
        ),
        "street2shop": ImporterEntry(
            "stylesearch.importers.datasets.street2shop:Street2Shop",
            "Exact Street2Shop: meta/json/ and photos/",
            markers=tuple(
                f"{folder}{start}_*.json"
                for folder in ("meta/json/", "json/", "meta/", "")
                for start in ("retrieval", "test_pairs")
            ),
        ),
    },
)
"""Every importer, by the name that ``--format`` takes."""


def possible_formats(path: Path) -> Iterator[str]:
    """Names of the importers that may be able to read ``path``; only these need to be imported."""
    return (name for name, entry in IMPORTERS.items() if entry.may_read(path))
