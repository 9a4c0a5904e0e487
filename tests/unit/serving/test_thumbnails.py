import asyncio
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import stylesearch as ss
from stylesearch.errors import NotAnImage
from stylesearch.files import sha256_bytes
from stylesearch.serving.metrics import ServiceMetrics
from stylesearch.serving.problems import Problem
from stylesearch.serving.products import images
from stylesearch.serving.products.images import Thumbnails, make_thumbnail
from stylesearch.serving.products.lost_images import LostImages
from stylesearch.serving.search.workspace_reader import WorkspaceAccess
from stylesearch.workspace.workspace import Workspace

ORIENTATION = 0x0112


def photo(width: int, height: int, *, turned: int = 1, format: str = "JPEG") -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (height // 20, width // 20, 3), np.uint8)
    image = Image.fromarray(pixels).resize((width, height))
    exif = Image.Exif()
    exif[ORIENTATION] = turned
    file = io.BytesIO()
    image.save(file, format, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (photo(1600, 800), (400, 200)),
        (photo(800, 1600), (200, 400)),
        (photo(1600, 800, turned=6), (200, 400)),
        (photo(1000, 1000, format="PNG"), (400, 400)),
        (photo(200, 100), (200, 100)),
        (photo(4000, 400), (400, 40)),
    ],
)
def test_upright_and_no_larger_than_it_may_be(data: bytes, size: tuple[int, int]) -> None:
    image = Image.open(io.BytesIO(make_thumbnail(data, 10**8)))
    assert (image.format, image.size, image.mode) == ("JPEG", size, "RGB")
    assert not image.getexif(), "where it was taken is nobody's business"


def test_what_is_no_image_has_none() -> None:
    with pytest.raises(NotAnImage):
        make_thumbnail(b"no picture", 10**8)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workspace]:
    folder = tmp_path / "catalog" / "dress" / "one"
    folder.mkdir(parents=True)
    (folder / "1.jpg").write_bytes(photo(900, 1200))
    with ss.open(tmp_path / "home", extractor="color-histogram") as shop:
        shop.ingest(tmp_path / "catalog")
        yield shop


DIGEST = sha256_bytes(photo(900, 1200))


def thumbnails_of(shop: Workspace) -> Thumbnails:
    access = WorkspaceAccess(shop)
    return Thumbnails(access, LostImages(access, ServiceMetrics()))


def made(shop: Workspace, digest: str = DIGEST) -> bytes:
    return asyncio.run(thumbnails_of(shop).get(digest))


def test_it_is_made_once(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    first = made(shop)
    kept = thumbnails_of(shop).path(DIGEST)
    assert kept.read_bytes() == first

    def fail(data: bytes, max_pixels: int) -> bytes:
        raise AssertionError("it was made again")

    monkeypatch.setattr(images, "make_thumbnail", fail)
    assert made(shop) == first


def test_many_who_ask_at_once_get_the_same(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    n_made = []

    def counted(data: bytes, max_pixels: int) -> bytes:
        n_made.append(1)
        return make_thumbnail(data, max_pixels)

    monkeypatch.setattr(images, "make_thumbnail", counted)

    async def ask() -> set[bytes]:
        service = thumbnails_of(shop)
        return set(await asyncio.gather(*(service.get(DIGEST) for _ in range(30))))

    assert len(asyncio.run(ask())) == 1
    assert len(n_made) <= images.THUMBNAILS_AT_ONCE


def test_where_nothing_can_be_kept_it_is_shown_all_the_same(
    shop: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    (shop.settings.home / "thumbnails").write_text("a file where the folder should be")
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(made, shop).result().startswith(b"\xff\xd8")
    assert "cannot be kept" in caplog.text


def test_those_of_images_that_have_gone_are_removed(shop: Workspace) -> None:
    made(shop)
    service = thumbnails_of(shop)
    kept, old = service.path(DIGEST), service.path(DIGEST).with_name(f"{DIGEST}-300.jpg")
    lost = service.path("0" * 64)
    lost.parent.mkdir()
    for path in (old, lost):
        path.write_bytes(b"old")
    asyncio.run(service.tidy())
    assert (kept.exists(), old.exists(), lost.exists()) == (True, False, False)
    shop.remove(["one"])
    asyncio.run(service.tidy())
    assert not kept.exists()


def test_nothing_to_tidy_is_no_error(tmp_path: Path) -> None:
    with ss.open(tmp_path / "home") as empty:
        (tmp_path / "home" / "thumbnails" / "00").mkdir(parents=True)
        asyncio.run(thumbnails_of(empty).tidy())


def test_what_the_catalog_does_not_list_is_not_shown_though_it_is_kept(shop: Workspace) -> None:
    made(shop)
    shop.remove(["one"])
    with pytest.raises(Problem) as raised:
        made(shop)
    assert raised.value.status == 404
