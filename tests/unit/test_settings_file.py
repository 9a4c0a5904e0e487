"""Settings are changed in the file, and the rest of it stays as it was written."""

import codecs
from pathlib import Path

import pytest

from stylesearch.errors import ConfigError
from stylesearch.settings import change_settings, load_settings, read_settings, read_table

WRITTEN = """\
# what our shop uses
extractor = "resnet50"   # the old one

space = 'raw'
"""


def test_only_what_is_named_changes(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(WRITTEN)
    change_settings(tmp_path, {"space": "siamese:default", "metric": "l1", "batch_size": 8})
    assert path.read_text() == (
        '# what our shop uses\nextractor = "resnet50"   # the old one\n\nspace = "siamese:default"\n'
        'metric = "l1"\nbatch_size = 8\n'
    )
    settings = load_settings({"home": tmp_path}, {})
    assert (settings.space, settings.metric, settings.batch_size) == ("siamese:default", "l1", 8)
    change_settings(tmp_path, {"space": None, "metric": None, "batch_size": None})
    assert path.read_text() == WRITTEN.replace("space = 'raw'\n", "")
    assert read_settings(tmp_path) == {"extractor": "resnet50"}


def test_a_file_that_is_not_there_is_made(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "new") == {}
    change_settings(tmp_path / "new", {"space": 'odd "name" \\ \n'})
    assert read_settings(tmp_path / "new") == {"space": 'odd "name" \\ \n'}


@pytest.mark.parametrize("text", ['space = """\nraw"""\n', '[more]\nspace = "raw"\n'])
def test_a_setting_changes_however_the_file_is_written(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    others = {name: value for name, value in read_settings(tmp_path).items() if name != "space"}
    change_settings(tmp_path, {"space": "whitened"})
    assert read_settings(tmp_path) == {"space": "whitened", **others}


def test_a_file_that_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("space = [")
    with pytest.raises(ConfigError, match=r"config\.toml"):
        change_settings(tmp_path, {"space": "whitened"})
    assert path.read_text() == "space = ["


def test_a_file_of_a_windows_editor_is_read_and_keeps_its_form(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(codecs.BOM_UTF8 + WRITTEN.replace("\n", "\r\n").encode())
    assert load_settings({"home": tmp_path}, {}).extractor == "resnet50"
    change_settings(tmp_path, {"space": "whitened", "metric": "l1"})
    changed = WRITTEN.replace("'raw'", '"whitened"') + 'metric = "l1"\n'
    assert path.read_bytes() == codecs.BOM_UTF8 + changed.replace("\n", "\r\n").encode()
    assert read_settings(tmp_path) == {"extractor": "resnet50", "space": "whitened", "metric": "l1"}


def test_a_table_of_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(codecs.BOM_UTF8 + b"[serve]\r\nport = 9000\r\n")
    assert read_table(tmp_path / "config.toml", "serve") == {"port": 9000}


def test_another_encoding_is_named_as_the_fault(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes('space = "raw"'.encode("utf-16"))
    with pytest.raises(ConfigError, match=r"config\.toml cannot be read: it is not UTF-8") as caught:
        read_settings(tmp_path)
    assert caught.value.hint == "save it as UTF-8"
