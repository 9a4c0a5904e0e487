"""Applies many changes of products in one transaction, each with an outcome of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stylesearch.catalog import Patch, ProductChange
from stylesearch.catalog.source_reader import API
from stylesearch.serving.products.changes import files_of, remove_unused, uploaded_images
from stylesearch.serving.uploads import upload_journal

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.catalog.writer import Writer
    from stylesearch.serving.uploads import UploadFolder

__all__ = ["BulkChange", "BulkOutcome", "apply_changes"]


@dataclass(frozen=True, slots=True)
class BulkChange:
    """One of many changes.

    Attributes:
        id: id of the product.
        patch: what is changed; None for a product that is deleted.
    """

    id: str
    patch: Patch | None


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """What became of a change.

    Attributes:
        word: ``changed``, ``unchanged``, ``deleted``, ``refused``, or ``missing`` where there is no such
            product.
        error: why it was refused; else empty.
    """

    word: str
    error: str = ""


def apply_changes(
    catalog: Catalog, uploads: UploadFolder, changes: Sequence[BulkChange], *, lock_timeout: float
) -> tuple[list[BulkOutcome], tuple[str, ...]]:
    """Applies changes in their order, in one transaction: all that are possible, or none.

    Files that were put for a product that is deleted are removed, unless another product has them.

    Args:
        catalog: the catalog to write to.
        uploads: folder of the files.
        changes: the changes.
        lock_timeout: seconds to wait for another process that writes.

    Returns:
        what became of each, and digests of images that the catalog no longer has.

    Raises:
        CatalogLocked: another process is writing.
    """
    deleted = dict.fromkeys(one.id for one in changes if one.patch is None)
    with catalog.writing(timeout=lock_timeout) as writer:
        before = [image for product_id in deleted for image in uploaded_images(catalog, uploads, product_id)]
        with upload_journal(catalog, uploads, lambda: files_of(before)):
            with writer.transaction():
                outcomes = [one for run in _runs(changes) for one in _apply(writer, run)]
            return outcomes, remove_unused(catalog, uploads, before)


def _runs(changes: Sequence[BulkChange]) -> Iterator[list[BulkChange]]:
    """Groups changes that follow each other, are of one kind, and concern a product once."""
    run: list[BulkChange] = []
    ids: set[str] = set()
    for one in changes:
        if run and (one.id in ids or (one.patch is None) != (run[0].patch is None)):
            yield run
            run, ids = [], set()
        run.append(one)
        ids.add(one.id)
    if run:
        yield run


def _apply(writer: Writer, run: Sequence[BulkChange]) -> list[BulkOutcome]:
    patches = {one.id: one.patch for one in run if one.patch is not None}
    if patches:
        changed = writer.patch_products(patches, source=API)
        return [_outcome(changed.get(one.id)) for one in run]
    known = writer.known_ids(one.id for one in run)
    writer.remove_products(known)
    return [BulkOutcome("deleted" if one.id in known else "missing") for one in run]


def _outcome(change: ProductChange | None) -> BulkOutcome:
    if change is None:
        return BulkOutcome("missing")
    return BulkOutcome("refused" if change.refused else str(change.change), change.refused)
