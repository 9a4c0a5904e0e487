"""What was searched in and with, in numbers and in one line each, to stand beside every table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from stylesearch.evaluation.protocol import ANY_SPLIT, CatalogImage, Protocol
from stylesearch.evaluation.results import (
    EqualPictures,
    GalleryFacts,
    LeftOut,
    Picture,
    QueryFacts,
    StudySettings,
)
from stylesearch.storage import digest_of

__all__ = ["gallery_facts", "query_facts"]

N_EXAMPLES = 10


def gallery_facts(protocol: Protocol, settings: StudySettings) -> GalleryFacts:
    """The gallery of a study."""
    n_products = len({one.product.id for one in protocol.gallery})
    n_images = len(protocol.gallery)
    n_cut = sum(one.image.box is not None for one in protocol.gallery)
    cut = f" ({n_cut:,} of them cut to their box)" if n_cut else ""
    return GalleryFacts(
        description=f"{_kind_of_gallery(settings)}: {_count(n_images, 'picture')}{cut} of "
        f"{_count(n_products, 'product')}{_of_split(settings.gallery_split)}",
        n_images=n_images,
        n_products=n_products,
        categories=_by_category(protocol.gallery),
        n_unreadable=len(protocol.unreadable),
        digest=_digest(protocol.gallery),
        pictures=tuple(map(_picture, protocol.gallery)),
    )


def query_facts(protocol: Protocol, settings: StudySettings) -> QueryFacts:
    """The queries of a study."""
    queries = protocol.queries
    n_left_out = sum(map(len, protocol.left_out.values()))
    n_products = len({one.product.id for one in queries})
    views = "shop picture" if settings.gallery == "others" else "other shop picture"
    kind = "consumer photo" if settings.queries == "consumer" else views
    through = {"whole": "the whole photo", "box": "the box of the garment"}.get(
        settings.regions, f"the regions `{settings.regions}`"
    )
    return QueryFacts(
        description=f"{_count(len(queries), kind)} of {_count(n_products, 'product')}"
        f"{_of_split(settings.split)}, through {through}",
        n_listed=len(queries) + n_left_out,
        n_queries=len(queries),
        n_products=n_products,
        categories=_by_category(queries),
        n_without_box=sum(one.image.box is None for one in queries) if settings.regions == "box" else 0,
        left_out=tuple(
            LeftOut(reason, len(images), tuple(one.image.path for one in images[:N_EXAMPLES]))
            for reason, images in sorted(protocol.left_out.items())
        ),
        equal_pictures=_equal_pictures(protocol),
        digest=_digest(queries),
        pictures=tuple(map(_picture, queries)),
    )


def _kind_of_gallery(settings: StudySettings) -> str:
    views = settings.queries == "views"
    kinds = {
        "all": "the first picture of every product" if views else "all shop pictures",
        "queried": f"{'the first picture' if views else 'all shop pictures'} of every product with a query",
        "others": "all other shop pictures",
    }
    return kinds.get(settings.gallery, f"shop pictures named {settings.gallery}")


def _equal_pictures(protocol: Protocol) -> EqualPictures:
    in_gallery: dict[str, list[CatalogImage]] = {}
    for one in protocol.gallery:
        in_gallery.setdefault(one.image.sha256, []).append(one)
    n_queries, n_same, examples = 0, 0, []
    for query in protocol.queries:
        equal = [one for one in in_gallery.get(query.image.sha256, []) if one.pk != query.pk]
        if equal:
            n_queries += 1
            n_same += any(one.product.id == query.product.id for one in equal)
            examples.append((query.image.path, equal[0].image.path))
    return EqualPictures(n_queries, n_same, tuple(examples[:N_EXAMPLES]))


def _picture(one: CatalogImage) -> Picture:
    product, image = one.product, one.image
    return Picture(product.id, product.title, product.category, image.path, image.sha256, image.box)


def _by_category(images: Sequence[CatalogImage]) -> dict[str, int]:
    return dict(sorted(Counter(one.product.category for one in images).items()))


def _digest(images: Sequence[CatalogImage]) -> str:
    return digest_of({"pictures": [[one.product.id, one.image.sha256] for one in images]})


def _of_split(split: str) -> str:
    return f" of the split {split}" if split and split != ANY_SPLIT else ""


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
