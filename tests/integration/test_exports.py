"""Exports of shop systems with their pictures behind URLs, from the file to the search."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import stylesearch as ss
from stylesearch.ingest import IngestReport
from tests.integration.tiny_shop import draw, jpeg
from tests.unit.images.remote.picture_server import Answer, PictureServer, Request
from tests.unit.importers.tables.same_shop import SAME_SHOP, write_same_shop

EXTRACTOR = "color-histogram"
HERE = {"allow_private": True, "backoff_seconds": 0.01}


def picture_of(request: Request) -> Answer:
    """A picture of its own for each path."""
    seed = sum(request.path.encode()) * 7919 % 2**31
    color = (seed % 251, seed // 251 % 241, seed // 65536 % 239)
    return Answer(body=jpeg(draw(color, seed=seed, size=(60, 80))), headers=[("Content-Type", "image/jpeg")])


@pytest.fixture(scope="module")
def server() -> Iterator[PictureServer]:
    class AnyPicture(PictureServer):
        def _answer(self, request: Request) -> Answer:
            return self._with_validators(picture_of(request), request)

    with AnyPicture() as started:
        yield started


def ingest(home: Path, path: Path, **options: object) -> IngestReport:
    with ss.open(home, extractor=EXTRACTOR, space="raw") as shop:
        return shop.ingest(path, fetching=HERE, **options)  # type: ignore[arg-type]


def test_the_same_shop_as_five_systems_export_it_is_the_same_catalog(
    tmp_path: Path, server: PictureServer
) -> None:
    exports = write_same_shop(tmp_path, server.url("/media/catalog/product/"))
    catalogs = {}
    for name, path in exports.items():
        options = {"media_root": server.url("/media/catalog/product/")} if name == "magento" else {}
        currency = {} if name.startswith("google") else {"currency": "EUR"}
        report = ingest(tmp_path / name, path, **options, **currency)
        assert (report.failed, report.products["added"]) == ([], len(SAME_SHOP)), name
        with ss.open(tmp_path / name) as shop:
            catalogs[name] = {
                product.id: (
                    product.title,
                    product.category,
                    product.amount,
                    product.amount_max,
                    product.currency,
                    sorted((image.url, image.sha256) for image in shop.images(product.id)),
                )
                for product in shop.products(limit=1000)
            }
    first, *others = catalogs.values()
    assert len(first) == len(SAME_SHOP)
    for name, other in zip(list(catalogs)[1:], others, strict=True):
        assert other == first, name


@pytest.mark.data
@pytest.mark.parametrize(
    ("path", "format", "n_products"),
    [
        ("shopify/jewelery.csv", "shopify", 20),
        ("shopify/home-and-garden.csv", "shopify", 20),
        ("woocommerce/sample_products.csv", "woocommerce", 14),
        ("google/feed.tsv", "google", 5),
        ("google/feed.xml", "google", 5),
    ],
)
def test_a_real_export_goes_in_without_a_failure(
    real_photos: Path, tmp_path: Path, server: PictureServer, path: str, format: str, n_products: int
) -> None:
    text = (real_photos / "exports" / path).read_text(encoding="utf-8")
    here = re.sub(r"https?://[\w.-]+(?=/[^\s\",<]*\.(?:jpe?g|png|webp))", server.url(""), text)
    export = tmp_path / Path(path).name
    export.write_text(here, encoding="utf-8")
    report = ingest(tmp_path / "home", export, source="export")
    assert report.failed == []
    assert report.products["added"] == n_products
    with ss.open(tmp_path / "home", extractor=EXTRACTOR, space="raw") as shop:
        (source,) = shop.sources.list()
        assert (source.source.format, source.products, source.images) == (format, n_products, report.added)
        product = next(shop.products())
        image = shop.images(product.id)[0]
        assert image.url is not None
        assert image.url.startswith(server.url(""))
        assert shop.query(image.path, k=1, regions="whole")[0].product.id == product.id
    n_asked = len(server.requests)
    again = ingest(tmp_path / "home", export, source="export")
    assert (again.products["unchanged"], again.added, again.changed) == (n_products, 0, 0)
    assert len(server.requests) == n_asked, "pictures of today are not asked for again"


def test_a_picture_that_changed_is_fetched_again_and_one_that_is_gone_is_a_failure(
    tmp_path: Path,
) -> None:
    with PictureServer() as server:
        red = server.add("/red.jpg", jpeg(draw((200, 20, 20))))
        blue = server.add("/blue.jpg", jpeg(draw((20, 20, 200))))
        table = tmp_path / "shop.csv"
        table.write_text(f"id,category,image\nred,dress,{red}\nblue,dress,{blue}\n")
        assert ingest(tmp_path / "home", table).added == 2
        server.add("/red.jpg", jpeg(draw((220, 20, 20), seed=1)))
        server.behave("/blue.jpg", Answer(410))
        with ss.open(tmp_path / "home", extractor=EXTRACTOR, space="raw") as shop:
            report = shop.ingest(table, fetching={**HERE, "max_age": 0.0})
        assert (report.changed, [one.item for one in report.failed]) == (1, [blue])
        with ss.open(tmp_path / "home", extractor=EXTRACTOR, space="raw") as shop:
            report = shop.ingest(table, fetching={"offline": True})
        assert (report.unchanged, report.changed) == (1, 0)
    with ss.open(tmp_path / "home", extractor=EXTRACTOR, space="raw") as shop:
        report = shop.ingest(table, fetching={**HERE, "max_age": 0.0, "n_retries": 0})
    assert (report.unchanged, report.unchecked, len(report.failed)) == (1, 1, 1)
    assert "refused" in report.unchecked_reason
