"""Statements of every query, made once: building them takes longer than running them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, Select, bindparam, func, select

from stylesearch.catalog.models import ImageState, features, images, product_columns, products

__all__ = ["CATEGORY_NAMES", "HITS", "image_columns", "is_usable"]

is_usable: Final[ColumnElement[bool]] = func.coalesce(images.c.state, "") == ImageState.OK.value
"""Pictures that can be used. So written that no index of states finds them: nearly all pictures are such."""

image_columns: Final = (
    images.c.path,
    images.c.sha256,
    images.c.domain,
    images.c.width,
    images.c.height,
    images.c.box,
)


def _category_names() -> Select[str]:
    """Names of categories: one look into an index for each, however many vectors it has."""
    of_set = (
        features.c.feature_set_pk == bindparam("feature_set_pk"),
        features.c.domain == bindparam("domain"),
    )
    names = select(func.min(features.c.category).label("name")).where(*of_set).cte("names", recursive=True)
    following = select(func.min(features.c.category)).where(*of_set, features.c.category > names.c.name)
    names = names.union_all(select(following.scalar_subquery()).where(names.c.name.is_not(None)))
    return select(names.c.name)


CATEGORY_NAMES: Final = _category_names()
HITS: Final = (
    select(features.c.id, *product_columns, *image_columns)
    .select_from(
        features.join(images, images.c.pk == features.c.image_pk).join(
            products, products.c.pk == images.c.product_pk
        )
    )
    .where(features.c.id.in_(bindparam("ids", expanding=True)))
)
"""Feature id, product and image of the features with these ``ids``."""
