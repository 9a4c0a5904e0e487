"""A catalog that is exported and imported is the same, row by row; no other export is taken."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import tarfile
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stylesearch as ss
from stylesearch.catalog import Catalog, ImageEntry, transfer
from stylesearch.catalog.stored_types import parse_json
from stylesearch.catalog.tables import features, metadata
from stylesearch.errors import CatalogTooNew, ConfigError, DatasetError
from stylesearch.files import sha256_bytes
from stylesearch.types import Box, Domain, Product, Variant
from stylesearch.workspace.workspace import Workspace

DIM = 6
OWN = "SELECT name, value FROM about WHERE name != 'catalog_id' ORDER BY name"


def rows_of(path: Path) -> dict[str, list[Any]]:
    """All rows of a catalog by table, but for its id."""
    with closing(sqlite3.connect(path)) as connection:
        found = {
            name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in metadata.tables
        }
        found["about"] = connection.execute(OWN).fetchall()
    return found


def id_of(path: Path) -> str:
    with Catalog.open(path) as catalog:
        return catalog.id


def fill(path: Path, n: int = 4) -> None:
    """Products with everything that a catalog can hold, two feature sets, and gaps between ids."""
    products = [
        Product(
            f"p{number}",
            f"Rød kjole ✂ {number} \u2028",
            "dress",
            url="https://shop.example/1",
            price="19.90 EUR",
            attributes={"size": "M", "nested": {"list": [1, 2.5, None, True]}},
            in_stock=None if number % 2 else True,
            variants=(Variant("v1", {"color": "Navy"}, "1 EUR", False), Variant("v2")),
        )
        for number in range(n)
    ]
    with Catalog.open(path) as catalog, catalog.writing() as writer:
        with writer.transaction():
            sets = [
                writer.feature_set(
                    extractor=name,
                    parameters={"input_size": 224},
                    weights_digest="w",
                    fingerprint=name,
                    dim=dim,
                )
                for name, dim in (("one", DIM), ("two", 2 * DIM))
            ]
            writer.upsert_products([*products, Product("gone", "Gone", "skirt")], source="shop")
            writer.upsert_products([Product("p0", "Another title", "dress")], source="other")
            entries = [
                ImageEntry(
                    one.id, f"/shop/{one.id}.jpg", sha256=one.id, width=3, height=4, box=Box(-1, 0, 2, 2)
                )
                for one in products
            ]
            entries.append(
                ImageEntry("p0", "/street.jpg", sha256="s", width=3, height=4, domain=Domain.CONSUMER)
            )
            stored = [pk for pk, _ in writer.upsert_images(entries, source="shop").values()]
            vectors = np.random.default_rng(1).standard_normal((len(stored), DIM)).astype(np.float32)
            vectors[1] *= 1e6  # too large for float16
            writer.add_features(sets[0], stored, vectors)
            writer.add_features(sets[1], stored[:2], np.ones((2, 2 * DIM), np.float32))
            writer.mark_complete(sets[0])
        with writer.transaction():
            writer.remove_products(["gone"])


@pytest.fixture
def home(catalog_file: Path, tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(catalog_file, home / "catalog.db")
    fill(home / "catalog.db")
    return home


@pytest.fixture
def new(catalog_file: Path, tmp_path: Path) -> Workspace:
    """A workspace with an empty catalog."""
    (tmp_path / "new").mkdir()
    shutil.copy(catalog_file, tmp_path / "new" / "catalog.db")
    return ss.open(tmp_path / "new", lock_timeout=1)


@pytest.mark.parametrize("name", ["export", "export.tar"])
@pytest.mark.parametrize("part_bytes", [transfer.PART_BYTES, 30])
def test_what_is_imported_is_what_was_exported(
    home: Path, new: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, part_bytes: int
) -> None:
    monkeypatch.setattr(transfer, "PART_BYTES", part_bytes)
    told: list[tuple[str, int, int | None]] = []
    with ss.open(home) as shop:
        counts = shop.database.export(tmp_path / name, progress=lambda *one: told.append(one))
    assert counts["features"] == 7
    assert told[-1] == ("exporting", sum(counts.values()), sum(counts.values()))
    with new as shop:
        former = shop.catalog.id
        assert shop.database.import_from(tmp_path / name) == counts
        assert shop.catalog.id not in (former, id_of(home / "catalog.db"))
    assert rows_of(tmp_path / "new" / "catalog.db") == rows_of(home / "catalog.db")
    with new as shop, shop.catalog.writing() as writer, writer.transaction():  # new keys are free
        writer.upsert_products([Product("next", "Next", "dress")], source="next")


def test_nothing_is_pickled_and_every_file_has_its_digest(home: Path, tmp_path: Path) -> None:
    with ss.open(home) as shop:
        shop.database.export(tmp_path / "export")
    manifest = json.loads((tmp_path / "export" / "manifest.json").read_text())
    files = {path.name: path for path in (tmp_path / "export").iterdir()}
    assert files.keys() == {*manifest["files"], "manifest.json"}
    for name, one in manifest["files"].items():
        assert one["sha256"] == sha256_bytes(files[name].read_bytes())
    arrays = [np.load(path, allow_pickle=False) for path in files.values() if path.suffix == ".npy"]
    assert sorted((one.dtype.str, one.shape) for one in arrays) == [
        ("<f2", (2, 2 * DIM)),
        ("<f2", (4, DIM)),
        ("<f4", (1, DIM)),
    ]


def test_an_export_is_of_one_moment(home: Path, new: Workspace, tmp_path: Path) -> None:
    before = rows_of(home / "catalog.db")

    def write_meanwhile(stage: str, n_done: int, n_total: int | None) -> None:
        if n_done == n_total:
            return
        with Catalog.open(home / "catalog.db") as catalog, catalog.writing() as writer, writer.transaction():
            writer.remove_products(["p1"])

    transfer_rows = transfer.ROWS_AT_ONCE
    try:
        transfer.ROWS_AT_ONCE = 1  # type: ignore[misc]
        with ss.open(home) as shop:
            shop.database.export(tmp_path / "export", progress=write_meanwhile)
    finally:
        transfer.ROWS_AT_ONCE = transfer_rows  # type: ignore[misc]
    assert rows_of(home / "catalog.db") != before
    with new as shop:
        shop.database.import_from(tmp_path / "export")
    assert rows_of(tmp_path / "new" / "catalog.db") == before


def test_a_catalog_with_products_is_replaced_only_if_told(home: Path, new: Workspace, tmp_path: Path) -> None:
    fill(tmp_path / "new" / "catalog.db", 2)
    before = rows_of(tmp_path / "new" / "catalog.db")
    with ss.open(home) as shop:
        shop.database.export(tmp_path / "export")
    with new as shop:
        with pytest.raises(ConfigError, match="is not empty: it has"):
            shop.database.import_from(tmp_path / "export")
        assert rows_of(tmp_path / "new" / "catalog.db") == before
        shop.database.import_from(tmp_path / "export", overwrite=True)
    assert rows_of(tmp_path / "new" / "catalog.db") == rows_of(home / "catalog.db")


def test_nothing_else_is_written_over(home: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "dear.jpg").write_bytes(b"x")
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    with ss.open(home) as shop:
        for name, reason in (("photos", "other files"), ("file", "is a file")):
            with pytest.raises(ConfigError, match=reason):
                shop.database.export(tmp_path / name, overwrite=True)
        shop.database.export(tmp_path / "empty")
        shop.database.export(tmp_path / "one.tar")
        for name in ("empty", "one.tar"):
            with pytest.raises(ConfigError, match="exists already"):
                shop.database.export(tmp_path / name)
            shop.database.export(tmp_path / name, overwrite=True)
    assert (tmp_path / "photos" / "dear.jpg").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def sign(folder: Path) -> None:
    """Makes the manifest say what the files are now."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    for name, one in manifest["files"].items():
        data = (folder / name).read_bytes()
        one.update(bytes=len(data), sha256=sha256_bytes(data))
    path.write_text(json.dumps(manifest))


def array_bytes(array: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def with_shape(data: bytes, shape: str) -> bytes:
    """A header that says another shape, of the same length."""
    start = data.index(b"(", 60)
    end = data.index(b")", start) + 1
    return data[:start] + shape.encode().ljust(end - start) + data[end:]


def edit_line(data: bytes, **changes: Any) -> bytes:
    first, rest = data.split(b"\n", 1)
    return json.dumps({**json.loads(first), **changes}).encode() + b"\n" + rest


HOSTILE: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "not JSON": ("products-00000.jsonl", lambda data: b"{" + data, r"products-00000\.jsonl:1: Expecting"),
    "a list": ("products-00000.jsonl", lambda data: b"[1]\n" + data, r"jsonl:1: an object is expected"),
    "deep": ("products-00000.jsonl", lambda data: data + b"[" * 200_000, r"jsonl:5: it is nested too deeply"),
    "NaN": (
        "products-00000.jsonl",
        lambda data: edit_line(data, amount=float("nan")),
        r"jsonl:1: .*NaN is no number",
    ),
    "too large": (
        "products-00000.jsonl",
        lambda data: edit_line(data, amount=1.5).replace(b"1.5,", b"1e999,", 1),
        r"jsonl:1: a finite number",
    ),
    "half a surrogate": (
        "products-00000.jsonl",
        lambda data: edit_line(data, title="\ud800"),
        r"jsonl:1: .*surrog",
    ),
    "not UTF-8": ("products-00000.jsonl", lambda data: data.replace(b"R", b"\xff", 1), r"jsonl:1: .*utf-8"),
    "a column more": (
        "products-00000.jsonl",
        lambda data: edit_line(data, more=1),
        r"jsonl:1: .*'more' is unknown",
    ),
    "no title": ("products-00000.jsonl", lambda data: edit_line(data, title=None), r"jsonl:1: title is null"),
    "a title of numbers": (
        "products-00000.jsonl",
        lambda data: edit_line(data, title=3),
        r"title is no text",
    ),
    "a key too large": (
        "products-00000.jsonl",
        lambda data: edit_line(data, pk=1 << 70),
        r"pk is no whole number",
    ),
    "a bad variant": (
        "products-00000.jsonl",
        lambda data: edit_line(data, variants=[{"sku": 1}]),
        r"jsonl:1: variants cannot be",
    ),
    "attributes in a list": (
        "products-00000.jsonl",
        lambda data: edit_line(data, attributes=[1]),
        r"jsonl:1: attributes cannot be \[1\]: an object of JSON",
    ),
    "the same key twice": (
        "products-00000.jsonl",
        lambda data: data + edit_line(data, id="again").split(b"\n")[0] + b"\n",
        r"products-00000\.jsonl:5: it does not fit the rows before: UNIQUE",
    ),
    "a row less": (
        "products-00000.jsonl",
        lambda data: data.split(b"\n", 1)[1],
        r"image_.*:1: it does not fit|listings.*:1: it does not fit|images-00000.jsonl:1: it does not fit",
    ),
    "an image of nothing": (
        "images-00000.jsonl",
        lambda data: edit_line(data, product_pk=99),
        r"images.*:1: .*FOREIGN",
    ),
    "an unknown domain": (
        "images-00000.jsonl",
        lambda data: edit_line(data, domain="x"),
        r"images.*:1: domain cannot",
    ),
    "a box of nothing": (
        "images-00000.jsonl",
        lambda data: edit_line(data, box="1,1,1,1"),
        r"images.*:1: box cannot",
    ),
    "huge vectors": (
        "feature_sets-00000.jsonl",
        lambda data: edit_line(data, dim=1 << 40),
        r"of 6 numbers, where its feature set has 1099",
    ),
    "another set": (
        "features-00000.jsonl",
        lambda data: edit_line(data, feature_set_pk=2),
        r"features-00000\.jsonl:1: a vector of 6 numbers, where its feature set has 12",
    ),
    "another category": (
        "features-00000.jsonl",
        lambda data: edit_line(data, category="skirt"),
        r"the feature \d+ has another domain or category",
    ),
    "a vector with another bit": (
        "features-00000.npy",
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        r"features-00000\.jsonl:4: .*its checksum differs",
    ),
    "NaN in a vector": (
        "features-00000.npy",
        lambda data: array_bytes(np.full((4, DIM), np.nan, np.float16)),
        r"features-00000\.npy has a number that is not finite, in row 0",
    ),
    "objects": (
        "features-00000.npy",
        lambda data: array_bytes(np.array([[print] * DIM] * 4, object), allow_pickle=True),
        r"features-00000\.npy is no array of vectors",
    ),
    "whole numbers": (
        "features-00000.npy",
        lambda data: array_bytes(np.ones((4, DIM), np.int16)),
        r"rows of float16 or float32 are expected",
    ),
    "a row of vectors less": (
        "features-00000.npy",
        lambda data: array_bytes(np.ones((3, DIM), np.float16)),
        r"features-00000\.npy has 3 rows, features-00000\.jsonl has 4",
    ),
    "another width": (
        "features-00000.npy",
        lambda data: array_bytes(np.ones((4, DIM - 1), np.float16)),
        r"features-00000\.jsonl:1: a vector of 5 numbers, where its feature set has 6",
    ),
    "a shape that would fill the memory": (
        "features-00000.npy",
        lambda data: with_shape(data, "(9,9**9)"),
        r"features-00000\.npy is no array of vectors",
    ),
    "a shape with more rows": (
        "features-00000.npy",
        lambda data: with_shape(data, "(9, 6)"),
        r"its shape is \(9, 6\), and it has 48 bytes",
    ),
    "no array": (
        "features-00000.npy",
        lambda data: b"x" * 1000,
        r"features-00000\.npy is no array of vectors",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_an_export_that_was_altered_changes_nothing(
    home: Path, new: Workspace, tmp_path: Path, case: str
) -> None:
    name, alter, reason = HOSTILE[case]
    folder = tmp_path / "export"
    with ss.open(home) as shop:
        shop.database.export(folder)
    (folder / name).write_bytes(alter((folder / name).read_bytes()))
    sign(folder)
    before = rows_of(tmp_path / "new" / "catalog.db")
    with new as shop, pytest.raises(DatasetError, match=reason):
        shop.database.import_from(folder)
    assert rows_of(tmp_path / "new" / "catalog.db") == before


def test_a_file_that_is_damaged_or_missing_is_named(home: Path, new: Workspace, tmp_path: Path) -> None:
    with ss.open(home) as shop:
        shop.database.export(tmp_path / "export")
        shop.database.export(tmp_path / "export.tar")
    whole = (tmp_path / "export.tar").read_bytes()
    (tmp_path / "short.tar").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "no.tar").write_bytes(b"no tar" * 1000)
    path = tmp_path / "export" / "features-00000.npy"
    data = path.read_bytes()
    with new as shop:
        path.write_bytes(data[:-1] + b"\x01")
        with pytest.raises(DatasetError, match=r"features-00000\.npy is damaged"):
            shop.database.import_from(tmp_path / "export")
        path.unlink()
        with pytest.raises(DatasetError, match=r"features-00000\.npy is missing"):
            shop.database.import_from(tmp_path / "export")
        for name, reason in (
            ("short.tar", "cut short"),
            ("no.tar", "cannot be read"),
            ("none", "there is no"),
            ("home", r"no manifest\.json"),
        ):
            with pytest.raises(DatasetError, match=reason):
                shop.database.import_from(tmp_path / name)


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"format": "other"}, DatasetError, "no export of stylesearch"),
        ({"version": 99}, DatasetError, "newer stylesearch"),
        ({"version": float("inf")}, DatasetError, "cannot be read"),
        ({"schema": "9999"}, CatalogTooNew, "schema 9999"),
        ({"schema": "0001"}, DatasetError, "the schema 0001"),
        ({"files": {"../outside": {}}}, DatasetError, "a part called"),
        ({"format": "other", "files": {"catalog.db": {}}}, DatasetError, "export is no export of style"),
        ({"files": [1]}, DatasetError, "cannot be read"),
        ({"files": {}}, DatasetError, "its manifest says"),
        ({"tables": {"users": {"rows": 1}}}, DatasetError, "other tables"),
        ({"tables": None}, DatasetError, "cannot be read"),
    ],
)
def test_a_manifest_is_checked(
    home: Path, new: Workspace, tmp_path: Path, changes: Any, error: type[Exception], reason: str
) -> None:
    with ss.open(home) as shop:
        shop.database.export(tmp_path / "export")
    path = tmp_path / "export" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with new as shop, pytest.raises(error, match=reason):
        shop.database.import_from(tmp_path / "export")


def test_members_of_a_tar_file_that_are_no_parts_are_not_read(
    home: Path, new: Workspace, tmp_path: Path
) -> None:
    with ss.open(home) as shop:
        shop.database.export(tmp_path / "export.tar")
    with tarfile.open(tmp_path / "export.tar") as tar, tarfile.open(tmp_path / "bad.tar", "w") as bad:
        for member in tar:
            file = tar.extractfile(member)
            if member.name == "products-00000.jsonl":
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
                member.size, file = 0, None
            bad.addfile(member, file)
    with new as shop, pytest.raises(DatasetError, match=r"products-00000\.jsonl is missing"):
        shop.database.import_from(tmp_path / "bad.tar")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_catalog(
    home: Path, new: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """24 MB of vectors go through in parts of a quarter of a megabyte."""
    monkeypatch.setattr(transfer, "PART_BYTES", 250_000)
    n, dim = 3000, 4096
    with Catalog.open(home / "catalog.db") as catalog, catalog.writing() as writer:
        with writer.transaction():
            one = writer.feature_set(
                extractor="wide", parameters={}, weights_digest="w", fingerprint="wide", dim=dim
            )
        for start in range(0, n, 500):
            names = [f"w{number}" for number in range(start, start + 500)]
            with writer.transaction():
                writer.upsert_products([Product(name, name, "dress") for name in names], source="wide")
                entries = [ImageEntry(name, f"/{name}", sha256=name, width=3, height=4) for name in names]
                stored = [pk for pk, _ in writer.upsert_images(entries, source="wide").values()]
                writer.add_features(one, stored, np.ones((500, dim), np.float32))
    tracemalloc.start()
    try:
        with ss.open(home) as shop:
            shop.database.export(tmp_path / "export")
        with new as shop:
            shop.database.import_from(tmp_path / "export")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12_000_000
    assert len(rows_of(tmp_path / "new" / "catalog.db")[features.name]) == n + 7


def test_json_is_read_from_bytes_too() -> None:
    """As psycopg gives it, where SQLite gives a text."""
    assert parse_json('{"color": "grün"}'.encode()) == parse_json('{"color": "grün"}') == {"color": "grün"}
