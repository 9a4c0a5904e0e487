"""Checks the files that the catalog lists: whether they are there, and whether they are still the same."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, select

from stylesearch.catalog.check.findings import Finding, Problem
from stylesearch.catalog.queries import IS_USABLE, in_batches
from stylesearch.catalog.tables import images, products
from stylesearch.errors import CatalogDamaged
from stylesearch.files import sha256_file
from stylesearch.images.source import is_lost
from stylesearch.images.upload_store import is_upload_of
from stylesearch.types import ReportProgress

__all__ = ["REMOVE_UPLOAD", "check_files", "check_uploads"]

REMOVE_UPLOAD: Final = "removes the file"

PAGE: Final = 1000


def check_files(
    connection: Connection,
    uploads: Path,
    is_stored: Callable[[str], bool] | None = None,
    *,
    contents: bool = False,
    progress: ReportProgress | None = None,
) -> Finding:
    """Looks at the file of every usable image; of one behind a URL, at the file that it was fetched to.

    Args:
        connection: connection to the catalog.
        uploads: folder of images that were put over the API, which may have moved with the workspace.
        is_stored: whether the store of these images has a file, by its name; None where it is that folder.
        contents: whether every file is read and compared with its sha256.
        progress: called as ``progress("files", n_done, None)``.
    """
    found = Finding("files of images", 0, "files", hint="ingest their source again")
    for pk, product_id, path, file, sha256 in _usable_images(connection):
        found.n_checked += 1
        place = _place_of(file or path, sha256, uploads)
        if is_lost(place) and is_stored is not None and is_upload_of(Path(place), sha256):
            if not is_stored(Path(place).name):
                found.add(Problem(f"the store of uploads has no file of image {pk}: {place}", product_id))
        elif is_lost(place):
            found.add(Problem(f"the file of image {pk} is gone: {place}", product_id))
        elif contents and (fault := _fault_of_content(place, sha256)):
            found.add(Problem(f"the file of image {pk} {fault}: {place}", product_id))
        if progress and found.n_checked % PAGE == 0:
            progress("files", found.n_checked, None)
    return found


def check_uploads(connection: Connection, folder: Path) -> Finding:
    """Looks for files of images put over the API that no image of the catalog has.

    A repair may remove them only where the catalog has others of the folder: else it may not be the catalog
    that they belong to. Nor where a change of products was cut short, of which they are a part.

    Args:
        connection: connection to the catalog.
        folder: folder of these images.
    """
    hint = "is this the catalog that they were put into? Restore the right one, or remove them by hand"
    found = Finding("images that were put over the API", 0, "files", hint=hint)
    is_unfinished = any(folder.glob("unfinished-*.json"))
    unused: list[Path] = []
    paths = (path for path in folder.glob("??/*") if not path.name.startswith("."))
    for some in _chunks(paths):
        digests = sorted({path.stem for path in some})
        known: set[str] = set()
        for batch in in_batches(digests):
            statement = select(images.c.sha256).where(images.c.sha256.in_(batch))
            known.update(map(str, connection.execute(statement).scalars()))
        found.n_checked += len(some)
        unused += [path for path in some if path.stem not in known]
    may_remove = len(unused) < found.n_checked and not is_unfinished
    for path in sorted(unused):
        what = f"no product has the image {path}"
        found.add(Problem(what, None, REMOVE_UPLOAD if may_remove else "", str(path)))
    return found


def _usable_images(connection: Connection) -> Iterator[Any]:
    """Yields key, product, path, file and sha256 of the usable images that can be read."""
    page = (
        select(images.c.pk, products.c.id, images.c.path, images.c.file, images.c.sha256)
        .join_from(images, products, products.c.pk == images.c.product_pk)
        .where(IS_USABLE)
    )
    keys = select(images.c.pk).order_by(images.c.pk).limit(PAGE)
    last = -1
    while pks := connection.execute(keys.where(images.c.pk > last)).scalars().all():
        last = pks[-1]
        try:
            rows = connection.execute(page.where(images.c.pk.in_(pks))).all()
        except CatalogDamaged:  # named by the check of the rows: the others one by one
            rows = list(_singly(connection, page, pks))
        yield from rows


def _singly(connection: Connection, page: Any, pks: Sequence[int]) -> Iterator[Any]:
    for pk in pks:
        with contextlib.suppress(CatalogDamaged):
            yield from connection.execute(page.where(images.c.pk == pk)).all()


def _place_of(path: str, sha256: str | None, uploads: Path) -> str:
    """Path of an image's file; of one put over the API before the workspace moved, where it is now."""
    listed = Path(path)
    if not sha256 or not is_upload_of(listed, sha256):
        return path
    moved = uploads / sha256[:2] / listed.name
    return str(moved) if is_lost(path) and moved.exists() else path


def _fault_of_content(path: str, sha256: str) -> str:
    try:
        is_same = sha256_file(path) == sha256
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    return "" if is_same else "has changed since it was ingested"


def _chunks(paths: Iterable[Path]) -> Iterator[list[Path]]:
    some: list[Path] = []
    for path in paths:
        some.append(path)
        if len(some) == PAGE:
            yield some
            some = []
    if some:
        yield some
