"""Whatever lies in a file, it is read, or its damage is told with the line."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from stylesearch.data_files import check_fields, parse_json, parse_toml, read_arrays, read_json, read_text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "line 1, column 1"),
        (b'{"a":\n 1,}', "line 2"),
        (b'{\n"a": "\xe4"}', "line 2: it is not UTF-8"),
        (b"\n[" * 5000 + b"]" * 5000, "line 40.: it is nested too deeply"),
        (b'{"a": ' * 5000, "nested too deeply"),
        (b"[1,\n " + b"9" * 4301 + b"]", "line 2: a number of too many digits"),
        (b'{"a":\n NaN}', "line 2: NaN is no number"),
        (b"[-Infinity]", "-Infinity is no number"),
        (b'{"a": 1, "b": 2, "a": 1}', "'a' comes twice"),
        ("[]".encode("utf-16"), "not UTF-8"),
    ],
)
def test_what_is_no_json_is_told_with_its_line(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_json(data)


def test_json_that_is_whole() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": [1, 0.5, null, "\xc3\xa4"]}') == {"a": [1, 0.5, None, "ä"]}
    assert parse_json("[NaN]", nan=True) != [0]
    assert parse_json('[{"a": 1}]', hook=lambda one: one["a"]) == [1]


def test_a_file_that_is_too_long_a_folder_or_gone(tmp_path: Path) -> None:
    (tmp_path / "long.json").write_bytes(b"[" + b" " * 100 + b"]")
    with pytest.raises(ValueError, match="more than 100 bytes"):
        read_json(tmp_path / "long.json", most=100)
    assert read_json(tmp_path / "long.json", most=102) == []
    with pytest.raises(IsADirectoryError):
        read_text(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "gone.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[" * 5000, "nested too deeply"),
        ("[" + "a." * 5000 + "a]", "nested too deeply"),
        ("a = 1\nb = " + "9" * 4301, "line 2: a number of too many digits"),
        ("a = 0x" + "f" * 5000, "more than 64 bits"),
        ("a = [{b = 0x1ffffffffffffffff}]", "more than 64 bits"),
        ("a = 1\na = 1", "Cannot overwrite"),
    ],
)
def test_what_is_no_toml_is_told(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_toml(text)


@dataclass
class _Fields:
    name: str
    n: int
    share: float
    weights: Mapping[str, float]
    ks: tuple[int, ...]
    note: str | None = None


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": 5},
        {"n": 1.0},
        {"n": True},
        {"n": 10**5000},
        {"share": "0.5"},
        {"share": float("nan")},
        {"weights": {"a": None}},
        {"weights": []},
        {"ks": [1, "2"]},
        {"note": 1},
    ],
)
def test_a_value_of_another_type_is_told_by_its_name(wrong: dict[str, object]) -> None:
    right = {"name": "a", "n": 1, "share": 1, "weights": {"a": 0.5}, "ks": [1, 2], "note": None, "more": 1}
    check_fields(_Fields, right)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        check_fields(_Fields, right | wrong)


@pytest.fixture
def stored() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.arange(6, dtype=np.float32).reshape(2, 3), b=np.array("text"), empty=np.empty((0, 4)))
    return file.getvalue()


def test_arrays_come_back(stored: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(stored)
    found = read_arrays(tmp_path / "a.npz")
    assert found["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["a"].dtype == np.float32
    assert str(found["b"]) == "text"
    assert found["empty"].shape == (0, 4)
    order = io.BytesIO()
    np.savez(order, a=np.asfortranarray(np.arange(6).reshape(2, 3)))
    assert read_arrays(order)["a"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_no_byte_of_arrays_can_go_bad_unseen(stored: bytes) -> None:
    right = {name: array.tolist() for name, array in read_arrays(io.BytesIO(stored)).items()}
    for place in range(0, len(stored), 3):
        harmed = bytearray(stored)
        harmed[place] ^= (0x01, 0x20, 0x80)[place % 9 // 3]
        try:
            found = read_arrays(io.BytesIO(harmed))
        except (ValueError, OSError):
            continue
        # Names have no checksum: they are for the caller to miss.
        same = (array.tolist() == right.get(name, array.tolist()) for name, array in found.items())
        assert all(same), place


def _archive(header: bytes, data: bytes = b"", **options: int) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:  # type: ignore[arg-type]
        text = header.ljust(118 - 1) + b"\n"
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data)
    return file


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': ('a',)}",
        b"((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((",
        b"{1: 2, 'a': 3}",
        b"'",
        b"\xff\xfe",
    ],
)
def test_a_header_that_says_too_much_is_not_believed(header: bytes) -> None:
    with pytest.raises(ValueError):
        read_arrays(_archive(header, b"\0" * 8))


def test_a_bomb_is_not_unpacked() -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000,)}"
    with pytest.raises(ValueError, match=r"more than it does|compressed"):
        read_arrays(_archive(header, b"\0" * 4_000_000, compression=zipfile.ZIP_DEFLATED))
