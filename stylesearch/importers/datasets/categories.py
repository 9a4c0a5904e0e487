"""Categories of a dataset's products: the dataset's own, or the four groups of the study of 2018.

The study that this project repeats compared within Dress, Skirt, Clothing (upper body) and Clothing (lower
body), and does not say which folders of the dataset were in which group. The readers group by garment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stylesearch.types import Product

__all__ = ["DRESS", "LOWER", "OTHER", "SKIRT", "UPPER", "dataset_product"]

DRESS: Final = "Dress"
SKIRT: Final = "Skirt"
UPPER: Final = "upper"
LOWER: Final = "lower"
OTHER: Final = "other"
"""The group of everything else: shoes, bags, overalls, and categories nobody has heard of."""


def dataset_product(
    dataset: str,
    dataset_id: str,
    *,
    title: str,
    split: str,
    category: str,
    groups: Mapping[str, str],
    categories: str,
) -> Product:
    """Makes a product of a dataset, with the attributes that an evaluation needs.

    Args:
        dataset: name of the format; part of the product's id, so that two datasets fit into one catalog.
        dataset_id: id of the product, unique within the dataset.
        title: title of the product.
        split: name of the split in the dataset.
        category: the dataset's own category.
        groups: the study's group by the dataset's own category.
        categories: ``own`` or ``study2018``: which of the two becomes the product's category.

    Example:
        >>> product = dataset_product("deepfashion-c2s", "id_00000001", title="A dress", split="test",
        ...     category="DRESSES/Dress", groups={"DRESSES/Dress": DRESS}, categories="study2018")
        >>> product.id, product.category, product.attributes["dataset_category"]
        ('deepfashion-c2s:id_00000001', 'Dress', 'DRESSES/Dress')
    """
    group = groups.get(category, OTHER)
    return Product(
        id=f"{dataset}:{dataset_id}",
        title=title,
        category=group if categories == "study2018" else category,
        attributes={
            "dataset": dataset,
            "dataset_id": dataset_id,
            "split": split,
            "dataset_category": category,
            "seed_group": group,
        },
    )
