"""Files that map categories: what is wrong in one is told with its name and line."""

from pathlib import Path

import pytest

from stylesearch.errors import DatasetError
from stylesearch.workspace.category_file import read_category_file


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b'{"a": ' * 5000, "nested too deeply"),
        ("a.json", b'{"a":\n"\xe4"}', "line 2: it is not UTF-8"),
        ("a.json", b'{"a": "b",\n "a": "c"}', "'a' comes twice"),
        ("a.json", b'{"a": NaN}', "NaN is no number"),
        ("a.json", b"", "line 1"),
        ("a.toml", b"a = " + b"[" * 5000, "nested too deeply"),
        ("a.toml", b"a = " + b"9" * 5000, "too many digits"),
        ("a.toml", b"a = 1", "a table of texts"),
        ("a.csv", b"shop_category;category\n\xff;b\n", "line 2: it is not UTF-8"),
    ],
)
def test_a_damaged_file_is_told(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=rf"{name}.*{said}"):
        read_category_file(tmp_path / name)


def test_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Is a directory"):
        read_category_file(tmp_path)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"Kleider": "Dresses"}')
    assert read_category_file(tmp_path / "a.json") == {"Kleider": "Dresses"}
