from __future__ import annotations

import numpy as np

from benchmarks.kind_photos import PARTS, split_by_group
from benchmarks.kind_variants import kind_of_spec
from benchmarks.kinds_test import share_of_kind, share_of_most_shown
from stylesearch.drawn_shop import draw_product


def test_a_split_keeps_groups_together_and_the_shares_of_each_kind() -> None:
    groups = [f"group {n // 2 if n < 40 else n}" for n in range(400)]
    kinds = np.repeat([0, 1], 200)
    parts = split_by_group(groups, kinds)
    assert (parts[0:40:2] == parts[1:40:2]).all()
    for kind in (0, 1):
        shares = np.bincount(parts[kinds == kind], minlength=len(PARTS)) / 200
        np.testing.assert_allclose(shares, [0.60, 0.15, 0.25], atol=0.02)
    assert (split_by_group(groups, kinds) == parts).all()


def test_photos_more_leave_most_others_where_they_are() -> None:
    groups = [f"group {n}" for n in range(400)]
    kinds = np.zeros(404, np.intp)
    before = split_by_group(groups, kinds[:400])
    after = split_by_group([*groups, "a", "b", "c", "d"], kinds)
    assert (before != after[:400]).mean() < 0.03


def test_shares_of_the_first_ten_products() -> None:
    # Twelve products of two images each; those that are near are of the first kind.
    products = [f"product {n // 2:02}" for n in range(24)]
    kinds = ["hat" if n < 12 else "shoes" for n in range(24)]
    near = np.arange(24, dtype=np.float32)[None]
    assert share_of_kind(near, products, kinds, ["hat"]).tolist() == [0.6]
    assert share_of_kind(near, products, kinds, ["shoes"]).tolist() == [0.4]
    assert share_of_most_shown(np.concatenate([near, near[:, ::-1]]), products) == 1.0
    assert share_of_most_shown(near, products) == 1.0


def test_drawn_garments_have_kinds() -> None:
    found = {}
    for index in range(120):
        spec = draw_product(index, 5).spec
        found.setdefault(spec.category, set()).add(kind_of_spec(spec))
    assert found["trousers"] == {"pants"}
    assert found["coat"] == {"outwear"}
    assert found["jumper"] <= {"longsleeve", None}
    assert "t-shirt" in found["t-shirt"]
