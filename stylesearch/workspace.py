"""A workspace: one folder with a catalog, its indexes and its settings; the face of the library.

::

    import stylesearch as ss

    with ss.open("shop/") as shop:
        shop.ingest("catalog/")
        for hit in shop.query("street.jpg", k=20):
            print(hit.rank, hit.product.id, hit.distance)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from stylesearch.config import load_settings
from stylesearch.types import Box, ImageRecord, Product
from stylesearch.workspace_studies import WorkspaceStudies

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.ingest import IngestReport
    from stylesearch.search import Photo, QueryResult

__all__ = ["Workspace", "open"]


ReportProgress = Callable[[str, int, int | None], None]


def open(home: str | os.PathLike[str] | None = None, **settings: Any) -> Workspace:
    """Opens a workspace; its folder and catalog are made when something is first put into it.

    Args:
        home: the workspace folder; by default ``$STYLESEARCH_HOME``, else ``.stylesearch``.
        **settings: any field of :class:`stylesearch.config.Settings`; they win over the environment and
            over ``config.toml`` in the workspace folder.

    Raises:
        ConfigError: a setting that cannot be used.
    """
    return Workspace(load_settings({**settings, "home": home if home is not None else settings.get("home")}))


class Workspace(WorkspaceStudies):
    """A shop's products, searchable. Use it in a ``with`` block, or close it.

    Args:
        settings: where things are and what is done unless a call says otherwise.
    """

    @property
    def catalog(self) -> Catalog:
        """The catalog, upgraded if need be; opened for reading only where it cannot be written.

        Raises:
            CatalogError: there is none yet.
        """
        return self._parts.catalog()

    def ingest(
        self,
        path: str | os.PathLike[str],
        *,
        format: str = "auto",
        extractors: Sequence[str] | None = None,
        domain: str | None = None,
        prune: bool = False,
        allow_outside: bool = False,
        splits: Sequence[str] = (),
        gallery: Sequence[str] = (),
        categories: str = "own",
        progress: ReportProgress | None = None,
    ) -> IngestReport:
        """Makes the catalog what a source says: computes what is new or changed, skips what is not.

        It may be stopped at any point and run again. Pictures and rows that cannot be used are listed in
        the report and stop nothing.

        Args:
            path: a folder, a table with a header (CSV or TSV), or a public dataset.
            format: ``auto``, ``folder``, ``csv``, or the name of a dataset's format.
            extractors: what makes features, by name; by default that of the workspace's space.
            domain: ``shop`` or ``consumer``, where the source does not say.
            prune: remove products of this source that it no longer lists.
            allow_outside: let a table name pictures outside its own folder.
            splits: of a dataset: those whose pictures are taken; empty for all.
            gallery: of a dataset: the splits whose shop pictures are taken; empty for the same as ``splits``.
            categories: of a dataset: ``own``, or ``seed`` for Dress, Skirt, upper, lower and other.
            progress: called as ``progress(stage, n_done, n_total)``.

        Raises:
            DatasetError: the source as a whole cannot be read.
            UnknownName: no such format, or the dataset has no such split.
            CatalogLocked: another process is writing.
        """
        from stylesearch.catalog.importers.base import ImportOptions
        from stylesearch.intake import take_in

        return take_in(
            self._parts,
            Path(path),
            format=format,
            selection=ImportOptions(splits=tuple(splits), gallery=tuple(gallery), categories=categories),
            extractors=extractors,
            domain=domain,
            prune=prune,
            allow_outside=allow_outside,
            progress=progress,
        )

    def query(
        self,
        photo: Photo,
        *,
        k: int = 20,
        category: str | None = None,
        box: Box | tuple[int, int, int, int] | None = None,
        regions: str = "",
        extractor: str = "",
        space: str = "",
        metric: str = "",
    ) -> QueryResult:
        """Products that a photo shows, nearest first; see :meth:`stylesearch.search.Searcher.query`.

        A trained model (``space="siamese:NAME"``) brings its extractor and metric.

        Raises:
            UnknownName: no such extractor, space or model.
            ConfigError: the model takes another extractor or metric than this.
        """
        # The network is loaded while the catalog is opened: from a cold shell that is a fifth of the time.
        self._parts.extractor(self._parts.chosen(extractor, space, metric)[0]).preload()
        searcher = self._parts.searcher(extractor, space, metric, regions)
        region = Box(*box) if isinstance(box, tuple) else box
        return searcher.query(photo, k=k, category=category, box=region)

    def similar(
        self,
        product_id: str,
        *,
        k: int = 20,
        category: str | None = None,
        extractor: str = "",
        space: str = "",
        metric: str = "",
    ) -> QueryResult:
        """Products that look like one in the catalog; see :meth:`stylesearch.search.Searcher.similar`."""
        return self._parts.searcher(extractor, space, metric).similar(product_id, k=k, category=category)

    def contact_sheet(self, result: QueryResult, path: str | os.PathLike[str]) -> Path:
        """Draws the photo, where on it each hit was found, and the hits, into a picture file.

        Args:
            result: of :meth:`query` or :meth:`similar`.
            path: ends in ``.png``, ``.jpg`` or ``.webp``; folders are made.

        Returns:
            ``path``.

        Raises:
            ConfigError: another ending.
        """
        from stylesearch.sheets import save_sheet

        return save_sheet(result, Path(path))

    def product(self, product_id: str) -> Product:
        """The product of that id.

        Raises:
            NotInCatalog: there is none.
        """
        return self.catalog.product(product_id)

    def products(
        self, *, category: str | None = None, after: str | None = None, limit: int = 100
    ) -> Iterator[Product]:
        """Products in the order of their ids, at most ``limit``, from the one behind ``after``."""
        return iter(self.catalog.products(category=category, after=after, limit=limit))

    def images(self, product_id: str) -> list[ImageRecord]:
        """The pictures of a product."""
        return self.catalog.images_of(product_id)

    def remove(self, product_ids: Iterable[str]) -> int:
        """Removes products with their pictures and features; returns how many there were.

        Raises:
            NotInCatalog: one of them is not there; nothing is removed then.
        """
        wanted = list(product_ids)
        for product_id in wanted:
            self.catalog.product(product_id)
        with self.catalog.writing(timeout=self.settings.lock_timeout) as writer, writer.transaction():
            return writer.remove_products(wanted)

    def close(self) -> None:
        """Builds again what was found damaged, and lets go of the catalog and the indexes."""
        try:
            self._parts.repair_indexes()
        finally:
            self._parts.let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After an error, or Ctrl-C, nobody waits for indexes to be built.
        if kind is None:
            self.close()
        else:
            self._parts.let_go()
