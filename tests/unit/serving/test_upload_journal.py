"""What a change that was not finished has left goes, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import stylesearch as ss
from stylesearch.catalog import Catalog, ImageEntry
from stylesearch.catalog.pruning import Pruner
from stylesearch.errors import CatalogError
from stylesearch.extractors import load_extractor
from stylesearch.files import sha256_bytes
from stylesearch.serving.products.changes import UploadedImage, put_product
from stylesearch.serving.uploads import UploadFolder, resume, upload_journal
from stylesearch.types import Domain, Product
from stylesearch.workspace.workspace import Workspace

JPEG = b"\xff\xd8\xff "
LISTED, LEFT, NEVER_NOTED = (JPEG + name for name in (b"listed", b"left", b"never noted"))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace that lists one uploaded picture."""
    Catalog.open(tmp_path / "catalog.db", create=True).close()
    with ss.open(tmp_path, extractor="color-histogram") as shop:
        yield shop


@pytest.fixture
def uploads(shop: Workspace) -> UploadFolder:
    uploads = UploadFolder(shop.settings.home)
    uploads.store(LISTED)
    with shop.catalog.writing() as writer, writer.transaction():
        writer.upsert_products([Product("a", "A", "coat")], source="shop")
        path, digest = entry(uploads, LISTED)
        image = ImageEntry("a", path, Domain.SHOP, sha256=digest, width=9, height=9)
        writer.upsert_images([image], source="api")
    return uploads


def entry(uploads: UploadFolder, data: bytes) -> tuple[str, str]:
    return str(uploads.path_of(data)), sha256_bytes(data)


def be_killed(catalog: Catalog, uploads: UploadFolder, *noted: bytes, stored: bytes = b"") -> Path:
    """A change that is begun and not ended; its journal."""
    with upload_journal(catalog, uploads, lambda: [entry(uploads, data) for data in noted]):
        (journal,) = uploads.folder.glob("*.json")
        said = journal.read_bytes()
    journal.write_bytes(said)
    if stored:
        uploads.store(stored)
    return journal


def files(uploads: UploadFolder) -> set[Path]:
    return {path for path in uploads.folder.rglob("*") if path.is_file()}


def test_what_was_left_goes_and_what_is_listed_or_was_not_noted_stays(
    shop: Workspace, uploads: UploadFolder
) -> None:
    uploads.store(NEVER_NOTED)
    be_killed(shop.catalog, uploads, LISTED, LEFT, stored=LEFT)
    place = uploads.path_of(LEFT)
    place.with_name(f".{place.name}.0123456789ab").write_bytes(b"half of it")
    resume(shop, uploads)
    assert files(uploads) == {uploads.path_of(LISTED), uploads.path_of(NEVER_NOTED)}


def test_while_another_process_writes_it_is_left_and_goes_before_the_next_change(
    shop: Workspace, uploads: UploadFolder
) -> None:
    journal = be_killed(shop.catalog, uploads, LEFT, stored=LEFT)
    with ss.open(shop.settings.home) as elsewhere, elsewhere.catalog.writing():
        resume(shop, uploads)
        assert files(uploads) == {uploads.path_of(LISTED), uploads.path_of(LEFT), journal}
    with shop.catalog.writing(), upload_journal(shop.catalog, uploads, lambda: [entry(uploads, NEVER_NOTED)]):
        assert files(uploads) == {uploads.path_of(LISTED), journal}
        assert sha256_bytes(NEVER_NOTED) in journal.read_text()
    assert files(uploads) == {uploads.path_of(LISTED)}


def test_a_change_that_fails_leaves_nothing_and_a_change_that_is_done_its_files(
    shop: Workspace, uploads: UploadFolder
) -> None:
    def store() -> None:
        with upload_journal(shop.catalog, uploads, lambda: [entry(uploads, LEFT)]):
            uploads.store(LEFT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store()
    assert files(uploads) == {uploads.path_of(LISTED)}
    with upload_journal(shop.catalog, uploads, lambda: [entry(uploads, LEFT)]):
        uploads.store(LEFT)
    assert files(uploads) == {uploads.path_of(LISTED), uploads.path_of(LEFT)}


def test_a_change_that_was_killed_and_is_sent_again_leaves_nothing_when_it_fails(
    shop: Workspace, uploads: UploadFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that is there when it begins is what the first one left: it goes, and is written anew."""
    be_killed(shop.catalog, uploads, LEFT, stored=LEFT)
    extractor = load_extractor("color-histogram")
    vectors = {extractor.fingerprint: np.ones((1, extractor.dim), np.float32)}
    image = UploadedImage(LEFT, sha256_bytes(LEFT), 9, 9, vectors=vectors)
    stored = []

    def fail(*_: object, **__: object) -> None:
        stored.append(uploads.path_of(LEFT).exists())
        raise ZeroDivisionError

    monkeypatch.setattr(Pruner, "keep_images", fail)
    with pytest.raises(ZeroDivisionError):
        put_product(shop.catalog, uploads, Product("b", "B", "coat"), [image], [extractor], lock_timeout=1)
    assert stored == [True]
    assert files(uploads) == {uploads.path_of(LISTED)}


def test_what_a_change_of_another_catalog_is_at_is_not_touched(
    shop: Workspace, uploads: UploadFolder, tmp_path: Path
) -> None:
    """As of one that stands in for the right one while that is being restored: it lists nothing."""
    with Catalog.open(tmp_path / "other.db", create=True) as other:
        journal = be_killed(other, uploads, LEFT, stored=LEFT)
        before = files(uploads)
        resume(shop, uploads)
        assert files(uploads) == before
        assert journal in before
    with ss.open(tmp_path, db=str(tmp_path / "other.db"), extractor="color-histogram") as opened:
        resume(opened, uploads)
    assert files(uploads) == {uploads.path_of(LISTED)}


def test_a_note_that_was_cut_short_is_of_a_change_that_had_not_begun(
    shop: Workspace, uploads: UploadFolder
) -> None:
    journal = be_killed(shop.catalog, uploads, LISTED, LEFT)
    journal.write_bytes(journal.read_bytes()[:-3])
    resume(shop, uploads)
    assert files(uploads) == {uploads.path_of(LISTED)}


def test_a_catalog_that_cannot_be_opened_is_a_warning(
    shop: Workspace, uploads: UploadFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = be_killed(shop.catalog, uploads, LEFT, stored=LEFT)
    shop.close()
    (tmp_path / "catalog.db").write_bytes(b"no catalog" * 1000)
    resume(shop, uploads)
    assert journal in files(uploads)
    assert "stays for now" in caplog.text


def test_with_nothing_left_the_catalog_is_not_opened(tmp_path: Path) -> None:
    with ss.open(tmp_path / "home") as shop:
        resume(shop, UploadFolder(tmp_path / "home"))
        assert not (tmp_path / "home").exists()
        with pytest.raises(CatalogError):
            _ = shop.catalog
