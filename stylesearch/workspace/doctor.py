"""Checks what works on this machine and in this workspace, with hints for what does not."""

from __future__ import annotations

import platform
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from stylesearch.artifacts.base import MODEL
from stylesearch.errors import SpaceError, StyleSearchError, WeightsNotFound
from stylesearch.settings import Settings
from stylesearch.wording import count

if TYPE_CHECKING:
    from stylesearch.artifacts.base import ArtifactStore
    from stylesearch.catalog import Catalog, FeatureSet
    from stylesearch.extractors.base import Extractor
    from stylesearch.models.card import ModelCard
    from stylesearch.search.fitted_space import SpaceLocation

__all__ = ["Finding", "examine"]

LIBRARIES = ("numpy", "pillow", "pillow-heif", "sqlalchemy", "alembic", "openvino", "tensorflow", "keras")
BUILD = "stylesearch index build"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: name of the check.
        state: ``ok``, ``note`` (works, but could be better) or ``problem``.
        detail: result of the check.
        hint: what to do about it; may be empty.
    """

    check: str
    state: str
    detail: str
    hint: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Checks libraries, Annoy, the files of persons, the extractor, its weights, the workspace, its indexes.

    Changes nothing.
    """
    yield Finding("Python", "ok", f"{platform.python_version()} at {sys.executable}")
    yield from _libraries()
    yield _annoy()
    yield _persons()
    yield from _extractor(settings)
    yield from _workspace(settings)


def _libraries() -> Iterator[Finding]:
    for name in LIBRARIES:
        try:
            yield Finding(name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding(name, "problem", "not installed", f"pip install {name}")


def _annoy() -> Finding:
    from stylesearch.index.annoy_forest import why_annoy_fails

    reason = why_annoy_fails()
    if not reason:
        return Finding("annoy", "ok", "gives right answers")
    return Finding(
        "annoy", "note", f"not used, searches are exact: {reason}", "pip install annoy (needs a C++ compiler)"
    )


def _persons() -> Finding:
    from stylesearch.persons.weights import PERSON_FILES, find_person_file

    try:
        folders = [str(find_person_file(file).parent) for file in PERSON_FILES]
    except WeightsNotFound as error:
        return Finding("persons in photos", "note", str(error), error.hint)
    except StyleSearchError as error:
        return Finding("persons in photos", "problem", str(error), error.hint)
    return Finding(
        "persons in photos",
        "ok",
        f"found with the files in {' and '.join(folders)}; computed in f32, since bfloat16 is too coarse",
    )


def _extractor(settings: Settings) -> Iterator[Finding]:
    from stylesearch.extractors import describe_extractors, load_extractor
    from stylesearch.extractors.spec import ExtractorSpec

    for info in describe_extractors():
        state = "ok" if info.at_hand else "note"
        yield Finding(
            f"extractor {info.name}", state, f"{info.engine} on {info.device}, weights: {info.weights}"
        )
    try:
        extractor = load_extractor(
            settings.extractor,
            weights=settings.weights or None,
            engine=settings.engine,
            precision=settings.precision,
        )
        spec = str(ExtractorSpec.from_name(extractor.name, extractor.input_size))
        yield Finding("default extractor", "ok", spec + _describe_precision(settings, extractor))
    except StyleSearchError as error:
        yield Finding("default extractor", "problem", str(error), error.hint)


def _describe_precision(settings: Settings, extractor: Extractor) -> str:
    """Says in which precision a query computes the network of an extractor, and why; empty without one."""
    from stylesearch.extractors.cnn import CnnExtractor
    from stylesearch.extractors.engines.choose import choose_engine
    from stylesearch.extractors.with_colors import ExtractorWithColors

    network = extractor.network if isinstance(extractor, ExtractorWithColors) else extractor
    if not isinstance(network, CnnExtractor):
        return ""
    if choose_engine(settings.engine, settings.precision, throughput=False).engine == "tensorflow":
        return f" in {'f32' if settings.precision == 'auto' else settings.precision}, by TensorFlow"
    from stylesearch.extractors.engines.model_cache import find_converted
    from stylesearch.extractors.engines.openvino import explain_precision, openvino_core

    converted = find_converted(network.name, network.fingerprint)
    if converted is None:
        return "; at its first use it is converted, and bfloat16 tried where the processor has it"
    precision, reason = explain_precision(openvino_core(), converted, settings.precision)
    return f" in {precision}, by OpenVINO: {reason}"


def _workspace(settings: Settings) -> Iterator[Finding]:
    from stylesearch.catalog import Catalog
    from stylesearch.workspace.resources import open_artifacts

    try:
        backend = settings.backend()
        if not backend.exists():
            yield Finding("catalog", "note", f"none yet at {backend}", "stylesearch ingest FOLDER")
            return
        with Catalog.open(backend, readonly=True) as catalog:
            status = catalog.status()
            sources = list(_sources(catalog))
            artifacts = open_artifacts(settings, catalog)
            models = list(_models(settings, catalog, artifacts))
            indexes = list(_indexes(settings, catalog, artifacts))
    except StyleSearchError as error:
        yield Finding("catalog", "problem", str(error), error.hint)
        return
    yield Finding(
        "catalog",
        "ok",
        f"{count(status.products, 'product')}, {count(status.images, 'image')} "
        f"({status.failed_images} failed), {backend}",
    )
    yield from sources
    for feature_set, n_features in status.features:
        yield Finding(
            f"features {_spec_of(feature_set)}",
            "ok",
            f"{count(n_features, 'vector')} of {feature_set.dim} numbers, "
            f"fingerprint {feature_set.fingerprint[:12]}",
        )
    yield from models
    yield from indexes


def _sources(catalog: Catalog) -> Iterator[Finding]:
    """Makes a finding for the files of images, and for each source that is gone."""
    n_lost, examples = catalog.selection.lost_files()
    if n_lost:
        yield Finding(
            "files of images",
            "problem",
            f"{n_lost:,} are gone, and searches find their products still; the first: {examples[0]}",
            "ingest their source again, with --prune if they will not be back",
        )
    else:
        yield Finding("files of images", "ok", "all are there")
    for one in catalog.sources.gone():
        yield Finding(
            f"source {one.name}",
            "note",
            f"nothing is at {one.path} any more",
            "`stylesearch sources remove` removes it; if it has moved, ingest its new path with --source",
        )


def _models(settings: Settings, catalog: Catalog, artifacts: ArtifactStore) -> Iterator[Finding]:
    """Makes a finding for each trained model, and one where the settings name a missing model."""
    from stylesearch.artifacts.shared import CatalogArtifacts
    from stylesearch.models import store
    from stylesearch.models.card import PREFIX, is_trained

    known = {one.fingerprint for one in catalog.feature_sets()}
    names, not_brought = artifacts.names(MODEL), artifacts.get_all(MODEL)
    unshared = artifacts.list_unshared(MODEL) if isinstance(artifacts, CatalogArtifacts) else []
    for name in names:
        check = f"model {name}"
        try:
            if name in not_brought:
                raise SpaceError(not_brought[name])
            card, transform = store.load_model(store.folder_of(settings.home, name))
        except StyleSearchError as error:
            mended = f"stylesearch train {name}, or stylesearch models remove {name}"
            yield Finding(check, "problem", str(error), error.hint or mended)
            continue
        detail = f"{card.space}: {transform.dim} numbers, {card.metric}, of {card.extractor} features"
        if name in unshared:
            yield Finding(
                check,
                "note",
                f"{detail}; only this machine has it",
                f"stylesearch models share {name}",
            )
        elif card.feature_set in known:
            yield Finding(check, "ok", detail)
        else:
            yield Finding(
                check,
                "problem",
                f"{detail}, which the catalog does not have (weights {card.weights_digest[:8]})",
                f"stylesearch train {name}, or stylesearch models remove {name}",
            )
    if is_trained(settings.space) and settings.space.removeprefix(PREFIX) not in names:
        yield Finding(
            "space",
            "problem",
            f"the settings name {settings.space}, and there is no such model",
            f"stylesearch train {settings.space.removeprefix(PREFIX)}, or choose another space",
        )


def _indexes(settings: Settings, catalog: Catalog, artifacts: ArtifactStore) -> Iterator[Finding]:
    """Makes a finding for each space and metric that has indexes or should have; files are not read whole."""
    from stylesearch.models.store import list_models
    from stylesearch.search import maintenance
    from stylesearch.spaces import SPACES
    from stylesearch.workspace.missing_features import is_replaced
    from stylesearch.workspace.resources import locate_space

    cards = [card for card in list_models(settings.home) if _is_whole(settings, card)]
    feature_sets = catalog.feature_sets()
    for feature_set in feature_sets:
        default = "" if is_replaced(feature_set, feature_sets) else settings.space
        metrics_of_models = {
            one.space: one.metric for one in cards if one.feature_set == feature_set.fingerprint
        }
        for space in (*SPACES, *metrics_of_models):
            location = locate_space(settings, catalog, artifacts, feature_set, space)
            wanted = (
                {metrics_of_models.get(space, settings.metric)}
                if space in {default, *metrics_of_models}
                else set()
            )
            for metric in sorted(maintenance.metrics_in_use(location) | wanted):
                if location.counts():
                    yield _index_finding(settings, location, metric)


def _spec_of(feature_set: FeatureSet) -> str:
    """Formats the extractor of stored features as the option ``-e`` takes it."""
    from stylesearch.extractors.spec import ExtractorSpec

    return str(ExtractorSpec.from_name(feature_set.extractor, feature_set.parameters["input_size"]))


def _is_whole(settings: Settings, card: ModelCard) -> bool:
    """Whether the model can be searched with; if not, it has its own finding."""
    from stylesearch.models import store

    try:
        store.load_model(store.folder_of(settings.home, card.name))
    except StyleSearchError:
        return False
    return True


def _build_command(settings: Settings, location: SpaceLocation, metric: str) -> str:
    """The command that builds indexes, with the names that it would not choose by itself."""
    if location.model is not None:
        return f"{BUILD} --space {location.space}"
    spec = _spec_of(location.feature_set)
    names = ""
    if spec != settings.extractor or len(location.catalog.feature_sets()) > 1:
        names += f" --extractor {spec}"
    if location.space != settings.space:
        names += f" --space {location.space}"
    if metric != settings.metric:
        names += f" --metric {metric}"
    return BUILD + names


def _index_finding(settings: Settings, location: SpaceLocation, metric: str) -> Finding:
    from stylesearch.search import Gallery, maintenance
    from stylesearch.search.fitted_space import load, version_stamp

    states = Counter(row.state for row in maintenance.status(Gallery(location, metric)))
    name = f"indexes {_spec_of(location.feature_set)}/{location.space}/{metric}"
    detail = f"{count(sum(states.values()), 'category', 'categories')}: " + ", ".join(
        f"{states[state]} {state}" for state in ("ready", "damaged", "missing") if states[state]
    )
    if settings.candidates == "pgvector":
        detail += f", in {_version_of_pgvector(location.catalog)}"
    build = _build_command(settings, location, metric)
    if version_stamp(location) != (0, 0) and load(location) is None:
        return Finding(name, "problem", f"the fit of the space is damaged; {detail}", build)
    if states["damaged"]:
        return Finding(name, "problem", f"{detail}; answers are right, and slower", build)
    if states["missing"]:
        return Finding(name, "note", f"{detail}; answers are right, and slower", build)
    return Finding(name, "ok", detail)


def _version_of_pgvector(catalog: Catalog) -> str:
    from stylesearch.search.pgvector.extension import find_version

    with catalog.snapshot() as connection:
        version = find_version(connection)
    return f"pgvector {version}" if version else "pgvector, which this database does not have"
