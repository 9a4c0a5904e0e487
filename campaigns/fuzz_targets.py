"""What is fuzzed: each takes bytes from a stranger, and may only refuse them by the errors that are for that.

Each target has seeds, made by code: small honest inputs that a fuzzer starts from.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import pickle
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

__all__ = ["TABLE_SUFFIXES", "TARGETS", "Target"]

MAX_PIXELS: Final = 2_000_000
"""Of pictures: small ones, so that many are tried; what the largest cost is measured elsewhere."""


@dataclass(frozen=True)
class Target:
    """What is fuzzed.

    Attributes:
        name: of the target.
        run: takes one input; an exception is a finding.
        seeds: makes the inputs that are started from.
        max_bytes: of an input.
        modules: that are traced, by the beginnings of their names.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    max_bytes: int
    modules: tuple[str, ...] = ("stylesearch",)


def _decode(data: bytes) -> None:
    from stylesearch.errors import StyleSearchError
    from stylesearch.images.decode import decode, decode_reduced

    with contextlib.suppress(StyleSearchError):
        decode(data, max_pixels=MAX_PIXELS)
    with contextlib.suppress(StyleSearchError):
        decode_reduced(data, [64], max_pixels=MAX_PIXELS)


def _pictures() -> list[bytes]:
    import pillow_heif

    pillow_heif.register_heif_opener()
    pixels = np.random.default_rng(0).integers(0, 256, (24, 20, 3), np.uint8)
    picture = Image.fromarray(pixels)
    made = []
    for name, options in (
        ("JPEG", {}),
        (
            "JPEG",
            {"progressive": True, "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"},
        ),
        ("PNG", {}),
        ("GIF", {}),
        ("BMP", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("PPM", {}),
        ("JPEG2000", {}),
        ("HEIF", {}),
        ("AVIF", {}),
    ):
        file = io.BytesIO()
        picture.save(file, name, **options)
        made.append(file.getvalue())
    return made


def _bodies(data: bytes) -> None:
    from stylesearch.serving.api import product_bodies, search_bodies
    from stylesearch.serving.api.json_body import check_values, parse_json
    from stylesearch.serving.api.lines import LineSplitter
    from stylesearch.serving.api.multipart import boundary_of, parse_multipart
    from stylesearch.serving.api.requests import read_values
    from stylesearch.serving.problems import Problem

    kind, body = data[:1], data[1:]
    if kind < b"@":
        with contextlib.suppress(Problem):
            header, _, content = body.partition(b"\n")
            boundary = boundary_of(header.decode("latin-1"))
            parse_multipart(content, boundary, 20)
        return
    if kind < b"`":
        splitter = LineSplitter(300)
        lines = [*splitter.feed(body[:100]), *splitter.feed(body[100:]), *splitter.end()]
        assert all(line is None or len(line) <= 300 for _, line in lines)
        for _, line in lines:
            if line is not None:
                with contextlib.suppress(Problem):
                    read_values(product_bodies.BulkBody, line)
        return
    with contextlib.suppress(Problem):
        check_values(parse_json(body), "the body")
    for model in (
        search_bodies.SearchBody,
        search_bodies.BatchBody,
        search_bodies.DetectBody,
        product_bodies.ProductBody,
        product_bodies.PatchBody,
    ):
        with contextlib.suppress(Problem):
            read_values(model, body)


def _bodies_seeds() -> list[bytes]:
    form = (
        b'0multipart/form-data; boundary="edge"\n'
        b'--edge\r\nContent-Disposition: form-data; name="k"\r\n\r\n5\r\n'
        b'--edge\r\nContent-Disposition: form-data; name="image"; filename="x.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n\r\nJPEG\r\n--edge--\r\n"
    )
    search = {"image": "aGVsbG8=", "k": 5, "category": "dress", "box": [0, 0, 9, 9], "region": "legs"}
    product = {
        "title": "A dress",
        "category": "dress",
        "price": "19.90 EUR",
        "url": "https://shop.example/x",
        "in_stock": True,
        "attributes": {"fabric": ["silk", 1, None]},
        "variants": [{"options": {"color": "red"}, "price": "1", "in_stock": False}],
        "images": ["aGVsbG8="],
    }
    line = json.dumps({"id": "p1", "price": "1.90"}) + "\n" + json.dumps({"id": "p2", "delete": True})
    return [form, f"a{json.dumps(search)}".encode(), f"a{json.dumps(product)}".encode(), f"A{line}".encode()]


TABLE_SUFFIXES: Final = (".csv", ".tsv", ".xml", ".xlsx", ".txt")


@dataclass
class _Scratch:
    """A folder that lasts as long as the process, in memory where there is some."""

    folder: Path = field(
        default_factory=lambda: Path(
            tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
        )
    )


_scratch: list[_Scratch] = []


def _folder() -> Path:
    if not _scratch:
        _scratch.append(_Scratch())
    return _scratch[0].folder


def _table(data: bytes) -> None:
    from stylesearch.errors import StyleSearchError
    from stylesearch.importers.base import ImportOptions
    from stylesearch.importers.choice import choose_importer

    if not data:
        return
    path = _folder() / f"table{TABLE_SUFFIXES[data[0] % len(TABLE_SUFFIXES)]}"
    path.write_bytes(data[1:])
    try:
        with contextlib.suppress(StyleSearchError):
            importer = choose_importer(path)
            for _ in importer.records(path, ImportOptions()):
                pass
    finally:
        path.unlink()


def _table_seeds() -> list[bytes]:
    from openpyxl import Workbook

    rows = [
        ["id", "title", "category", "price", "image", "color", "in stock"],
        ["1", 'A "red" dress', "Women > Dresses", "1.299,00 €", "a.jpg;b.jpg", "red", "yes"],
        ["2", "Skirt\nof two lines", "Skirts", "19.90", "https://shop.example/1.jpg", "blue", "0"],
    ]
    made = []
    for number, delimiter in ((0, ","), (0, ";"), (1, "\t"), (4, "|")):
        file = io.StringIO()
        csv.writer(file, delimiter=delimiter).writerows(rows)
        made.append(bytes([number]) + file.getvalue().encode())
    made.append(b"\0" + made[0][1:].decode().encode("utf-16"))
    shopify = (
        "Handle,Title,Body (HTML),Type,Tags,Published,Option1 Name,Option1 Value,Variant SKU,"
        "Variant Inventory Qty,Variant Price,Image Src,Status\n"
        "red-dress,Red dress,,Dress,a,true,Size,S,R1,2,19.90,https://shop.example/r.jpg,active\n"
        "red-dress,,,,,,,M,R2,0,21.90,,\n"
    )
    made.append(b"\0" + shopify.encode())
    feed = (
        '<?xml version="1.0"?><rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel><item>'
        "<g:id>1</g:id><title>Dress</title><g:price>19.90 EUR</g:price><g:image_link>https://shop.example/1.jpg"
        "</g:image_link><g:availability>in_stock</g:availability></item></channel></rss>"
    )
    made.append(b"\2" + feed.encode())
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    workbook = io.BytesIO()
    book.save(workbook)
    made.append(b"\3" + workbook.getvalue())
    return made


class _Weight:
    """The shape of a weight."""

    def __init__(self, *shape: int) -> None:
        self.shape = shape


class Conv2D:
    """A layer as far as weights are assigned to it: Keras numbers layers by the name of their class."""

    def __init__(self) -> None:
        self.name = "conv"
        self.weights = [_Weight(3, 3), _Weight(3)]

    def set_weights(self, arrays: list[Any]) -> None:
        """Takes arrays, whose shapes have to be right."""
        assert [array.shape for array in arrays] == [weight.shape for weight in self.weights]


class _Graph:
    """A network of one layer, without Keras."""

    def __init__(self) -> None:
        self.name = "graph"
        self.layers = [Conv2D()]
        self.weights = self.layers[0].weights


_WEIGHTS: Final = (".pth", ".h5", ".weights.h5", ".keras")


def _weights(data: bytes) -> None:
    from stylesearch.errors import StyleSearchError
    from stylesearch.extractors.torch_legacy import read_legacy_state_dict
    from stylesearch.extractors.weight_files import assign_weights
    from stylesearch.extractors.weights import WeightsSource
    from stylesearch.files import sha256_file

    if not data:
        return
    path = _folder() / f"file{_WEIGHTS[data[0] % len(_WEIGHTS)]}"
    path.write_bytes(data[1:])
    try:
        with contextlib.suppress(StyleSearchError):
            if path.suffix == ".pth":
                read_legacy_state_dict(path)
            else:
                assign_weights(_Graph(), WeightsSource(path=path, digest=sha256_file(path)))
    finally:
        path.unlink()


def _legacy_torch() -> bytes:
    """A file of PyTorch's legacy format with one tensor, of 3 x 3 zeros."""

    def text(value: bytes) -> bytes:
        return b"X" + len(value).to_bytes(4, "little") + value

    storage = b"(" + text(b"storage") + b"ctorch\nFloatStorage\n" + text(b"0") + text(b"cpu") + b"K\x09NtQ"
    view = storage + b"K\x00K\x03K\x03\x86K\x03K\x01\x86\x89ccollections\nOrderedDict\n)Rt"
    tensor = b"\x80\x02}" + text(b"w") + b"ctorch._utils\n_rebuild_tensor_v2\n(" + view + b"Rs."
    head = (pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    return b"".join(head) + tensor + pickle.dumps(["0"], 2) + np.int64(9).tobytes() + bytes(36)


def _weights_seeds() -> list[bytes]:
    import h5py  # type: ignore[import-untyped]

    made = [b"\0" + _legacy_torch()]
    path = _folder() / "seed"
    arrays = {"conv.weight": np.ones((3, 3), np.float32), "conv.bias": np.zeros(3, np.float32)}
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"conv"]
        group = file.create_group("conv")
        group.attrs["weight_names"] = [b"kernel", b"bias"]
        group["kernel"], group["bias"] = arrays.values()
    made.append(b"\1" + path.read_bytes())
    with h5py.File(path, "w") as file:
        group = file.create_group("layers/conv2d/vars")
        group["0"], group["1"] = arrays.values()
    made.append(b"\2" + path.read_bytes())
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("model.weights.h5", path.read_bytes())
    made.append(b"\3" + archive.getvalue())
    path.unlink()
    return made


def _model(data: bytes) -> None:
    from stylesearch.errors import StyleSearchError
    from stylesearch.models.store import list_models, read_model
    from stylesearch.settings import load_settings

    folder = _folder() / "models" / "default"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_bytes(data)
    (_folder() / "config.toml").write_bytes(data)
    with contextlib.suppress(StyleSearchError):
        read_model(_folder(), "default")
    with contextlib.suppress(StyleSearchError):
        list_models(_folder())
    with contextlib.suppress(StyleSearchError):
        load_settings({"home": _folder()})


def _model_seeds() -> list[bytes]:
    from stylesearch.settings import load_settings
    from stylesearch.testing.fake_model import save_fake_model
    from tests.integration.tiny_shop import ingest_tiny_shop

    home = ingest_tiny_shop(Path(tempfile.mkdtemp(prefix="seeds-", dir=_folder())))
    save_fake_model(load_settings({"home": home}))
    settings = b'extractor = "color-histogram"\nregions = "few"\n[serve]\nport = 8000\n[fetch]\nfetches = 4\n'
    return [(home / "models" / "default" / "model.json").read_bytes(), settings]


TARGETS: Final = {
    target.name: target
    for target in (
        Target("decode", _decode, _pictures, 20_000, ("stylesearch.images",)),
        Target("bodies", _bodies, _bodies_seeds, 4_000, ("stylesearch.serving.api",)),
        Target(
            "table", _table, _table_seeds, 20_000, ("stylesearch.importers", "openpyxl", "defusedxml", "csv")
        ),
        Target("weights", _weights, _weights_seeds, 20_000, ("stylesearch.extractors", "pickle", "zipfile")),
        Target(
            "model", _model, _model_seeds, 8_000, ("stylesearch.models", "stylesearch.settings", "tomllib")
        ),
    )
}
