"""Photos of single garments in a real shop: are the hits of their kind, and is one product in all answers?

By the default search, and in other spaces with and without the kinds that a head names as a soft prior:
``distance + w * kind distance``. Tests where the right product is known say whether the same prior loses
anything. All by brute force; persons are not looked for, since hardly any of these photos shows one.

Environment: ``STYLESEARCH_TEST_DATA`` (real photos), ``BENCH_FOLDER`` (where features are kept; else the
workspace's cache), ``BENCH_HEAD`` (folder of another head than the shipped one).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.kind_examples import kept_features, the_extractor
from benchmarks.kind_photos import KINDS, cache_folder, kind_photos
from benchmarks.lever_features import STREET, Floats, places_of
from benchmarks.lever_vectors import fit_space, product_ranks, region_distances, resampled_gain
from benchmarks.measuring import print_table
from benchmarks.photo_tests import PhotoTest, in_other_light, photo_tests, rows_of
from benchmarks.shops import real_photos
from stylesearch.drawn_shop import write_demo
from stylesearch.extractors.base import Extractor
from stylesearch.images.regions import REGION_PLANS, WHOLE, WITHOUT_PERSON
from stylesearch.kinds.head import KindHead, kind_distances
from stylesearch.spaces.parts import FeatureParts

__all__ = ["main", "share_of_kind", "share_of_most_shown"]

ASKED: Final = ("t-shirt", "pants", "shorts", "outwear")
STRENGTHS: Final = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
N_HITS: Final = 10
TOP: Final = (1, 5, 20)
N_DEMO: Final = 60

TANK_TOP: Final = "tank top"
LUMA_KINDS: Final = {
    "tshirt": "t-shirt",
    "pants": "pants",
    "shorts": "shorts",
    "jacket": "outwear",
    "hoodie": "outwear",
    "tank": TANK_TOP,
}
"""By the second word of the shop's categories. Tank tops are of none of the kinds that are asked for."""

LOOKS: Final = ("whole", "region", "nearest")
"""Where the photo's kind is read: in the whole photo; in each region for its own distances; or in the region
that lies nearest to any image."""

WAYS: Final = (
    ("whitened, street (0.2)", "whitened", True),
    ("whitened, whole", "whitened", False),
    ("raw, street", "raw", True),
    ("raw, whole", "raw", False),
)
"""Name, space, whether all regions are searched with; the first was the default up to 0.2."""


@dataclass(frozen=True)
class Shown:
    """A test as its features show it.

    Attributes:
        photos: features of the regions, float32 (n, regions, dim).
        gallery: features, (m, dim).
        products: of each gallery image.
        photo_kinds: probabilities of each region, (n, regions, kinds).
        gallery_kinds: probabilities, (m, kinds).
        parts: the parts of a feature.
    """

    photos: Floats
    gallery: Floats
    products: list[str]
    photo_kinds: Floats
    gallery_kinds: Floats
    parts: FeatureParts

    def distances(self, space: str, regions: bool) -> Floats:
        """Distances of regions to images, (n, regions, m), as searches take them."""
        dim = self.gallery.shape[1]
        transform = fit_space(space, self.gallery, self.parts)
        photos = self.photos if regions else self.photos[:, :1]
        moved = transform.apply(photos.reshape(-1, dim)).reshape(*photos.shape[:2], transform.dim)
        found: Floats = region_distances(moved, transform.apply(self.gallery))
        return found

    def by_default(self) -> Floats:
        """Distances of photos to images as the default search takes them where nobody is seen, (n, m)."""
        transform = fit_space("mixed", self.gallery, self.parts)
        images = transform.apply(self.gallery)
        places = places_of(REGION_PLANS[WITHOUT_PERSON], STREET)
        found = [1 - (transform.apply_to_photo(rows[places]) @ images.T).max(axis=0) for rows in self.photos]
        return np.stack(found)

    def with_prior(self, of_regions: Floats, strength: float, look: str) -> Floats:
        """Distances of photos to images with the kinds as a prior, (n, m).

        Args:
            of_regions: from ``distances``; not modified.
            strength: of the prior.
            look: one of ``LOOKS``.
        """
        if not strength:
            nearest: Floats = of_regions.min(axis=1)
            return nearest
        n, n_regions, m = of_regions.shape
        if look == "region":
            kinds = self.photo_kinds[:, :n_regions]
            apart = kind_distances(kinds.reshape(-1, kinds.shape[2]), self.gallery_kinds)
            found: Floats = (of_regions + np.float32(strength) * apart.reshape(n, n_regions, m)).min(axis=1)
            return found
        row = of_regions.min(axis=2).argmin(axis=1) if look == "nearest" else np.zeros(n, np.intp)
        apart = kind_distances(self.photo_kinds[np.arange(n), row], self.gallery_kinds)
        added: Floats = of_regions.min(axis=1) + np.float32(strength) * apart
        return added


def main() -> None:
    """Prints the kinds test, and what the prior does where the right product is known."""
    home, photos = real_photos(), kind_photos()
    if home is None or photos is None:
        print("Real photos are needed: set STYLESEARCH_TEST_DATA.")
        return
    extractor = the_extractor()
    folder = os.environ.get("BENCH_HEAD")
    head = KindHead.load(Path(folder) if folder else None)
    head.check_features(extractor.name, extractor.parameters, extractor.weights_digest)
    rows = rows_of(home / "luma" / "images.csv")
    test = photos.part("test")
    asked = np.flatnonzero(np.isin(test.kinds, [KINDS.index(kind) for kind in ASKED]))
    shop = [home / "luma" / row["image"] for row in rows]
    shown = _look([test.paths[row] for row in asked], shop, [_product(row) for row in rows], extractor, head)
    image_kinds = [LUMA_KINDS.get(row["category"].split("_")[1], "") for row in rows]
    _print_reading(shown, image_kinds)
    _print_kinds_test(shown, [KINDS[kind] for kind in test.kinds[asked]], image_kinds)
    for name, one in _known_tests():
        seen = _look(one.photos, one.gallery, one.products, extractor, head)
        print(f"\n{name}: {len(one.photos)} photos in {len(one.gallery)} images; percent in the top 1/5/20\n")
        _print_known(seen, one.right)


def share_of_kind(
    to_images: Floats, products: Sequence[str], image_kinds: Sequence[str], kind: Sequence[str]
) -> npt.NDArray[np.float64]:
    """The share of each photo's first ten products that are of its kind, (n,).

    Args:
        to_images: distances, (n, m).
        products: of each image; a product's nearest image counts.
        image_kinds: of each image; images of a product are of one kind.
        kind: of each photo.
    """
    names, product_of, kinds = _by_product(products, image_kinds)
    first = _first_products(to_images, product_of, len(names))
    return np.array([(kinds[row] == one).mean() for row, one in zip(first, kind, strict=True)])


def share_of_most_shown(to_images: Floats, products: Sequence[str], kind: Sequence[str] = ()) -> float:
    """The share of photos among whose first ten products the one is that is shown most often.

    Args:
        to_images: distances, (n, m).
        products: of each image.
        kind: of each photo: all kinds count alike, however many photos they have; else all photos.
    """
    names, product_of, _ = _by_product(products, products)
    first = _first_products(to_images, product_of, len(names))
    kinds = np.asarray(kind or [""] * len(first))
    shares = [
        np.bincount(first[kinds == one].ravel(), minlength=len(names)) / (kinds == one).sum()
        for one in np.unique(kinds)
    ]
    return float(np.mean(shares, axis=0).max())


def _by_product(
    products: Sequence[str], image_kinds: Sequence[str]
) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.intp], npt.NDArray[np.str_]]:
    names, first, product_of = np.unique(np.asarray(products), return_index=True, return_inverse=True)
    return names, product_of, np.asarray(image_kinds)[first]


def _first_products(
    to_images: Floats, product_of: npt.NDArray[np.intp], n_products: int
) -> npt.NDArray[np.intp]:
    order = np.argsort(product_of, kind="stable")
    starts = np.searchsorted(product_of[order], np.arange(n_products))
    to_products = np.minimum.reduceat(to_images[:, order], starts, axis=1)
    return np.argsort(to_products, axis=1, kind="stable")[:, :N_HITS]


def _look(
    photos: Sequence[Path],
    gallery: Sequence[Path],
    products: list[str],
    extractor: Extractor,
    head: KindHead,
) -> Shown:
    kept = kept_features()
    regions = kept.regions(extractor, photos, STREET)
    images = kept.regions(extractor, gallery, (WHOLE,))[:, 0]
    of_regions = head.predict(regions.reshape(-1, regions.shape[2])).reshape(*regions.shape[:2], -1)
    parts = FeatureParts.of_extractor(extractor)
    return Shown(regions, images, products, of_regions, head.predict(images), parts)


def _product(row: Mapping[str, str]) -> str:
    return f"{row['style']} {row['colour']}"


def _known_tests() -> Iterator[tuple[str, PhotoTest]]:
    """Tests where the right product is known: drawn (the demo), cut out, its twin in other light, views."""
    folder = cache_folder()
    demo = folder / "demo"
    if not (demo / "street.csv").is_file():
        write_demo(demo, n_products=N_DEMO, processes=2)
    tests = photo_tests(folder, N_DEMO, demo)
    yield from tests.items()
    (folder / "other-light").mkdir(exist_ok=True)
    yield "other light", in_other_light(tests["cut out"], folder / "other-light")


def _print_reading(shown: Shown, image_kinds: Sequence[str]) -> None:
    """How the head reads the shop's images, which it was not trained on."""
    named = np.asarray(KINDS)[shown.gallery_kinds.argmax(axis=1)]
    rows = []
    for kind in ASKED:
        own = named[np.asarray(image_kinds) == kind]
        counts = [int((own == one).sum()) for one in KINDS]
        rows.append([kind, len(own), *counts])
    print("How the shop's images are read (columns) by their kind:\n")
    print_table(["", "images", *KINDS], rows)


def _print_kinds_test(shown: Shown, kind: Sequence[str], image_kinds: Sequence[str]) -> None:
    counts = ", ".join(f"{kind.count(one)} {one}" for one in ASKED)
    print(
        f"\nPhotos: {counts}. Percent of the first {N_HITS} of the right kind, most shown per 100 answers:\n"
    )
    rows: list[list[object]] = [
        ["mixed, large (default)", "all", "-", *_shares(shown, shown.by_default(), kind, image_kinds)]
    ]
    for name, space, regions in WAYS:
        of_regions = shown.distances(space, regions)
        for look in LOOKS if regions else LOOKS[:1]:
            for strength in STRENGTHS if look == LOOKS[0] else STRENGTHS[1:]:
                to_images = shown.with_prior(of_regions, strength, look)
                look_of = look if strength else "-"
                rows.append([name, look_of, strength, *_shares(shown, to_images, kind, image_kinds)])
    print_table(["searched", "kind read in", "w", *ASKED, f"{ASKED[0]}, {TANK_TOP}s too", "most shown"], rows)


def _shares(shown: Shown, to_images: Floats, kind: Sequence[str], image_kinds: Sequence[str]) -> list[str]:
    """Percent of the right kind of each kind, of T-shirts with tank tops, and the most shown product."""
    with_tops = [ASKED[0] if one == TANK_TOP else one for one in image_kinds]
    kinds = np.asarray(kind)
    shares = share_of_kind(to_images, shown.products, image_kinds, kind)
    means = [100 * shares[kinds == one].mean() for one in ASKED]
    tops_too = share_of_kind(to_images, shown.products, with_tops, kind)
    means.append(100 * tops_too[kinds == ASKED[0]].mean())
    most = 100 * share_of_most_shown(to_images, shown.products, kind)
    return [f"{one:.0f}" for one in (*means, most)]


def _print_known(shown: Shown, right: Sequence[str]) -> None:
    rows, gains = [], []
    for name, space, regions in WAYS:
        of_regions = shown.distances(space, regions)
        plain = product_ranks(of_regions.min(axis=1), shown.products, right)
        cells = {}
        for look in LOOKS if regions else LOOKS[:1]:
            for strength in STRENGTHS:
                to_images = shown.with_prior(of_regions, strength, look)
                ranks = product_ranks(to_images, shown.products, right)
                found = "/".join(f"{100 * (ranks < k).mean():.0f}" for k in TOP)
                change = f" {(ranks < plain).sum()}:{(ranks > plain).sum()}" if strength else ""
                most = 100 * share_of_most_shown(to_images, shown.products)
                cells[strength] = f"{found}{change} ({most:.0f})"
                if look == LOOKS[1] and 0 < strength <= 0.2:
                    gains.append([name, strength, *_gains(ranks, plain, right)])
            rows.append([name, look, *cells.values()])
    print_table(["searched", "kind read in", *(f"w = {one}" for one in STRENGTHS)], rows)
    print(
        f"\nPoints gained by the prior, the kind read in each {LOOKS[1]}, with 95 % intervals by product:\n"
    )
    print_table(["searched", "w", *(f"top {k}" for k in TOP)], gains)


def _gains(ranks: npt.NDArray[np.float64], plain: npt.NDArray[np.float64], right: Sequence[str]) -> list[str]:
    """Points of top-k accuracy gained, with intervals."""
    gained = (100.0 * (ranks < k) - 100.0 * (plain < k) for k in TOP)
    return ["{:+.1f} [{:+.1f}, {:+.1f}]".format(*resampled_gain(one, right)) for one in gained]
