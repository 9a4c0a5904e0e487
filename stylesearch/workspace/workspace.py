"""A workspace: one folder with a catalog, its indexes and its settings; the face of the library.

::

    import stylesearch as ss

    with ss.open("shop/") as shop:
        shop.ingest("catalog/")
        for hit in shop.query("street.jpg", k=20):
            print(hit.rank, hit.product.id, hit.distance)
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from stylesearch.parallel import usable_cores
from stylesearch.settings import Settings, load_settings
from stylesearch.types import (
    Box,
    Domain,
    Failure,
    ImageRecord,
    Product,
    ReportProgress,
    SearchKeywords,
    SearchRequest,
    SpaceChoice,
)
from stylesearch.workspace.resources import Parts, warn_of_gaps

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.evaluation.compare import Comparison
    from stylesearch.evaluation.results import Study
    from stylesearch.extractors.base import Extractor
    from stylesearch.features.context import Surroundings
    from stylesearch.importers.base import ImportOptions
    from stylesearch.ingest import IngestReport
    from stylesearch.models.card import ModelCard
    from stylesearch.search import CategoryStatus, Gallery
    from stylesearch.search.searcher import Photo, QueryResult, Searcher
    from stylesearch.training.epoch import Epoch
    from stylesearch.training.results import TrainReport


__all__ = [
    "Workspace",
    "WorkspaceStudies",
    "WorkspaceUpkeep",
    "evaluate",
    "open",
    "save_report",
    "surroundings",
    "take_in",
]

# What :meth:`stylesearch.Workspace.ingest` does: a source into the catalog, then the indexes.


def take_in(
    parts: Parts,
    path: Path,
    *,
    format: str,
    selection: ImportOptions,
    extractors: Sequence[str] | None,
    domain: str | None,
    prune: bool,
    allow_outside: bool,
    progress: ReportProgress | None,
) -> IngestReport:
    """See :meth:`stylesearch.Workspace.ingest`.

    Without ``extractors``, features are made by the one that a query without any wish searches with: that of
    the trained model where the workspace's space is one.
    """
    from stylesearch.importers.base import check_options, choose_importer
    from stylesearch.ingest import IngestOptions, ingest, joined

    # Before a workspace is made for what turns out to be no source.
    check_options(choose_importer(path, format), selection)
    specs = list(extractors or [parts.resolve().extractor])
    catalog = parts.catalog(create=True)
    own = parts.settings
    options = IngestOptions(
        format=format,
        domain=Domain(domain or Domain.SHOP),
        prune=prune,
        allow_outside=allow_outside,
        splits=selection.splits,
        gallery=selection.gallery,
        categories=selection.categories,
        batch_size=own.batch_size,
        n_workers=own.workers or usable_cores(),
        max_pixels=own.max_pixels,
        lock_timeout=own.lock_timeout,
    )
    reports = []
    for spec in specs:
        extractor = parts.extractor(spec, throughput=True)
        reports.append(ingest(catalog, path, extractor, options, progress=progress))
    report = joined(reports)
    began = time.perf_counter()
    build = " && ".join(
        "stylesearch index build" + ("" if spec == own.extractor else f" -e {spec}") for spec in specs
    )
    parts.refresh_indexes([parts.extractor(spec) for spec in specs], progress, build)
    warn_of_gaps(catalog)
    report.add_seconds("index", time.perf_counter() - began)
    return report


# Studies of a workspace: an evaluation of its catalog, and the report of one.


def evaluate(
    parts: Parts,
    methods: Sequence[str],
    max_memory: int,
    progress: ReportProgress | None,
    choices: Mapping[str, Any],
) -> Study:
    """See :meth:`stylesearch.Workspace.evaluate`."""
    from stylesearch.evaluation.results import StudySettings
    from stylesearch.evaluation.study import evaluate
    from stylesearch.models.card import is_trained

    around = surroundings(parts, max_memory, progress)
    own = parts.resolve()
    in_its_space = own.space if is_trained(own.space) else f"{own.extractor}/{own.space}"
    default = dict.fromkeys((own.extractor, in_its_space))
    return evaluate(around, StudySettings(tuple(methods or default), **choices))


def save_report(
    parts: Parts,
    study: Study,
    folder: Path,
    comparison: Comparison | None,
    progress: ReportProgress | None = None,
) -> Path:
    """See :meth:`stylesearch.Workspace.save_report`."""
    from stylesearch.evaluation.report.report import check_libraries, write_report
    from stylesearch.evaluation.results_files import save_results
    from stylesearch.evaluation.sample import read_sample

    check_libraries()
    if progress:
        progress("report: results.json", 0, None)
    save_results(study, folder, comparison)
    features = read_sample(study, parts.catalog(), _cache(parts))
    return write_report(
        study,
        folder,
        comparison,
        features=features,
        progress=progress and (lambda section, done, total: progress(f"report: {section}", done, total)),
    )


def surroundings(parts: Parts, max_memory: int, progress: ReportProgress | None) -> Surroundings:
    """Where a study or a training of a workspace happens.

    Args:
        parts: of the workspace.
        max_memory: for vectors and distances, in MiB, roughly.
        progress: called as ``progress(stage, n_done, n_total)``.
    """
    from stylesearch.features.compute import Work
    from stylesearch.features.context import Surroundings

    own = parts.settings
    return Surroundings(
        catalog=parts.catalog(),
        load=lambda spec: parts.extractor(spec, throughput=True, keep=False),
        space_home=parts.space_home,
        cache=_cache(parts),
        work=Work(own.batch_size, own.workers or usable_cores(), own.max_pixels, own.lock_timeout),
        max_bytes=max_memory * 2**20,
        progress=progress,
        model=parts.model,
    )


def _cache(parts: Parts) -> Path:
    """Where vectors of regions are kept, and what does not fit into memory."""
    return parts.settings.home / "cache"


# The part of a workspace that looks after what is derived: indexes and trained models.


class WorkspaceUpkeep:
    """Base of :class:`stylesearch.Workspace`.

    Args:
        settings: where things are and what is done unless a call says otherwise.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._parts = Parts(settings)

    def gallery(self, *, extractor: str = "", space: str = "", metric: str = "") -> Gallery:
        """What is searched: the shop's images with features of that extractor, in that space.

        Raises:
            NotInCatalog: nothing was ingested with that extractor.
        """
        return self._parts.searcher(SpaceChoice(extractor, space, metric)).gallery

    def extractor(self, *, space: str = "", throughput: bool = False) -> Extractor:
        """What makes the features that a space is of: the workspace's own space if none is given.

        Args:
            space: a trained model brings its own extractor.
            throughput: whether many pictures will be extracted, by several threads at once.

        Raises:
            UnknownName: no such extractor or model.
        """
        return self._parts.extractor(
            self._parts.resolve(SpaceChoice(space=space)).extractor, throughput=throughput
        )

    def searcher(
        self, *, extractor: str = "", space: str = "", metric: str = "", throughput: bool = False
    ) -> Searcher:
        """What :meth:`~stylesearch.Workspace.query` searches with, for those who take it apart.

        Ask again for each photo: it costs nothing, and a model that was trained anew brings another one.

        Args:
            extractor, space, metric: the workspace's own where they are not given, as in :meth:`gallery`.
            throughput: whether many photos will be searched with, by several threads at once.

        Raises:
            UnknownName: no such extractor, space or model.
            ConfigError: the model takes another extractor or metric than this.
            NotInCatalog: nothing was ingested with that extractor.
        """
        return self._parts.searcher(SpaceChoice(extractor, space, metric), throughput=throughput)

    def build_indexes(
        self,
        *,
        extractor: str = "",
        space: str = "",
        metric: str = "",
        progress: ReportProgress | None = None,
    ) -> dict[str, int]:
        """Fits the space and builds the index of every category anew: images in each, by category.

        What is not given is the workspace's own, as in :meth:`gallery`.
        """
        from stylesearch.search.maintenance import rebuild

        gallery = self.gallery(extractor=extractor, space=space, metric=metric)
        with self._parts.catalog().writing(timeout=self.settings.lock_timeout):
            built = rebuild(gallery.home, [gallery.metric], progress)
        gallery.forget()
        return built

    def index_status(self, *, extractor: str = "", space: str = "", metric: str = "") -> list[CategoryStatus]:
        """What is built for each category, how much is pending and how much is gone."""
        from stylesearch.search.maintenance import status

        return status(self.gallery(extractor=extractor, space=space, metric=metric))

    def verify_indexes(self, *, extractor: str = "", space: str = "", metric: str = "") -> list[Failure]:
        """Reads every index whole; lists the damaged ones."""
        from stylesearch.search.maintenance import verify

        return verify(self.gallery(extractor=extractor, space=space, metric=metric))

    def models(self) -> list[ModelCard]:
        """The trained models, by name; each is the space ``siamese:NAME``."""
        from stylesearch.models import store

        return store.models(self.settings.home)

    def model(self, name: str) -> ModelCard:
        """The trained model of that name: what it was trained on, and how well it does.

        Raises:
            UnknownName: there is none.
            SpaceError: it is damaged.
        """
        from stylesearch.models import store

        return store.model(self.settings.home, name)

    def remove_model(self, name: str) -> dict[str, str | None]:
        """Removes a trained model, its indexes, and an unfinished training of that name.

        Where ``config.toml`` names it as the workspace's space, or a network in its folder as the extractor,
        these lines go with it, and the network that was fine-tuned takes its place.

        Returns:
            what was changed in ``config.toml``: the new value by the setting's name, None for one taken out.

        Raises:
            UnknownName: there is none.
            ConfigError: another model takes features of its network, or it is being trained.
            CatalogLocked: another process is writing.
        """
        from stylesearch.errors import SpaceError, UnknownName
        from stylesearch.models import store
        from stylesearch.models.networks import fingerprints_of, forget_features, networks_of
        from stylesearch.settings import change_settings

        settings, writer = self.settings, None
        with contextlib.ExitStack() as held:
            if store.folder_of(settings.home, name).is_dir():
                held.enter_context(store.training_lock(settings.home, name, settings.lock_timeout))
            if settings.db or Path(settings.database).exists():
                # So that nobody builds indexes of it meanwhile.
                writer = held.enter_context(self._parts.catalog().writing(timeout=settings.lock_timeout))
            store.require_removable(settings.home, name)
            networks = fingerprints_of(networks_of(settings.home, name))
            original = None
            with contextlib.suppress(UnknownName, SpaceError):  # an unfinished or a damaged one goes as well
                original = self.model(name).options.get("finetuned_from")
            in_file = load_settings({"home": settings.home}, {})
            changes: dict[str, str | None] = {}
            if in_file.space == store.space_of(name):
                changes["space"] = None
            if store.is_network_of(settings.home, name, in_file.extractor):
                is_gone = original is None or store.is_network_of(settings.home, name, str(original))
                changes["extractor"] = None if is_gone or original == Settings().extractor else str(original)
            # In this order an interruption leaves settings that work, and a model that can be removed again.
            if changes:
                change_settings(settings.home, changes)
            store.withdraw_model(settings.home, name)
            if writer is not None:
                forget_features(writer, settings.home, networks)
            store.remove_model(settings.home, name)
        return changes

    def repair(self) -> None:
        """Builds again the indexes that a query could not use; :meth:`close` does this too.

        What cannot be built now (another process writes, no room) is left for later: answers are right
        without it.
        """
        self._parts.repair_indexes()


# The part of a workspace that measures and learns: studies, reports and trainings.


class WorkspaceStudies(WorkspaceUpkeep):
    """Base of :class:`stylesearch.Workspace`."""

    def evaluate(
        self,
        methods: Sequence[str] = (),
        *,
        max_memory: int = 1024,
        progress: ReportProgress | None = None,
        **choices: Any,
    ) -> Study:
        """How often each method finds the right product, and how sure that is.

        Features that are missing are computed and kept: stopped and run again, it goes on where it was.

        Args:
            methods: ``extractor[@size][/space]``, or ``siamese:NAME`` for a trained model; by default the
                workspace's extractor, raw and in its space.
            max_memory: for vectors and distances, in MiB, roughly; ``stylesearch eval --help`` says what else
                there is.
            progress: called as ``progress(stage, n_done, n_total)``.
            **choices: any other field of :class:`stylesearch.evaluation.results.StudySettings`: ``metrics``,
                ``ks``, ``queries``, ``gallery``, ``split``, ``regions``, ``index``, ``seed``, ...

        Raises:
            NotInCatalog: no queries, or nothing to search in.
            ConfigError: a choice that makes no sense.
        """
        return evaluate(self._parts, methods, max_memory, progress, choices)

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
        """Learns from pairs of pictures which differences matter; the result is the space ``siamese:NAME``.

        Stopped and run again, it computes no feature twice; with ``resume=True`` the training itself goes on.

        Args:
            name: of the model; an older one of that name stays in force until the new one is complete.
            default: make it the workspace's space, in ``config.toml``.
            max_memory: for vectors and distances, in MiB, roughly.
            progress: called as ``progress(stage, n_done, n_total)``.
            on_epoch: called with each epoch.
            **choices: any field of :class:`stylesearch.training.options.TrainOptions` (``loss``, ``epochs``,
                ``dim``, ``seed``, ...), of :class:`stylesearch.training.pair_dataset.MaterialChoice`
                (``pairs``, ``regions``, ``shares``, ...) and of
                :class:`stylesearch.training.results.TrainRequest` (``extractor``, ``resume``, ``devices``,
                ``finetune``, ...).

        Raises:
            ConfigError: too few pairs, or a choice that makes no sense.
            TrainingDiverged: the loss is no number any more.
            CatalogLocked: features are missing and another process is writing.
        """
        from stylesearch.workspace import training

        return training.train(
            self._parts,
            name,
            choices,
            default=default,
            max_memory=max_memory,
            progress=progress,
            on_epoch=on_epoch,
        )

    def save_report(
        self,
        study: Study,
        folder: str | os.PathLike[str],
        comparison: Comparison | None = None,
        *,
        progress: ReportProgress | None = None,
    ) -> Path:
        """Writes a study of this workspace as a page with charts and pictures, and its data beside it.

        Args:
            study: what :meth:`evaluate` found.
            folder: is made; the files of an older report in it are replaced.
            comparison: with an older study, from :func:`stylesearch.evaluation.compare.compare`.
            progress: called as ``progress("report: SECTION", n_done, n_total)``.

        Returns:
            the path of the page, ``index.html``.

        Raises:
            MissingDependency: what draws charts is not installed.
        """
        return save_report(self._parts, study, Path(folder), comparison, progress)


def open(home: str | os.PathLike[str] | None = None, **settings: Any) -> Workspace:
    """Opens a workspace; its folder and catalog are made when something is first put into it.

    Args:
        home: the workspace folder; by default ``$STYLESEARCH_HOME``, else ``.stylesearch``.
        **settings: any field of :class:`stylesearch.settings.Settings`; they win over the environment and
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
            categories: of a dataset: ``own``, or ``study2018`` for Dress, Skirt, upper, lower and other.
            progress: called as ``progress(stage, n_done, n_total)``.

        Raises:
            DatasetError: the source as a whole cannot be read.
            UnknownName: no such format, or the dataset has no such split.
            CatalogLocked: another process is writing.
        """
        from stylesearch.importers.base import ImportOptions

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
        request: SearchRequest | None = None,
        *,
        extractor: str = "",
        space: str = "",
        metric: str = "",
        **options: Unpack[SearchKeywords],
    ) -> QueryResult:
        """Products that a photo shows, nearest first; see :meth:`stylesearch.search.searcher.Searcher.query`.

        Args:
            photo: a file, its bytes, or a stream; any format that :func:`stylesearch.images.decode` reads.
            request: what is asked, as a value.
            extractor, space, metric: where distances are taken; by default as the settings say. A trained
                model (``space="siamese:NAME"``) brings its extractor and metric.
            **options: the fields of :class:`stylesearch.types.SearchRequest` by name: ``k`` (20 products if
                not said otherwise), ``category``, ``box``, ``regions``, ``exclude``.
                They win over ``request``.

        Raises:
            ImageError: the photo cannot be used.
            NotInCatalog: no such category, or nothing has been ingested.
            UnknownName: no such extractor, space or model.
            ConfigError: the model takes another extractor or metric than this, or ``k`` is below 1.
        """
        # The network is loaded while the catalog is opened: from a cold shell that is a fifth of the time.
        asked = _search_request(request, options)
        choice = self._parts.resolve(SpaceChoice(extractor, space, metric))
        self._parts.extractor(choice.extractor).preload()
        return self._parts.searcher(choice).query(photo, asked)

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
        """Products that look like one in the catalog, which is itself left out.

        Args:
            product_id: of the product.
            request, extractor, space, metric, **options: as for :meth:`query`.

        Raises:
            NotInCatalog: no such product or category, or the product has no features.
        """
        asked = _search_request(request, options)
        return self._parts.searcher(SpaceChoice(extractor, space, metric)).similar(product_id, asked)

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
        from stylesearch.search.result_sheet import save_sheet

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


def _search_request(request: SearchRequest | None, options: SearchKeywords) -> SearchRequest:
    """The request with some options changed; a box may be given as four numbers."""
    changes: dict[str, Any] = {**options}
    if isinstance(options.get("box"), tuple):
        changes["box"] = Box(*changes["box"])
    return replace(request or SearchRequest(), **changes)
