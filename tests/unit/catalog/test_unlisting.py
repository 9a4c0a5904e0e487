"""Single products are taken from a source, and a sample of images is read."""

from __future__ import annotations

from stylesearch.catalog import Catalog, ImageEntry, Writer
from stylesearch.catalog.pruning import Pruner
from stylesearch.catalog.records import Pruned
from stylesearch.listing import Listing
from stylesearch.types import Domain


def entry(product_id: str, name: str, domain: Domain = Domain.SHOP) -> ImageEntry:
    return ImageEntry(product_id, f"/x/{name}", domain, sha256=name * 64, width=10, height=10)


def fill(writer: Writer) -> None:
    """The source ``a`` lists one and two, ``b`` two and three; each image by the sources of its letters."""
    with writer.transaction():
        for source, ids in (("a", ("one", "two")), ("b", ("two", "three"))):
            listings = [Listing(name, {"title": f"{name} of {source}"}) for name in ids]
            writer.upsert_products(listings, source=source)
        writer.upsert_images([entry("one", "1"), entry("two", "2"), entry("two", "3")], source="a")
        writer.upsert_images([entry("two", "3"), entry("three", "4")], source="b")


def test_what_another_source_lists_stays(catalog: Catalog, writer: Writer) -> None:
    fill(writer)
    with writer.transaction():
        assert Pruner(writer, "a").unlist(["one", "two", "three", "none"]) == Pruned(1, 2)
    assert [product.id for product in catalog.products()] == ["three", "two"]
    assert catalog.product("two").title == "two of b"
    assert [image.path for image in catalog.images_of("two")] == ["/x/3"]
    assert [one.source for one in catalog.sources.said_of("two")] == ["b"]
    with writer.transaction():
        assert Pruner(writer, "a").unlist([]) == Pruned(0, 0)
        assert Pruner(writer, "nobody").unlist(["two"]) == Pruned(0, 0)


def test_the_images_of_one_product_are_what_its_source_lists_now(catalog: Catalog, writer: Writer) -> None:
    fill(writer)
    with writer.transaction():
        rows = writer.upsert_images([entry("two", "2"), entry("two", "7")], source="a")
        pk = writer.upsert_products([Listing("two", {})], source="a")["two"][0]
        assert Pruner(writer, "a").keep_images(pk, [rows["two", "/x/7"][0]]) == 1
    assert [image.path for image in catalog.images_of("two")] == ["/x/3", "/x/7"], "3 is of b too"
    assert [image.path for image in catalog.images_of("one")] == ["/x/1"]
    with writer.transaction():
        assert Pruner(writer, "b").keep_images(pk, []) == 1, "3 was of b alone since"
        assert Pruner(writer, "nobody").keep_images(pk, []) == 0
    assert [image.path for image in catalog.images_of("two")] == ["/x/7"]


def test_of_few_images_all_are_read_and_of_many_some(catalog: Catalog, writer: Writer) -> None:
    fill(writer)
    with writer.transaction():
        writer.upsert_images([entry("one", "5", Domain.CONSUMER)], source="a")
        writer.upsert_images([ImageEntry("one", "/x/6", error="no picture")], source="a")
    images, total = catalog.shown.sample_images(10)
    assert ([image.path for image in images], total) == (["/x/1", "/x/2", "/x/3", "/x/4"], 4)
    for _ in range(30):  # whatever is drawn, an image is found behind it
        assert catalog.shown.sample_images(1)[0]
    some, total = catalog.shown.sample_images(2)
    assert total == 4
    assert 1 <= len({image.path for image in some}) == len(some) <= 2
    assert {image.path for image in some} <= {image.path for image in images}
