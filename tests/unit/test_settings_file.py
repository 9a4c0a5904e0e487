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
    with pytest.raises(ConfigError, match=r"config\.toml cannot be read: line 1: it is not UTF-8") as caught:
        read_settings(tmp_path)
    assert caught.value.hint == "save it as UTF-8"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a = " + b"[" * 5000, "line 1: it is nested too deeply"),
        (b'space = "raw"\nmetric = "l\xb1"', "line 2: it is not UTF-8"),
        (b"batch_size = " + b"9" * 5000, "line 1: a number of too many digits"),
        (b"batch_size = 0x" + b"f" * 5000, "more than 64 bits"),
        (b"max_pixels = inf", "max_pixels wants a whole number"),
        (b"lock_timeout = nan", "lock_timeout is at least 0"),
        (b"space = 'raw'\nspace = 'raw'", "Cannot overwrite"),
        (b"home = 5", "home wants a path"),
        (b'home = "a\\u0000"', "home wants a path"),
        (b'weights = "a\\u0000"', "weights wants a text"),
    ],
)
def test_a_damaged_file_is_told_with_its_name(text: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(text)
    with pytest.raises(ConfigError, match=rf"config\.toml.*{said}"):
        load_settings({"home": tmp_path}, {})


def test_a_file_that_one_parser_takes_and_the_other_does_not_is_left_alone(tmp_path: Path) -> None:
    """What keeps comments nests its own calls deeper than what only reads."""
    path = tmp_path / "config.toml"
    refused = 0
    for depth in range(50, 500, 25):
        text = "fetch = " + "{a = " * depth + "1" + "}" * depth
        path.write_text(text)
        try:
            change_settings(tmp_path, {"space": "raw"})
        except ConfigError as error:
            refused += 1
            assert "config.toml" in str(error)
            assert path.read_text() == text
    assert refused


def test_a_folder_in_the_place_of_the_file_and_one_that_may_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(ConfigError, match="Is a directory"):
        load_settings({"home": tmp_path}, {})

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("stylesearch.data_files._read_bytes", refuse)
    with pytest.raises(ConfigError, match=r"config\.toml cannot be read: Permission denied"):
        load_settings({"home": tmp_path}, {})
