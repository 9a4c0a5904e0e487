"""How many products are shown, by category: kept up by every kind of change, checked and counted anew."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from stylesearch.catalog import Catalog, ImageEntry
from stylesearch.catalog.backends import backend_of
from stylesearch.catalog.categories import Categories
from stylesearch.catalog.check.repair import repair_catalog
from stylesearch.catalog.check.whole import check_catalog
from stylesearch.catalog.pruning import Pruner
from stylesearch.catalog.records import Patch
from stylesearch.catalog.refiling import refile_products, set_categories
from stylesearch.catalog.shown_counts import COUNTED
from stylesearch.catalog.writer import Writer
from stylesearch.types import Domain, Product


def entry(product: str, path: str, *, domain: Domain = Domain.SHOP, ok: bool = True) -> ImageEntry:
    reason = None if ok else "not an image"
    return ImageEntry(product, path, domain, sha256="a" * 64, width=8, height=8, error=reason)


def counted(writer: Writer) -> dict[str, int]:
    with writer.transaction():
        return dict(writer.connection().execute(COUNTED).all())


products = st.sampled_from("abc")
categories = st.sampled_from(["dress", "coat"])
sources = st.sampled_from(["one", "two"])
paths = st.sampled_from(["/nowhere/1.jpg", "/nowhere/2.jpg"])
changes = st.one_of(
    st.tuples(st.just("product"), products, categories, sources),
    st.tuples(st.just("image"), products, paths, st.sampled_from(Domain), st.booleans(), sources),
    st.tuples(st.just("patch"), products, categories),
    st.tuples(st.just("remove"), products),
    st.tuples(st.just("prune"), st.sets(products), sources, st.booleans()),
    st.tuples(st.just("unlist"), products, sources),
    st.tuples(st.just("keep"), products, sources),
    st.tuples(st.just("remove source"), sources),
    st.tuples(st.just("lost"), products),
    st.tuples(st.just("rename"), categories, st.sampled_from(["dress", "coat", "other"])),
)


def image_pks(writer: Writer, product: str) -> tuple[int, list[int]]:
    statement = text(
        "SELECT p.pk, i.pk FROM products p LEFT JOIN images i ON i.product_pk = p.pk WHERE p.id = :id"
        " ORDER BY i.pk"
    )
    rows = writer.connection().execute(statement, {"id": product})
    found = rows.all()
    return (found[0][0] if found else 0), [pk for _, pk in found if pk is not None]


def put_image(writer: Writer, product: str, path: str, domain: Domain, ok: bool, source: str) -> None:
    if product in writer.known_ids([product]):
        writer.upsert_images([entry(product, path, domain=domain, ok=ok)], source=source)


def prune(writer: Writer, seen: set[str], source: str, whole: bool) -> None:
    pruner = Pruner(writer, source)
    for product in seen:
        pk, images = image_pks(writer, product)
        pruner.mark(images[:1], [pk] if pk else [])
    pruner.remove(whole_products=whole)


def keep(writer: Writer, product: str, source: str) -> None:
    pk, images = image_pks(writer, product)
    Pruner(writer, source).keep_images(pk, images[1:])


def lose(writer: Writer, product: str) -> None:
    pruner = Pruner(writer, "one")
    pruner.mark(image_pks(writer, product)[1][-1:])
    pruner.forget_lost_files()


APPLY: dict[str, Callable[..., object]] = {
    "product": lambda writer, product, category, source: writer.upsert_products(
        [Product(product, "A title", category)], source=source
    ),
    "image": put_image,
    "patch": lambda writer, product, category: writer.patch_products(
        {product: Patch({"category": category})}, source="api"
    ),
    "remove": lambda writer, product: writer.remove_products([product]),
    "prune": prune,
    "unlist": lambda writer, product, source: Pruner(writer, source).unlist([product]),
    "keep": keep,
    "remove source": lambda writer, source: writer.remove_source(source),
    "lost": lose,
    "rename": lambda writer, category, name: set_categories(writer, Categories({category: name})),
}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(done=st.lists(changes, min_size=4, max_size=25))
def test_they_are_those_of_a_count_after_any(catalog: Catalog, done: list[tuple[object, ...]]) -> None:
    with catalog.writing() as writer:
        with writer.transaction():
            writer.remove_products("abc")
            set_categories(writer, Categories({}))
        assert catalog.shown.counts() == {}
        for name, *arguments in done:
            with writer.transaction():
                APPLY[str(name)](writer, *arguments)
            refile_products(writer)
            assert catalog.shown.counts() == counted(writer), (name, arguments)


def test_a_product_counts_while_it_has_an_image_that_is_shown(catalog: Catalog) -> None:
    with catalog.writing() as writer:

        def put(*entries: ImageEntry) -> dict[str, int]:
            with writer.transaction():
                writer.upsert_images(entries, source="s")
            return catalog.shown.counts()

        with writer.transaction():
            writer.upsert_products([Product(one, one, "dress") for one in "ab"], source="s")
        assert catalog.shown.counts() == {}
        assert put(entry("a", "/1"), entry("a", "/2"), entry("b", "/1", ok=False)) == {"dress": 1}
        assert put(entry("a", "/1", ok=False)) == {"dress": 1}
        assert put(entry("a", "/2", domain=Domain.CONSUMER)) == {}
        assert put(entry("a", "/2"), entry("b", "/1")) == {"dress": 2}
        with writer.transaction():
            writer.upsert_products([Product("a", "a", "coat")], source="s")
        assert catalog.shown.counts() == {"coat": 1, "dress": 1}
        with writer.transaction():
            writer.remove_products(["a"])
        assert catalog.shown.counts() == {"dress": 1}


def test_a_transaction_that_fails_changes_no_count(catalog: Catalog) -> None:
    with catalog.writing() as writer, contextlib.suppress(ZeroDivisionError), writer.transaction():
        writer.upsert_products([Product("a", "a", "dress")], source="s")
        writer.upsert_images([entry("a", "/1")], source="s")
        raise ZeroDivisionError
    assert catalog.shown.counts() == {}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE shown_counts SET n_products = 5", "shown_counts has 5 products of 'dress'. Counted: 1"),
        ("DELETE FROM shown_counts", "shown_counts has 0 products of 'dress'. Counted: 1"),
        (
            "INSERT INTO shown_counts VALUES ('hat', 2)",
            "shown_counts has 2 products of 'hat'. Counted: 0",
        ),
    ],
)
def test_a_wrong_count_is_found_and_counted_anew(catalog_file: Path, damage: str, said: str) -> None:
    path = catalog_file
    with Catalog.open(path) as catalog, catalog.writing() as writer, writer.transaction():
        writer.upsert_products([Product("a", "a", "dress")], source="s")
        writer.upsert_images([entry("a", "/1")], source="s")
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.execute(damage)
        raw.commit()
    found = list(check_catalog(backend_of(path)))
    assert [problem.what for one in found for problem in one.problems] == [said]
    with Catalog.open(path) as catalog:
        with catalog.writing() as writer:
            repair_catalog(writer, found)
        assert catalog.shown.counts() == {"dress": 1}
    assert not any(one.n_problems for one in check_catalog(backend_of(path)))
