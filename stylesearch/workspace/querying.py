"""Queries of a workspace: the first one reads its photo while the catalog opens."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stylesearch.types import Box, SearchKeywords, SearchRequest, SpaceChoice

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor
    from stylesearch.search.searcher import Photo, QueryResult
    from stylesearch.workspace.resources import Resources

__all__ = ["make_request", "query"]


def make_request(request: SearchRequest | None, options: SearchKeywords) -> SearchRequest:
    """Makes a request with some options changed; box and region may be given as numbers."""
    changes: dict[str, Any] = {**options}
    if "region" in options:
        changes["region"] = str(options["region"])
    if isinstance(options.get("box"), tuple):
        changes["box"] = Box(*changes["box"])
    return replace(request or SearchRequest(), **changes)


def query(resources: Resources, photo: Photo, asked: SearchRequest, choice: SpaceChoice) -> QueryResult:
    """Finds products that a photo shows, nearest first.

    Args:
        resources: resources of the workspace.
        photo: a file, its bytes, or a stream.
        asked: options of the search.
        choice: extractor, space and metric of distances.
    """
    if not resources.is_open:
        return _open_and_query(resources, photo, asked, choice)
    searcher = resources.searcher(choice)
    _preload(searcher.extractor, asked, resources.settings.regions)
    return searcher.query(photo, asked)


def _open_and_query(
    resources: Resources, photo: Photo, asked: SearchRequest, choice: SpaceChoice
) -> QueryResult:
    """The first query: the photo is read, and its features extracted, while the catalog opens.

    In a new process that saves a seventh of the time. Networks are loaded in threads meanwhile. What has
    to be imported for them is imported before: the catalog's imports take twice as long as all others.
    """
    own = resources.settings
    network = resources.extractor(resources.likely_extractor(choice))
    _preload(network, asked, own.regions)
    from stylesearch.search.searcher import look_and_extract

    reader = ThreadPoolExecutor(1, "photo")
    seen = reader.submit(
        look_and_extract, photo, network, asked, regions=own.regions, max_pixels=own.max_pixels
    )
    reader.shutdown(wait=False)  # an error of the catalog need not wait for the photo
    searcher = resources.searcher(choice)
    view, features, seconds = seen.result()
    if searcher.extractor.fingerprint != network.fingerprint:  # an older workspace
        return searcher.query(view.photo, asked)
    return searcher.find(view, features, asked, seconds={"extract": seconds})


def _preload(network: Extractor, asked: SearchRequest, regions: str) -> None:
    """Starts to load what a query needs, where that is not loaded yet."""
    from stylesearch.images.regions import PERSON_PLAN

    network.preload()
    plans_person = (asked.regions or regions) == PERSON_PLAN
    if asked.region not in ("auto", "whole") or (plans_person and asked.region == "auto"):
        from stylesearch.persons.preload import preload_finder

        preload_finder()
