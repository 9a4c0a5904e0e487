"""The library's main class: a workspace, one folder with a catalog, indexes, trained models, settings.

```python
import stylesearch as ss

with ss.open("shop/") as shop:
    shop.ingest("catalog/")
    for hit in shop.query("street.jpg", k=20):
        print(hit.rank, hit.product.id, hit.distance)
```
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self, Unpack

from stylesearch.errors import StyleSearchError
from stylesearch.images.limits import limit_decoding
from stylesearch.models.card import is_trained
from stylesearch.settings import Settings, load_settings
from stylesearch.types import (
    ImageRecord,
    Product,
    ProductFilter,
    ReportProgress,
    SearchKeywords,
    SearchRequest,
    SpaceChoice,
)
from stylesearch.workspace.category_names import CategoryNames
from stylesearch.workspace.database import Database
from stylesearch.workspace.indexes import Indexes
from stylesearch.workspace.models import Models
from stylesearch.workspace.pictures import Pictures
from stylesearch.workspace.resources import Resources
from stylesearch.workspace.sources import Sources

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.evaluation.compare import Comparison
    from stylesearch.evaluation.results import Study
    from stylesearch.extractors.base import Extractor
    from stylesearch.images.remote.values import FetchOptions
    from stylesearch.ingest import IngestReport
    from stylesearch.ingest.failure_file import OnFailure
    from stylesearch.search import Gallery
    from stylesearch.search.searcher import DetectResult, Photo, QueryResult, Searcher
    from stylesearch.training.epoch import Epoch
    from stylesearch.training.results import TrainReport
    from stylesearch.workspace.duplicates import Duplicates
    from stylesearch.workspace.watching import WatchRun

__all__ = ["Workspace", "open"]

log = logging.getLogger(__name__)


def open(home: str | os.PathLike[str] | None = None, **settings: Any) -> Workspace:
    """Opens a workspace; its folder and catalog are created when they are first written to.

    Args:
        home: the workspace folder; by default ``$STYLESEARCH_HOME``, else ``.stylesearch``.
        **settings: any field of ``stylesearch.settings.Settings``; they override the environment and
            ``config.toml`` in the workspace folder.

    Raises:
        ConfigError: a setting that cannot be used.
    """
    return Workspace(load_settings({**settings, "home": home if home is not None else settings.get("home")}))


class Workspace:
    """A shop's products, searchable. Use it in a ``with`` block, or close it.

    Where a method takes ``extractor``, ``space`` and ``metric``, an empty one is the workspace's own; a
    trained model (``space="siamese:NAME"``) has its own extractor and metric.

    Args:
        settings: settings of the workspace, which apply unless a call overrides them.

    Attributes:
        settings: the settings.
        indexes: builds, inspects, verifies and repairs the indexes.
        models: lists, reads and removes the trained models.
        sources: lists, renames and removes the sources of products.
        categories: lists, renames, merges and maps the categories that products are searched in.
        pictures: counts and removes the pictures that were fetched from URLs.
        database: backs the catalog up, restores, vacuums, exports and imports it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        limit_decoding(settings.decoding_limits)  # of the process: those of the workspace that is opened last
        self._resources = Resources(settings)
        self.indexes = Indexes(self._resources)
        self.models = Models(self._resources)
        self.sources = Sources(self._resources)
        self.categories = CategoryNames(self._resources, self._refresh_known_indexes)
        self.pictures = Pictures(self._resources)
        self.database = Database(self._resources)

    @property
    def catalog(self) -> Catalog:
        """The catalog, upgraded first if needed; read-only where it cannot be written.

        Raises:
            CatalogError: there is none yet.
        """
        return self._resources.catalog()

    def ingest(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        source: str = "",
        format: str = "auto",
        extractors: Sequence[str] | None = None,
        prune: bool = False,
        force: bool = False,
        dry_run: bool = False,
        fetching: Mapping[str, Any] | None = None,
        on_failure: OnFailure | None = None,
        progress: ReportProgress | None = None,
        cluster: str | None = None,
        **options: Any,
    ) -> IngestReport:
        """Updates the catalog to what a source lists; computes features of new and changed images only.

        A source changes only what it says: fields of a product that it does not have stay as they are. In a
        workspace of an older version, shop images of other sources get the features that they lack too.

        It may be stopped at any point and run again. Images and rows that cannot be used are listed in
        the report and stop nothing.

        Args:
            path: a folder, a table with a header (CSV, TSV, xlsx), a shop system's export or feed, or a
                public dataset; by default where ``source`` lay last.
            source: name of the source; by default that of the source that lies at the path, else the path.
                Another path under one name is the same source moved; a new name for the path of a source
                renames it.
            format: a name in ``stylesearch.importers.IMPORTERS``; ``auto`` to look at the source.
            extractors: names of the extractors; by default those that the source was ingested with by name,
                else the one that queries use, which is that of the trained model where the workspace's
                space is one.
            prune: whether to remove products of this source that it no longer lists.
            force: whether that may be more than a third of them at once.
            dry_run: whether nothing is stored or fetched: the report says what would be.
            fetching: fields of ``stylesearch.images.remote.values.FetchOptions``, for pictures behind URLs;
                they override the settings of the workspace.
            on_failure: called with each failure, the product's id and the image ("" where not known); the
                report keeps the first thousand.
            progress: called as ``progress(stage, n_done, n_total)``.
            cluster: where features are computed, as the setting of that name; by default as the settings
                say.
            **options: fields of ``stylesearch.importers.base.ImportOptions``: ``domain`` (``shop`` or
                ``consumer``, where the source does not say), ``allow_outside``, ``layout``, ``sheet``,
                ``columns``, ``variants``, ``currency``, ``unpublished``, ``sold_out``, ``media_root``,
                ``splits``, ``gallery``, ``categories``. They are kept with the source, but for
                ``allow_outside``, ``splits`` and ``gallery``; ``columns`` are joined with those that are
                kept, and an empty column removes one.

        Raises:
            DatasetError: the source as a whole cannot be read; the catalog stays as it is.
            ConfigError: neither a path nor a name, the name of the API's source, or no such domain.
            UnknownName: no such source or format, or the dataset has no such split.
            CatalogLocked: another process is writing.
            ClusterError: the cluster cannot be reached, or none of its workers can be used; what is done
                stays.
        """
        if cluster is not None and cluster != self.settings.cluster:
            with Workspace(self.settings.replace(cluster=cluster)) as same:
                return same.ingest(
                    path,
                    source=source,
                    format=format,
                    extractors=extractors,
                    prune=prune,
                    force=force,
                    dry_run=dry_run,
                    fetching=fetching,
                    on_failure=on_failure,
                    progress=progress,
                    **options,
                )
        from stylesearch.ingest import IngestOptions, ingest, preview
        from stylesearch.workspace.source_choice import choose_source

        # Before a workspace is created, in case it is no source.
        if dry_run:
            with TemporaryDirectory() as folder:
                copy = self._resources.copy_of_older_catalog(Path(folder))
                if copy is not None:
                    with Workspace(self.settings.replace(db=str(copy))) as same:
                        return same.ingest(
                            path,
                            source=source,
                            format=format,
                            prune=prune,
                            force=force,
                            dry_run=True,
                            on_failure=on_failure,
                            progress=progress,
                            **options,
                        )
        own = {**options, "extractors": list(extractors) if extractors else None}
        chosen = choose_source(self._resources, path, source, format, own)
        ingest_options = IngestOptions(
            chosen.name,
            chosen.options,
            self._resources.extraction_options,
            kept=chosen.kept,
            pictures=self._resources.settings.pictures,
            fetching=self.fetch_options(**(fetching or {})),
            prune=prune,
            force=force,
            renames=chosen.renames,
            notes=chosen.notes,
            on_failure=on_failure,
        )
        if dry_run:
            existing = self._resources.existing_catalog()
            return preview(existing, chosen.path, chosen.importer, ingest_options, progress=progress)
        if self.settings.cluster:
            self._resources.cluster().connect()  # before anything is written, in case nothing answers
        specs = list(chosen.kept.get("extractors") or self.extractors_to_fill())
        catalog = self._resources.catalog(create=True)
        loaded = [self._resources.extractor(spec, throughput=True) for spec in specs]
        report = ingest(catalog, chosen.path, chosen.importer, loaded, ingest_options, progress=progress)
        report.notes += self._resources.cluster_notes()
        self._complete(report, specs, progress)
        return report

    def fetch_options(self, **changes: Any) -> FetchOptions:
        """How pictures behind URLs are fetched: as the settings say, ``[fetch]`` in ``config.toml``.

        Args:
            **changes: fields of ``stylesearch.images.remote.values.FetchOptions`` that override them.

        Raises:
            ConfigError: an unknown setting, or a value that makes no sense.
        """
        from stylesearch.workspace.fetch_settings import load_fetch_options

        return load_fetch_options(self.settings.home, changes)

    def watch(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        source: str = "",
        stop: threading.Event | None = None,
        polling: bool = False,
        settled: float = 2.0,
        **options: Any,
    ) -> Iterator[WatchRun]:
        """Ingests a folder or a table, and again whenever it has changed.

        Args:
            path, source: the source, as for ``ingest``.
            stop: ends the runs when it is set, from another thread.
            polling: whether to look at the files again and again, for network drives that report no changes.
            settled: seconds without a change after which the source counts as written.
            **options: all others of ``ingest``.

        Yields:
            each run, the first at once: its report, or why the source could not be read just now.

        Raises:
            UnknownName, ConfigError: as ``ingest``.
        """
        from stylesearch.workspace.watching import watch

        place = Path(self.catalog.sources.get(source).path if path is None else path)
        # The database's own places too: what SQLite keeps beside its file begins with its name.
        places = self.settings.backend().places
        ignored = [f"{self.settings.home.resolve()}{os.sep}", *places]
        return watch(
            lambda: self.ingest(path, source=source, **options),
            place.absolute(),
            ignored=ignored,
            stop=stop,
            polling=polling,
            settled=settled,
        )

    def complete(self, *, progress: ReportProgress | None = None) -> IngestReport:
        """Computes the features that shop images of an older version lack, and builds their indexes.

        Every ingest does this too. It is for a shop whose products were put over the API, with nothing to
        ingest.

        Args:
            progress: called as ``progress(stage, n_done, n_total)``.

        Raises:
            CatalogError: there is no catalog yet.
            CatalogLocked: another process is writing.
        """
        from stylesearch.ingest import IngestReport

        _ = self.catalog
        report = IngestReport()
        self._complete(report, self.extractors_to_fill(), progress)
        return report

    def _complete(self, report: IngestReport, specs: Sequence[str], progress: ReportProgress | None) -> None:
        """Ends an ingest: computes missing features of the settings, and refreshes the indexes."""
        from stylesearch.workspace.missing_features import warn_about_missing_features

        own, catalog = self.settings, self._resources.catalog()
        own_space = self._resources.own_space
        if own.extractor in specs:
            report.filled, failed = own_space.fill(progress)
            for one in failed:
                report.add_failure(one)
        began = time.perf_counter()
        self._refresh_indexes(specs, progress)
        warn_about_missing_features(catalog)
        report.add_seconds("index", time.perf_counter() - began)

    def _refresh_indexes(self, specs: Sequence[str] = (), progress: ReportProgress | None = None) -> None:
        """Builds the indexes that lack many images; by default those of the extractors that searches use."""
        specs = specs or self.extractors_to_fill()
        default = self._resources.own_space.extractor_to_index()
        command = " && ".join(
            "stylesearch index build" + ("" if spec == default else f" -e {spec}") for spec in specs
        )
        self.indexes.refresh([self._resources.extractor(spec) for spec in specs], progress, command)

    def _refresh_known_indexes(self) -> None:
        """Builds the indexes that lack many images, of the extractors that the catalog has features of."""
        stored = {one.fingerprint: one.extractor for one in self.catalog.feature_sets()}
        usable: list[str] = []
        for spec in dict.fromkeys([*self.extractors_to_fill(), *stored.values()]):
            try:
                if self._resources.extractor(spec).fingerprint in stored:
                    usable.append(spec)
            except StyleSearchError as error:  # its features stay as they are
                log.info("the indexes of %s are not built: %s", spec, error)
        if usable:
            self._refresh_indexes(usable)

    def query(
        self,
        photo: Photo,
        request: SearchRequest | None = None,
        *,
        extractor: str = "",
        space: str = "",
        metric: str = "",
        **options: Unpack[SearchKeywords],
    ) -> QueryResult:
        """Finds products that a photo shows, nearest first; see ``Searcher.query``.

        Args:
            photo: a file, its bytes, or a stream; any format that ``stylesearch.images.decode`` reads.
            request: options of the search.
            extractor, space, metric: extractor, space and metric of distances.
            **options: the fields of ``stylesearch.types.SearchRequest`` by name: ``k`` (20 products by
                default), ``category``, ``box``, ``regions``, ``region``, ``exclude``. They win over
                ``request``.

        Raises:
            ImageError: the photo cannot be used, or has no such region.
            NotInCatalog: no such category, or nothing has been ingested.
            UnknownName: no such extractor, space or model.
            ConfigError: the model takes another extractor or metric than this, ``k`` is below 1, or a region
                is given beside a box.
        """
        from stylesearch.workspace.querying import make_request, query

        asked = make_request(request, options)
        return query(self._resources, photo, asked, SpaceChoice(extractor, space, metric))

    def detect(self, photo: Photo, *, extractor: str = "", space: str = "") -> DetectResult:
        """Finds what in a photo can be searched for: torso, legs and body of persons, and the whole photo.

        The number of a spot is a ``region`` of ``query`` for the same photo.

        Args:
            photo: a file, its bytes, or a stream; any format that ``stylesearch.images.decode`` reads.
            extractor, space: extractor that sees the kinds of garments, or the space whose extractor does.

        Raises:
            ImageError: the photo cannot be used.
            NotInCatalog: nothing has been ingested.
            UnknownName: no such extractor, space or model.
            ConfigError: the model takes another extractor than this.
        """
        from stylesearch.persons.preload import preload_finder

        choice = self._resources.resolve(SpaceChoice(extractor, space))
        self._resources.extractor(choice.extractor).preload()
        preload_finder()
        return self._resources.searcher(choice).detect(photo)

    def similar(
        self,
        product_id: str,
        request: SearchRequest | None = None,
        *,
        extractor: str = "",
        space: str = "",
        metric: str = "",
        **options: Unpack[SearchKeywords],
    ) -> QueryResult:
        """Finds products that look like one in the catalog, which is itself left out.

        Args:
            product_id: id of the product.
            request, extractor, space, metric, **options: as for ``query``.

        Raises:
            NotInCatalog: no such product or category, or the product has no features.
        """
        from stylesearch.workspace.querying import make_request

        asked = make_request(request, options)
        searcher = self._resources.searcher(SpaceChoice(extractor, space, metric))
        return searcher.similar(product_id, asked)

    def contact_sheet(self, result: QueryResult, path: str | os.PathLike[str]) -> Path:
        """Draws the photo, with the region where the nearest product was found, and the hits to a file.

        Args:
            result: result of ``query`` or ``similar``.
            path: path that ends in ``.png``, ``.jpg`` or ``.webp``; its folders are created.

        Returns:
            ``path``.

        Raises:
            ConfigError: another ending.
        """
        from stylesearch.search.result_sheet import save_sheet

        return save_sheet(result, Path(path))

    def evaluate(
        self,
        methods: Sequence[str] = (),
        *,
        max_memory: int = 1024,
        progress: ReportProgress | None = None,
        **choices: Any,
    ) -> Study:
        """Measures how often each method finds the right product, with intervals.

        Missing features are computed and stored: an evaluation that was stopped continues where it was.

        Args:
            methods: ``extractor[@size][/space]``, or ``siamese:NAME`` for a trained model; by default the
                workspace's extractor, raw and in its space.
            max_memory: rough limit of memory for vectors and distances, in MiB; see ``stylesearch eval
                --help`` for other memory.
            progress: called as ``progress(stage, n_done, n_total)``.
            **choices: any other field of ``stylesearch.evaluation.results.StudySettings``: ``metrics``,
                ``ks``, ``queries``, ``gallery``, ``split``, ``regions`` (by default those of searches),
                ``index``, ``seed``, ...

        Raises:
            NotInCatalog: there are no queries, or there is no gallery.
            ConfigError: a choice that makes no sense.
        """
        from stylesearch.workspace.studies import evaluate

        return evaluate(self._resources, methods, max_memory, progress, choices)

    @property
    def search_method(self) -> tuple[str, str]:
        """The method and the metric that searches use here, as ``evaluate`` names them."""
        from stylesearch.workspace.studies import search_method

        return search_method(self._resources)

    def save_report(
        self,
        study: Study,
        folder: str | os.PathLike[str],
        comparison: Comparison | None = None,
        *,
        progress: ReportProgress | None = None,
    ) -> Path:
        """Writes a study of this workspace as a page with charts and images, with its data beside it.

        Args:
            study: study from ``evaluate``.
            folder: folder of the report, which is created; the files of an older report in it are replaced.
            comparison: comparison with an older study, from ``stylesearch.evaluation.compare.compare``.
            progress: called as ``progress("report: SECTION", n_done, n_total)``.

        Returns:
            the path of the page, ``index.html``.

        Raises:
            MissingDependency: a library for charts is not installed.
        """
        from stylesearch.workspace.studies import save_report

        return save_report(self._resources, study, Path(folder), comparison, progress)

    def train(
        self,
        name: str = "default",
        *,
        default: bool = False,
        max_memory: int = 1024,
        progress: ReportProgress | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
        **choices: Any,
    ) -> TrainReport:
        """Trains a distance on pairs of images of one product; the result is the space ``siamese:NAME``.

        Computed features are stored; with ``resume=True`` a training that was stopped continues where it was.

        Args:
            name: name of the model; an older one of that name stays in use until the new one is complete.
            default: whether to make it the workspace's space, in ``config.toml``.
            max_memory: rough limit of memory for vectors and distances, in MiB.
            progress: called as ``progress(stage, n_done, n_total)``.
            on_epoch: called with each epoch.
            **choices: any field of ``stylesearch.training.options.TrainOptions`` (``loss``, ``epochs``,
                ``dim``, ``seed``, ...), of ``stylesearch.training.pair_dataset.PairOptions``
                (``pairs``, ``regions``, ``shares``, ...) and of
                ``stylesearch.training.results.TrainRequest`` (``extractor``, ``resume``, ``devices``,
                ``finetune``, ...).

        Raises:
            ConfigError: too few pairs, or a choice that makes no sense.
            TrainingDiverged: the loss or the weights are not finite.
            CatalogLocked: features are missing and another process is writing.
        """
        from stylesearch.workspace.training import train

        return train(
            self._resources,
            name,
            choices,
            default=default,
            max_memory=max_memory,
            progress=progress,
            on_epoch=on_epoch,
        )

    def gallery(self, *, extractor: str = "", space: str = "", metric: str = "") -> Gallery:
        """Returns the gallery: the shop's images with features of that extractor, in that space.

        Raises:
            NotInCatalog: nothing was ingested with that extractor.
        """
        return self.searcher(extractor=extractor, space=space, metric=metric).gallery

    def extractor(self, *, space: str = "", name: str = "", throughput: bool = False) -> Extractor:
        """Returns the extractor of a space, by default the workspace's own space.

        Args:
            space: name of the space; a trained model has its own extractor.
            name: name of an extractor, which is returned whatever the space has.
            throughput: whether many images will be extracted, by several threads at once.

        Raises:
            UnknownName: no such extractor or model.
        """
        name = name or self._resources.resolve(SpaceChoice(space=space)).extractor
        return self._resources.extractor(name, throughput=throughput)

    def searcher(
        self, *, extractor: str = "", space: str = "", metric: str = "", throughput: bool = False
    ) -> Searcher:
        """Returns the searcher of ``query``, for callers that run the steps of a search one by one.

        Call it again for each photo: it is quick, and a model that was trained anew has another searcher.

        Args:
            extractor, space, metric: extractor, space and metric of distances.
            throughput: whether many photos will be searched with, by several threads at once.

        Raises:
            UnknownName: no such extractor, space or model.
            ConfigError: the model takes another extractor or metric than this.
            NotInCatalog: nothing was ingested with that extractor.
        """
        return self._resources.searcher(SpaceChoice(extractor, space, metric), throughput=throughput)

    def extractors_to_fill(self) -> list[str]:
        """Names the extractors whose features new images get by default.

        Beside the one that searches use it is that of the settings, while an older workspace has its features
        for a part of its products only.

        Raises:
            UnknownName: the space of the settings is of a model that has been removed.
        """
        own = self._resources.resolve()
        if is_trained(own.space):
            return [own.extractor]
        return self._resources.own_space.extractors_to_fill()

    def product(self, product_id: str) -> Product:
        """Reads the product of that id.

        Raises:
            NotInCatalog: there is none.
        """
        return self.catalog.product(product_id)

    def products(
        self,
        where: ProductFilter | None = None,
        *,
        after: str | None = None,
        limit: int | None = None,
        **conditions: Any,
    ) -> Iterator[Product]:
        """Reads products in the order of their ids, page by page.

        Args:
            where: the filter that they meet.
            after: id after which they begin; there need be no such product.
            limit: largest number of products; None for all.
            **conditions: fields of ``stylesearch.types.ProductFilter`` (``category``, ``attributes``,
                ``min_price``, ...), which win over ``where``.

        Raises:
            UnknownName: no such source, category or attribute.
        """
        from stylesearch.workspace.products import check_filter, stream_products

        wanted = replace(where or ProductFilter(), **conditions)
        check_filter(self.catalog, wanted)
        return stream_products(self.catalog, wanted, after=after, limit=limit)

    def export(
        self, file: IO[bytes], where: ProductFilter | None = None, *, format: str = "csv", **conditions: Any
    ) -> int:
        """Writes products to a binary file; returns how many.

        Args:
            file: the file.
            where, **conditions: the products, as for ``products``.
            format: ``csv`` for a table that ``ingest`` reads, or ``jsonl`` for a line of JSON for each.

        Raises:
            UnknownName: no such format, source, category or attribute.
        """
        from stylesearch.workspace.export import export_products

        return export_products(self.catalog, replace(where or ProductFilter(), **conditions), file, format)

    def duplicates(
        self, *, threshold: int | None = None, progress: ReportProgress | None = None
    ) -> Duplicates:
        """Finds equal and nearly equal shop images that several products have.

        Args:
            threshold: in how many of 255 bits of their shape nearly equal images may differ; by default the
                number below which no two garments were found to be taken for one. 0 for equal files only,
                for which no image is read.
            progress: called as ``progress("comparing images", n_done, n_total)`` while images are read.

        Raises:
            ConfigError: a threshold below 0 or above 64.
        """
        from stylesearch.workspace.duplicates import find_duplicates

        return find_duplicates(self._resources, threshold, progress)

    def images(self, product_id: str) -> list[ImageRecord]:
        """Reads the images of a product."""
        return self.catalog.images_of(product_id)

    def remove(self, product_ids: Iterable[str]) -> int:
        """Removes products with their images and features; returns how many were removed.

        Raises:
            NotInCatalog: one of them is missing; then none is removed.
        """
        wanted = list(product_ids)
        for product_id in wanted:
            self.catalog.product(product_id)
        with self.catalog.writing(timeout=self.settings.lock_timeout) as writer, writer.transaction():
            return writer.remove_products(wanted)

    def remove_where(self, where: ProductFilter) -> int:
        """Removes the products that meet a filter; returns how many were removed.

        Raises:
            UnknownName: no such source, category or attribute.
        """
        from stylesearch.workspace.products import remove_where

        return remove_where(self._resources, where)

    def close(self) -> None:
        """Repairs indexes that were found damaged, and closes the catalog and the indexes."""
        try:
            self.indexes.repair()
        finally:
            self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After an error or Ctrl-C, no indexes are built.
        if kind is None:
            self.close()
        else:
            self._resources.close()
