"""What the catalog already knows, asked before anything is decoded or computed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from sqlalchemy import Connection, bindparam, select

from stylesearch.catalog.models import ImageState, features, images, product_columns, products
from stylesearch.catalog.rows import FeatureSet, KnownContent, KnownImage, box_from_text, in_batches
from stylesearch.catalog.vectors import decode_vectors
from stylesearch.types import Box, Domain, Product

__all__ = ["Content", "ImageKey", "known_contents", "known_images"]

ImageKey = tuple[str, str]
"""Product id and path: what names an image."""

Content = tuple[str, Box | None]
"""sha256 of the bytes, and the box looked at: what decides a vector."""

_same_content: Final = (
    select(images.c.width, images.c.height, features.c.vector)
    .join_from(images, features, features.c.image_pk == images.c.pk)
    .where(
        images.c.sha256 == bindparam("sha256"),
        images.c.state == ImageState.OK.value,
        images.c.box.is_not_distinct_from(bindparam("box")),
        features.c.feature_set_pk == bindparam("feature_set_pk"),
    )
    .limit(1)
)


def known_images(
    connection: Connection, keys: Collection[ImageKey], feature_sets: Iterable[FeatureSet] = ()
) -> dict[ImageKey, KnownImage]:
    """Those of the images that the catalog has; see :meth:`Catalog.known_images`."""
    wanted = set(keys)
    rows = []
    for batch in in_batches(sorted({product_id for product_id, _ in wanted})):
        statement = (
            select(
                images.c.pk,
                images.c.path,
                images.c.domain,
                images.c.box,
                images.c.sha256,
                images.c.width,
                images.c.height,
                images.c.stat_key,
                images.c.error,
                images.c.source,
                *product_columns,
            )
            .join_from(products, images, images.c.product_pk == products.c.pk)
            .where(products.c.id.in_(batch))
        )
        rows += [row for row in connection.execute(statement) if (row[10], row[1]) in wanted]
    computed = _computed(connection, [row[0] for row in rows], [item.pk for item in feature_sets])
    known: dict[ImageKey, KnownImage] = {}
    for pk, path, domain, box, sha256, width, height, stat_key, error, source, *product in rows:
        known[product[0], path] = KnownImage(
            pk=pk,
            product=Product(*product),
            path=path,
            domain=Domain(domain),
            box=box_from_text(box),
            sha256=sha256,
            width=width,
            height=height,
            stat_key=stat_key,
            error=error,
            source=source,
            feature_sets=frozenset(computed.get(pk, ())),
        )
    return known


def known_contents(
    connection: Connection, contents: Iterable[Content], feature_sets: Iterable[FeatureSet]
) -> dict[Content, KnownContent]:
    """Vectors of any image with the same bytes and box; see :meth:`Catalog.known_contents`."""
    wanted = list(feature_sets)
    known: dict[Content, KnownContent] = {}
    # One indexed look-up for each: a picture that stands for "no picture yet" may be in the catalog
    # a hundred thousand times, and a query over all of them at once would read every one.
    for content in dict.fromkeys(contents):
        sha256, box = content
        size = (0, 0)
        vectors = {}
        for feature_set in wanted:
            row = connection.execute(
                _same_content,
                {
                    "sha256": sha256,
                    "box": None if box is None else str(box),
                    "feature_set_pk": feature_set.pk,
                },
            ).one_or_none()
            if row is not None:
                size = (row[0], row[1])
                vectors[feature_set.pk] = decode_vectors([row[2]], feature_set.dim)[0]
        if vectors:
            known[content] = KnownContent(*size, vectors)
    return known


def _computed(
    connection: Connection, image_pks: list[int], feature_set_pks: list[int]
) -> dict[int, list[int]]:
    """Keys of the feature sets that have a vector of each image, by the image's key."""
    computed: dict[int, list[int]] = {}
    if not feature_set_pks:
        return computed
    for batch in in_batches(image_pks):
        statement = select(features.c.image_pk, features.c.feature_set_pk).where(
            features.c.image_pk.in_(batch), features.c.feature_set_pk.in_(feature_set_pks)
        )
        for image_pk, feature_set_pk in connection.execute(statement):
            computed.setdefault(image_pk, []).append(feature_set_pk)
    return computed
