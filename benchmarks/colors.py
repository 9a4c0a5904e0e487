"""What joining colors to a network costs a query: its 16 regions, with and without, in turn.

The histogram, and the space's transform of 620 instead of 512 numbers; milliseconds, medians.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from benchmarks.measuring import print_table, seconds_of
from benchmarks.retrieval import FIXED_PLAN
from benchmarks.shops import drawn_shop, region_features

N_PHOTOS = 40
N_PRODUCTS = 200


def main() -> None:
    """Prints milliseconds of each step, and their share of the whole."""
    from stylesearch.extractors import load_extractor
    from stylesearch.extractors.hsv_histogram import color_histogram
    from stylesearch.extractors.with_colors import ExtractorWithColors
    from stylesearch.images.decode import decode
    from stylesearch.images.regions import crops, plan_boxes, reduction
    from stylesearch.settings import Settings
    from stylesearch.spaces import fit_transform
    from stylesearch.spaces.parts import FeatureParts

    settings = Settings()
    extractor = load_extractor(settings.extractor)
    assert isinstance(extractor, ExtractorWithColors), "the default joins colors"
    size, parts = extractor.input_size, FeatureParts.of_extractor(extractor)
    with tempfile.TemporaryDirectory() as name:
        drawn_shop(Path(name), N_PRODUCTS)
        photos = []
        for path in sorted((Path(name) / "street").glob("*.jpg"))[:N_PHOTOS]:
            image = decode(path, reduce_to=reduction(size, FIXED_PLAN))
            boxes = plan_boxes(FIXED_PLAN, image.width, image.height)
            photos.append(crops(image, boxes, size))
        gallery = region_features(extractor, sorted((Path(name) / "catalog").rglob("*.jpg"))[:100])
    width = parts.n_network(gallery.shape[1])
    joined = fit_transform(
        settings.space, iter([gallery]), dim_in=gallery.shape[1], n_rows=len(gallery), parts=parts
    )
    alone = fit_transform(settings.space, iter([gallery[:, :width]]), dim_in=width, n_rows=len(gallery))
    times: dict[str, list[float]] = {}
    for squares in [*photos[:3], *photos]:
        features = extractor.extract(squares)
        for what, call in (
            ("network alone", lambda s=squares: extractor.network.extract(s)),
            ("network and colors", lambda s=squares: extractor.extract(s)),
            ("colors alone", lambda s=squares: color_histogram(s)),
            ("space of the network alone", lambda f=features: alone.apply(f[:, :width])),
            ("space of both", lambda f=features: joined.apply(f)),
        ):
            times.setdefault(what, []).append(1000 * seconds_of(call))
    print_table(
        [f"{len(photos[0])} regions of a photo", "ms, median", "min"],
        [[what, f"{statistics.median(ms[3:]):.1f}", f"{min(ms[3:]):.1f}"] for what, ms in times.items()],
    )
