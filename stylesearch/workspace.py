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
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from stylesearch.config import Settings, load_settings
from stylesearch.errors import ConfigError, NotInCatalog
from stylesearch.types import Box, Domain, Failure, ImageRecord, Product

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog, FeatureSet
    from stylesearch.extractors.base import Extractor
    from stylesearch.gallery import CategoryStatus, Gallery
    from stylesearch.ingest import IngestReport
    from stylesearch.search import Photo, QueryResult, Searcher

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


class Workspace:
    """A shop's products, searchable. Use it in a ``with`` block, or close it.

    Args:
        settings: where things are and what is done unless a call says otherwise.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._catalog: Catalog | None = None
        self._extractors: dict[tuple[str, str, bool], Extractor] = {}
        self._searchers: dict[tuple[str, str, str, str], Searcher] = {}

    @property
    def catalog(self) -> Catalog:
        """The catalog, upgraded if need be; opened for reading only where it cannot be written.

        Raises:
            CatalogError: there is none yet.
        """
        return self._open_catalog(create=False)

    def ingest(
        self,
        path: str | os.PathLike[str],
        *,
        format: str = "auto",
        extractors: Sequence[str] | None = None,
        domain: str | None = None,
        prune: bool = False,
        allow_outside: bool = False,
        progress: ReportProgress | None = None,
    ) -> IngestReport:
        """Makes the catalog what a source says: computes what is new or changed, skips what is not.

        It may be stopped at any point and run again. Pictures and rows that cannot be used are listed in
        the report and stop nothing.

        Args:
            path: a folder, or a table with a header (CSV or TSV).
            format: ``auto``, ``folder`` or ``table``.
            extractors: what makes features, by name; by default the workspace's.
            domain: ``shop`` or ``consumer``, where the source does not say.
            prune: remove products of this source that it no longer lists.
            allow_outside: let a table name pictures outside its own folder.
            progress: called as ``progress(stage, n_done, n_total)``.

        Raises:
            DatasetError: the source as a whole cannot be read.
            CatalogLocked: another process is writing.
        """
        from stylesearch.gallery import upkeep
        from stylesearch.ingest import IngestOptions, ingest, joined

        catalog = self._open_catalog(create=True)
        specs = list(extractors or [self.settings.extractor])
        options = IngestOptions(
            format=format,
            domain=Domain(domain or Domain.SHOP),
            prune=prune,
            allow_outside=allow_outside,
            batch_size=self.settings.batch_size,
            n_workers=self.settings.workers or os.cpu_count() or 1,
            max_pixels=self.settings.max_pixels,
            lock_timeout=self.settings.lock_timeout,
        )
        reports = []
        for spec in specs:
            extractor = self._load_extractor(spec, throughput=True)
            report = ingest(catalog, Path(path), extractor, options, progress=progress)
            began = time.perf_counter()
            upkeep.refresh(self.gallery(extractor=spec), progress=progress)
            report.add_seconds("index", time.perf_counter() - began)
            reports.append(report)
        return joined(reports)

    def query(
        self,
        photo: Photo,
        *,
        k: int = 20,
        category: str | None = None,
        box: Box | tuple[int, int, int, int] | None = None,
        regions: str | None = None,
        extractor: str | None = None,
        space: str | None = None,
        metric: str | None = None,
    ) -> QueryResult:
        """Products that a photo shows, nearest first; see :meth:`stylesearch.search.Searcher.query`."""
        # The network is loaded while the catalog is opened: from a cold shell that is a fifth of the time.
        self._load_extractor(extractor or self.settings.extractor).preload()
        searcher = self._searcher(extractor, space, metric, regions)
        region = Box(*box) if isinstance(box, tuple) else box
        return searcher.query(photo, k=k, category=category, box=region)

    def similar(
        self,
        product_id: str,
        *,
        k: int = 20,
        category: str | None = None,
        extractor: str | None = None,
        space: str | None = None,
        metric: str | None = None,
    ) -> QueryResult:
        """Products that look like one in the catalog; see :meth:`stylesearch.search.Searcher.similar`."""
        return self._searcher(extractor, space, metric, None).similar(product_id, k=k, category=category)

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

    def gallery(
        self, *, extractor: str | None = None, space: str | None = None, metric: str | None = None
    ) -> Gallery:
        """What is searched: the shop's images with features of that extractor, in that space.

        Raises:
            NotInCatalog: nothing was ingested with that extractor.
        """
        return self._searcher(extractor, space, metric, None).gallery

    def build_indexes(self, *, progress: ReportProgress | None = None) -> dict[str, int]:
        """Fits the space and builds the index of every category anew: images in each, by category."""
        from stylesearch.gallery import upkeep

        with self.catalog.writing(timeout=self.settings.lock_timeout):
            return upkeep.rebuild(self.gallery(), progress)

    def index_status(self) -> list[CategoryStatus]:
        """What is built for each category, how much is pending and how much is gone."""
        from stylesearch.gallery import upkeep

        return upkeep.status(self.gallery())

    def verify_indexes(self) -> list[Failure]:
        """Reads every index whole; lists the damaged ones."""
        from stylesearch.gallery import upkeep

        return upkeep.verify(self.gallery())

    def close(self) -> None:
        """Builds again what was found damaged, and lets go of the catalog and the indexes."""
        if self._searchers:
            from stylesearch.gallery import upkeep

            for searcher in self._searchers.values():
                upkeep.repair(searcher.gallery)
                searcher.gallery.forget()
        self._searchers.clear()
        self._extractors.clear()
        if self._catalog is not None:
            self._catalog.close()
            self._catalog = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_catalog(self, *, create: bool) -> Catalog:
        if self._catalog is None:
            from stylesearch.catalog import Catalog

            database = self.settings.database
            readonly = Path(database).exists() and not os.access(database, os.W_OK)
            self._catalog = Catalog.open(database, create=create, readonly=readonly)
        return self._catalog

    def _load_extractor(self, spec: str, *, throughput: bool = False) -> Extractor:
        key = (spec, self.settings.weights, throughput)
        if key not in self._extractors:
            from stylesearch.extractors import load_extractor

            self._extractors[key] = load_extractor(
                spec,
                weights=self.settings.weights or None,
                engine=self.settings.engine,
                precision=self.settings.precision,
                throughput=throughput,
            )
        return self._extractors[key]

    def _searcher(
        self, extractor: str | None, space: str | None, metric: str | None, regions: str | None
    ) -> Searcher:
        spec = extractor or self.settings.extractor
        space = space or self.settings.space
        metric = metric or self.settings.metric
        regions = regions or self.settings.regions
        _check(space, metric)
        key = (spec, space, metric, regions)
        if key not in self._searchers:
            from stylesearch.gallery import Gallery
            from stylesearch.search import Searcher

            loaded = self._load_extractor(spec)
            gallery = Gallery(
                self.catalog,
                self._feature_set(loaded),
                space=space,
                metric=metric,
                folder=self.settings.home / "indexes" / loaded.fingerprint[:16],
            )
            self._searchers[key] = Searcher(
                gallery, loaded, regions=regions, max_pixels=self.settings.max_pixels
            )
        return self._searchers[key]

    def _feature_set(self, extractor: Extractor) -> FeatureSet:
        found = {one.fingerprint: one for one in self.catalog.feature_sets()}
        if extractor.fingerprint in found:
            return found[extractor.fingerprint]
        others = ", ".join(
            sorted({f"{one.extractor}@{one.parameters['input_size']}" for one in found.values()})
        )
        if not others:
            raise NotInCatalog(
                f"nothing has been ingested into {self.settings.database} yet",
                hint="stylesearch ingest FOLDER, or name the right workspace with --home",
            )
        raise NotInCatalog(
            f"the catalog has no features of {extractor.name}@{extractor.input_size} with these weights",
            hint=f"it has those of {others}: choose one with --extractor, or ingest again with this one",
        )


def _check(space: str, metric: str) -> None:
    from stylesearch.metrics import check_metric
    from stylesearch.spaces import SPACES

    _ = SPACES[space]
    try:
        check_metric(metric)
    except ValueError as error:
        raise ConfigError(str(error)) from None
