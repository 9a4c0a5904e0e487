"""The features in the plane (the seed's Figure 5): which pictures look alike to an extractor."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stylesearch.evaluation.report.context import Context
from stylesearch.evaluation.report.html import Html, Section, element, joined, paragraphs
from stylesearch.evaluation.results import Method, Picture
from stylesearch.evaluation.sample import sampled_gallery, sampled_queries
from stylesearch.extractors.spec import ExtractorSpec

__all__ = ["maps"]

N_THUMBNAILS = 150
THUMBNAIL_SIDE = 96


def maps(context: Context) -> Section:
    """Queries and shop pictures as dots, then as small pictures."""
    from stylesearch.evaluation.report.charts.maps import LEAST, tsne_map

    study = context.study
    queries = [study.queries.pictures[place] for place in sampled_queries(study)]
    pictures = [*queries, *(study.gallery.pictures[place] for place in sampled_gallery(study))]
    parts: list[Html] = []
    for fingerprint in dict.fromkeys(method.fingerprint for method in study.methods):
        features = context.features.get(fingerprint)
        if features is None or len(features) < LEAST:
            continue
        method = next(one for one in study.methods if one.fingerprint == fingerprint)
        places = tsne_map(features, study.settings.seed)
        parts.append(element("h3", str(ExtractorSpec.from_name(method.extractor, method.input_size))))
        parts += _two_maps(context, method, places, pictures, len(queries))
    if not parts:
        parts = [
            paragraphs(
                [
                    "No map: it needs the features of at least "
                    f"{LEAST} pictures, and this report was made without them, or of fewer."
                ]
            )
        ]
    return Section("maps", "Which pictures look alike to an extractor", joined(parts))


def _two_maps(
    context: Context, method: Method, places: npt.NDArray[np.float64], pictures: list[Picture], n_queries: int
) -> list[Html]:
    """The dots; the pictures themselves, if they can be read. The first ``n_queries`` are queries."""
    from stylesearch.evaluation.report.charts.maps import dot_map, thumbnail_map

    study = context.study
    numbers = {name: number for number, name in enumerate(sorted({one.category for one in pictures}))}
    n_shop = len(pictures) - n_queries
    file = method.extractor[-40:].replace("/", "-")
    of_what = (
        f"the {ExtractorSpec.from_name(method.extractor, method.input_size)!s} features of {n_queries:,} of "
        f"{study.queries.n_queries:,} queries and {n_shop:,} of {study.gallery.n_images:,} pictures of the "
        "gallery"
    )
    region = (
        "" if study.settings.regions in ("whole", "box") else " Of the regions, the first: the whole photo."
    )
    parts = [
        context.chart(
            dot_map(places, [one.category for one in pictures], numbers, n_queries),
            f"map-{file}",
            f"t-SNE of {of_what} (the seed's Figure 5), after PCA. Near means alike; far apart, sizes and "
            "directions mean nothing. Color and shape: the category; filled: queries; hollow: gallery. "
            f"{context.searched}{region}",
            f"Dots in the plane: {n_queries} queries and {n_shop} gallery pictures colored by category",
        )
    ]
    shown, thumbnails = _thumbnails(context, places, pictures, n_queries)
    if shown:
        figure = thumbnail_map(
            places[shown],
            thumbnails,
            [pictures[place].category for place in shown],
            numbers,
            thin={number for number, place in enumerate(shown) if place >= n_queries},
        )
        parts.append(
            context.chart(
                figure,
                f"thumbnails-{file}",
                f"The same map of {of_what} with the pictures themselves: {len(shown):,}, as many as have "
                "room. Color of the frames: the category, as above; thick: queries; thin: gallery. "
                f"{context.searched}{region}",
                f"{len(shown)} small pictures at their places on the map",
            )
        )
    return parts


def _thumbnails(
    context: Context, places: npt.NDArray[np.float64], pictures: list[Picture], n_queries: int
) -> tuple[list[int], list[npt.NDArray[np.uint8]]]:
    """Pictures that have room on the map, a query and a gallery picture in turn, and their pixels."""
    from stylesearch.evaluation.report.charts.maps import room_for

    in_turn = sorted(range(len(pictures)), key=lambda place: place % n_queries)
    shown, thumbnails = [], []
    for number in room_for(places[in_turn], N_THUMBNAILS):
        place = in_turn[number]
        boxed = place >= n_queries or context.study.settings.regions == "box"
        pixels = context.pictures.pixels(pictures[place], THUMBNAIL_SIDE, boxed=boxed)
        if pixels is not None:
            shown.append(place)
            thumbnails.append(pixels)
    return shown, thumbnails
