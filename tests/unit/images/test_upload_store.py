"""A store of uploads at a URL: files by their names, each of the bytes that its name says."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylesearch.errors import ConfigError
from stylesearch.files import sha256_bytes
from stylesearch.images.upload_store import UploadStore, open_upload_store, upload_folder

DATA = b"an image"
NAME = f"{sha256_bytes(DATA)}.jpg"


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_file_is_put_copied_and_removed(kind: str, tmp_path: Path) -> None:
    store = UploadStore(f"memory://{tmp_path}" if kind == "memory" else f"file://{tmp_path}/uploads")
    assert not store.copy(NAME, tmp_path / NAME)
    store.put(NAME, DATA)
    store.put(NAME, DATA)
    assert store.has(NAME)
    assert store.copy(NAME, tmp_path / "copies" / NAME)
    assert (tmp_path / "copies" / NAME).read_bytes() == DATA
    store.remove(NAME)
    store.remove(NAME)
    assert not store.has(NAME)


def test_what_has_other_bytes_than_its_name_says_is_not_copied(tmp_path: Path) -> None:
    store = UploadStore(f"file://{tmp_path}/uploads")
    store.put(NAME, b"damaged!")
    assert not store.copy(NAME, tmp_path / NAME)
    assert not (tmp_path / NAME).exists()


def test_errors_of_a_store_are_those_of_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = UploadStore("memory://uploads")

    def fail(*_: object) -> None:
        raise RuntimeError("no credentials")

    monkeypatch.setattr(store, "_store", type("Broken", (), {"exists": fail})())
    with pytest.raises(OSError, match="memory://uploads did not answer: no credentials"):
        store.has(NAME)


def test_the_setting_is_a_folder_or_a_url(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert upload_folder(home, "") == upload_folder(home, "s3://bucket") == home / "uploads"
    assert upload_folder(home, "/srv/uploads") == Path("/srv/uploads")
    assert open_upload_store("") is open_upload_store("/srv/uploads") is None
    with pytest.raises(ConfigError, match="cannot be used"):
        open_upload_store("nothing://bucket")
