"""Filters and facets find what looking at each product finds; their table is kept up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from stylesearch.catalog import Catalog, FeatureSet, ImageEntry
from stylesearch.catalog.check.derived import VALUES, check_derived
from stylesearch.catalog.check.repair import repair_catalog
from stylesearch.catalog.tables import product_values
from stylesearch.catalog.value_rows import fill_values
from stylesearch.conditions import Condition
from stylesearch.types import Product, ProductFilter, Variant

COLORS = ["red", "Red", "navy blue", ["red", "blue"], None, True]
WIDTHS: list[Any] = [50, "50 cm", "50.0", "1,5", "1,500", 60.5, [10, 90], "wide", None]
PRICES = ["10 EUR", "25", None, "200"]


def make(n: int) -> Product:
    said = {"color": COLORS[n % 6], "Width": WIDTHS[n % 9]}
    variants: tuple[Variant, ...] = ()
    if n % 4 == 1:
        variants = (Variant("a", {"Größe": "M"}, "20 EUR"), Variant("b", {"Größe": "L"}, "60 EUR"))
    return Product(
        f"p{n:02}",
        f"Product {n}",
        ["Women", "Women > Dresses", "women", "Men"][n % 4],
        price=PRICES[n % 4],
        attributes={name: value for name, value in said.items() if value is not None},
        in_stock=[True, False, None][n % 3],
        variants=variants,
    )


PRODUCTS = [make(n) for n in range(72)]


ON_SERVER = pytest.param("postgresql", marks=[pytest.mark.servers, pytest.mark.slow])


@pytest.fixture(scope="module", params=["sqlite", ON_SERVER])
def filled(request: pytest.FixtureRequest) -> Iterator[tuple[Catalog, FeatureSet]]:
    place: Any
    if request.param == "sqlite":
        place = request.getfixturevalue("tmp_path_factory").mktemp("values") / "catalog.db"
    else:
        server = request.getfixturevalue("postgres_server")
        place = server.url(server.create_database(template=request.getfixturevalue("postgres_template")))
    with Catalog.open(place) as catalog:
        with catalog.writing() as writer, writer.transaction():
            one = writer.feature_set(
                extractor="fake", parameters={}, weights_digest="w", fingerprint="f" * 64, dim=2
            )
            writer.upsert_products(PRODUCTS, source="mine")
            entries = [ImageEntry(p.id, f"/{p.id}", sha256=p.id * 8, width=9, height=9) for p in PRODUCTS]
            rows = writer.upsert_images(entries, source="mine")
            writer.add_features(one, [pk for pk, _ in rows.values()], np.ones((len(rows), 2), np.float32))
        yield catalog, one


def values_of(product: Product, name: str) -> list[Any]:
    """Values of an attribute or option, straight from the product."""
    if name == "size":
        return [one.options["Größe"] for one in product.variants]
    value = product.attributes.get({"color": "color", "width": "Width"}[name])
    return [] if value is None else value if isinstance(value, list) else [value]


def number_of(value: Any) -> float | None:
    known = {"50 cm": 50.0, "50.0": 50.0, "1,5": 1.5}
    if isinstance(value, bool):
        return None
    return float(value) if isinstance(value, int | float) else known.get(value)


def meets(product: Product, condition: Condition) -> bool:
    """Whether a product meets a condition: by its fields, one by one."""
    name, found = condition.name, False
    if name == "price":
        prices = [float(one.price.split()[0]) for one in product.variants if one.price]
        prices = prices or ([float(product.price.split()[0])] if product.price else [])
        if prices and condition.has_bounds:
            low = -1 if condition.low is None else condition.low
            high = 999 if condition.high is None else condition.high
            above = max(prices) > low or (max(prices) == low and not condition.is_low_open)
            found = above and (min(prices) < high or (min(prices) == high and not condition.is_high_open))
        elif condition.values:
            found = any(prices and min(prices) <= float(one) <= max(prices) for one in condition.values)
        else:
            found = bool(prices)
    elif name == "in_stock":
        found = product.in_stock is not None and (
            not condition.values or str(product.in_stock).lower() in condition.values
        )
    elif name == "category":
        found = any(
            product.category == one or product.category.startswith(f"{one} > ") for one in condition.values
        )
    else:
        values = values_of(product, name)
        if condition.has_bounds:
            found = any(n is not None and condition.admits(n) for n in map(number_of, values))
        elif condition.values:
            texts = {str(one).lower() for one in values}
            numbers = {n for one in values if (n := number_of(one)) is not None}
            found = any(
                one in texts or (one.replace(".", "").isdigit() and float(one) in numbers)
                for one in condition.values
            )
        else:
            found = bool(values)
    return found != condition.is_negated


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    name = draw(st.sampled_from(["color", "width", "size", "price", "in_stock", "category"]))
    is_negated = draw(st.booleans())
    if name in ("width", "price") and draw(st.booleans()):
        low, high = sorted(
            draw(st.lists(st.sampled_from([1.5, 10, 25, 50, 60, 200]), min_size=2, max_size=2))
        )
        return Condition(
            name,
            low=draw(st.sampled_from([low, None])),
            high=high,
            is_low_open=draw(st.booleans()),
            is_high_open=draw(st.booleans()),
            is_negated=is_negated,
        )
    values = {
        "color": ["RED", "blue", "navy blue", "true", "pink"],
        "width": ["50", "50 cm", "1.5", "wide", "60.5", "1,500"],
        "size": ["m", "L", "XL"],
        "price": ["10", "30", "200.0", "500"],
        "in_stock": ["true", "no"],
        "category": ["Women", "Women > Dresses", "Men", "Me"],
    }[name]
    least = 1 if name == "category" else 0
    chosen = draw(st.lists(st.sampled_from(values), unique=True, min_size=least, max_size=3))
    return Condition(name, tuple(chosen), is_negated=is_negated)


@given(where=st.lists(conditions(), max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_filter_selects_what_looking_at_each_product_selects(
    filled: tuple[Catalog, FeatureSet], where: list[Condition]
) -> None:
    catalog, feature_set = filled
    expected = [one.id for one in PRODUCTS if all(meets(one, each) for each in where)]
    asked = ProductFilter(where=where)
    assert [one.id for one in catalog.products(asked)] == expected
    assert catalog.selection.count(asked) == len(expected)
    some = catalog.select_features(feature_set, ProductFilter()).ids[::2]
    forget_selections(catalog)
    selected = catalog.select_features(feature_set, asked)
    assert selected.n_products == len(PRODUCTS)
    assert abs(selected.share - len(expected) / len(PRODUCTS)) < 0.15  # of a sample of some sixty
    assert selected.read_cost == 1
    met = sorted(selected.among(some))
    assert not selected.is_read
    assert met == sorted(selected.among(some)) == np.intersect1d(selected.ids, some).tolist()
    assert sorted(one.id for one, _ in catalog.hits_for(selected.ids.tolist()).values()) == expected
    assert len(selected) == len(expected)
    forget_selections(catalog)
    catalog._selections._n_asked[feature_set.pk] = 10**6  # from then on the products of features are known
    again = catalog.select_features(feature_set, asked)
    assert again.read_cost < 1
    assert again.ids.tolist() == selected.ids.tolist()


def forget_selections(catalog: Catalog) -> None:
    """As in a new process."""
    for kept in (catalog._selections._kept, catalog._selections._products, catalog._selections._n_asked):
        kept.clear()


@given(where=st.lists(conditions(), max_size=3))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_count_is_what_asking_for_the_value_gives(
    filled: tuple[Catalog, FeatureSet], where: list[Condition]
) -> None:
    catalog, feature_set = filled
    names = ["color", "Größe", "price", "category", "in_stock", "source", "width"]
    facets = catalog.facets.count(feature_set, ProductFilter(where=where), names)
    assert list(facets) == names
    for name, values in facets.items():
        plain = Condition(name).name
        others = [one for one in where if one.name != plain]
        for value in values:
            assert value.count == catalog.selection.count(ProductFilter(where=[*others, value.where])) > 0
        everything = [one for one in PRODUCTS if all(meets(one, each) for each in others)]
        if plain in ("color", "size"):
            known = {str(value).lower() for one in everything for value in values_of(one, plain)}
            assert {value.label.lower() for value in values} == known
            assert [value.count for value in values] == sorted((v.count for v in values), reverse=True)


def stored(catalog: Catalog) -> set[tuple[str, str, float | None, str]]:
    one = product_values.c
    with catalog._connect() as connection:
        return set(map(tuple, connection.execute(select(one.name, one.value, one.number, one.label)).all()))


def test_the_values_follow_each_change_of_a_product(catalog: Catalog) -> None:
    strange = {"a b": "x\ud800y", "long": "z" * 300, "deep": {"a": 1}, "": "no name", "huge": 10**400}
    with catalog.writing() as writer:
        with writer.transaction():
            writer.upsert_products([Product("1", "One", "x", attributes={"Farbe": "Red"})], source="s")
        assert stored(catalog) == {("color", "red", None, "Red")}
        with writer.transaction():
            writer.upsert_products([Product("1", "One", "x", attributes={"width": ["5 cm"]})], source="s")
        assert stored(catalog) == {("color", "red", None, "Red"), ("width", "5 cm", 5.0, "5 cm")}
        with writer.transaction():
            writer.upsert_products([Product("1", "One", "x", attributes=strange)], source="s")
        found = {name: value for name, value, _, _ in stored(catalog)}
        assert (found["a_b"], found["long"], found["deep"]) == ("x?y", "", "")
        with writer.transaction():
            writer.remove_products(["1"])
    assert stored(catalog) == set()


def test_values_that_differ_are_found_and_made_anew(catalog: Catalog) -> None:
    with catalog.writing() as writer:
        with writer.transaction():
            writer.upsert_products([Product("1", "One", "x", attributes={"color": "Red"})], source="s")
            writer.connection().execute(update(product_values).values(value="blue"))
        with catalog._connect() as connection:
            findings = list(check_derived(connection))
        problems = [one for finding in findings for one in finding.repairable(VALUES)]
        assert [problem.what for problem in problems] == ["'1' has other attributes than filters look up"]
        repair_catalog(writer, findings)
    assert stored(catalog) == {("color", "red", None, "Red")}


def test_values_are_made_anew_by_an_import(catalog: Catalog) -> None:
    with catalog.writing() as writer, writer.transaction():
        writer.upsert_products([Product("1", "One", "x", attributes={"color": "Red"})], source="s")
        writer.connection().execute(update(product_values).values(value="blue"))
        fill_values(writer.connection())
    assert stored(catalog) == {("color", "red", None, "Red")}
