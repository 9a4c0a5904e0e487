"""Section with maps of the images that look alike to an extractor (the 2018 study's Figure 5)."""

from __future__ import annotations

from stylesearch.array_types import Doubles, Pixels
from stylesearch.evaluation.report.context import ReportContext
from stylesearch.evaluation.report.page import Block, Chart, Heading, Paragraph, Section
from stylesearch.evaluation.results import Method, StudyImage
from stylesearch.evaluation.sample import sampled_gallery, sampled_queries
from stylesearch.extractors.spec import ExtractorSpec

__all__ = ["maps"]

_MAX_THUMBNAILS = 150
_THUMBNAIL_SIDE = 96


def maps(context: ReportContext) -> Section:
    """Section with maps of queries and shop images, as dots and as small images, for each extractor."""
    from stylesearch.evaluation.report.charts.maps import MIN_IMAGES, tsne_map

    study = context.study
    queries = [study.queries.images[place] for place in sampled_queries(study)]
    images = [*queries, *(study.gallery.images[place] for place in sampled_gallery(study))]
    blocks: list[Block] = []
    for fingerprint in dict.fromkeys(method.fingerprint for method in study.methods):
        features = context.features.get(fingerprint)
        if features is None or len(features) < MIN_IMAGES:
            continue
        method = next(one for one in study.methods if one.fingerprint == fingerprint)
        places = tsne_map(features, study.settings.seed)
        blocks.append(Heading(str(ExtractorSpec.from_name(method.extractor, method.input_size))))
        blocks += _two_maps(context, method, places, images, len(queries))
    if not blocks:
        text = (
            f"No map: it needs the features of at least {MIN_IMAGES} pictures, and this report was made "
            "without them, or of fewer."
        )
        blocks.append(Paragraph(text))
    return Section("maps", "Which pictures look alike to an extractor", blocks, context.search_note)


def _two_maps(
    context: ReportContext, method: Method, places: Doubles, images: list[StudyImage], n_queries: int
) -> list[Chart]:
    """Draws a map of dots, and one of images if they can be read; the first ``n_queries`` are queries."""
    from stylesearch.evaluation.report.charts.maps import dot_map, thumbnail_map

    study = context.study
    numbers = {name: number for number, name in enumerate(sorted({one.category for one in images}))}
    n_shop = len(images) - n_queries
    file = method.extractor[-40:].replace("/", "-")
    content = (
        f"the {ExtractorSpec.from_name(method.extractor, method.input_size)!s} features of {n_queries:,} of "
        f"{study.queries.n_queries:,} queries and {n_shop:,} of {study.gallery.n_images:,} pictures of the "
        "gallery"
    )
    region = (
        "" if study.settings.regions in ("whole", "box") else " Of the regions, the first: the whole photo."
    )
    charts = [
        context.chart(
            dot_map(places, [one.category for one in images], numbers, n_queries),
            f"map-{file}",
            f"t-SNE of {content} (the 2018 study's Figure 5), after PCA. Near means alike; far apart, sizes "
            "and directions mean nothing. Color and shape: the category; filled: queries; hollow: gallery."
            f"{region}",
            f"Dots in the plane: {n_queries} queries and {n_shop} gallery pictures colored by category",
        )
    ]
    shown, thumbnails = _thumbnails(context, places, images, n_queries)
    if shown:
        figure = thumbnail_map(
            places[shown],
            thumbnails,
            [images[place].category for place in shown],
            numbers,
            thin={number for number, place in enumerate(shown) if place >= n_queries},
        )
        charts.append(
            context.chart(
                figure,
                f"thumbnails-{file}",
                f"The same map of {content} with the pictures themselves: {len(shown):,}, as many as have "
                "room. Color of the frames: the category, as above; thick: queries; thin: gallery."
                f"{region}",
                f"{len(shown)} small pictures at their places on the map",
            )
        )
    return charts


def _thumbnails(
    context: ReportContext, places: Doubles, images: list[StudyImage], n_queries: int
) -> tuple[list[int], list[Pixels]]:
    """Chooses images that have room on the map, of queries and gallery in turn, and reads their pixels."""
    from stylesearch.evaluation.report.charts.maps import select_without_overlap

    in_turn = sorted(range(len(images)), key=lambda place: place % n_queries)
    shown, thumbnails = [], []
    for number in select_without_overlap(places[in_turn], _MAX_THUMBNAILS):
        place = in_turn[number]
        boxed = place >= n_queries or context.study.settings.regions == "box"
        pixels = context.images.pixels(images[place], _THUMBNAIL_SIDE, boxed=boxed)
        if pixels is not None:
            shown.append(place)
            thumbnails.append(pixels)
    return shown, thumbnails
