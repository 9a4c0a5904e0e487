"""Where images' bytes come from: one module opens them, and says when they are not what they were."""

from __future__ import annotations

import ast
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import stylesearch
from stylesearch.errors import CatalogError, ImageTooLarge, NotAnImage
from stylesearch.files import sha256_bytes
from stylesearch.images import limits
from stylesearch.images.decode import decode
from stylesearch.images.limits import DecodingLimits
from stylesearch.images.source import hash_image, open_listed, read_image, read_listed, without_secrets

PACKAGE = Path(stylesearch.__file__).parent

# Files that are no images of a catalog, read in modules that deal with images too: module and function.
OTHER_FILES = {
    ("features/region_cache.py", "get"): "vectors",
    ("serving/products/images.py", "_read"): "thumbnails that the service made",
    ("training/perceptual_hash.py", "_read"): "hashes of pictures",
    ("serving/uploads.py", "*"): "notes of changes that were not finished",
    ("evaluation/results_files.py", "load_study"): "results of a study",
    ("images/processes/worker.py", "_limit_bytes"): "how much memory the process has",
    ("settings.py", "change_settings"): "the settings file",
    ("workspace/backup.py", "*"): "backups, models and settings",
    ("drawn_shop/writer.py", "*"): "pictures that were just drawn, in memory",
    ("images/remote/cache.py", "store"): "a picture that is being fetched, to be written",
    ("images/remote/fetch.py", "_start"): "the library of a cloud",
    ("images/remote/objects.py", "fetch"): "a picture in a cloud, to be fetched",
}
OTHER_FILES |= {
    ("images/remote/cache.py", "store"): "pictures that are being fetched, which are no images yet",
    ("images/remote/fetch.py", "_start"): "what reads the URLs of a cloud",
    ("images/remote/objects.py", "fetch"): "pictures of a cloud, likewise",
}
READS = {"read_bytes", "open", "imread", "fromfile"}


def calls_that_read(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Name of the enclosing function, the call and its line, of every call that may read an image."""

    def walk(node: ast.AST, function: str) -> Iterator[tuple[str, str, int]]:
        for child in ast.iter_child_nodes(node):
            inside = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
            if isinstance(child, ast.Call):
                called = child.func
                name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
                owner = called.value if isinstance(called, ast.Attribute) else None
                owner_name = owner.id if isinstance(owner, ast.Name) else ""
                is_open = name == "open" and owner_name not in ("Image", "Catalog", "os")
                opens_a_name = owner_name == "Image" and not all(map(is_a_file_object, child.args))
                if (name in READS and name != "open") or is_open or (name == "open" and opens_a_name):
                    yield inside, f"{owner_name}.{name}", child.lineno
            yield from walk(child, inside)

    yield from walk(tree, "")


def is_a_file_object(argument: ast.expr) -> bool:
    return ast.unparse(argument) in ("file", "io.BytesIO(data)", "BytesIO(data)")


def deals_with_images(tree: ast.Module) -> bool:
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names]
    return any(name.startswith(("stylesearch.images", "PIL", "cv2", "skimage.io")) for name in modules)


def test_no_other_module_reads_images() -> None:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if name == "images/source.py" or not deals_with_images(tree):
            continue
        for function, call, line in calls_that_read(tree):
            if (name, function) not in OTHER_FILES and (name, "*") not in OTHER_FILES:
                found.append(f"{name}:{line} {function}: {call}")
    assert not found, "images are read through stylesearch.images.source"


def test_the_check_sees_every_way_to_read() -> None:
    code = """
from PIL import Image
def one(path):
    Path(path).read_bytes()
    with open(path, "rb") as file:
        Image.open(file)
    Image.open(path)
    cv2.imread(path)
    Path(path).open("rb")
"""
    tree = ast.parse(code)
    assert deals_with_images(tree)
    assert [line for _, _, line in calls_that_read(tree)] == [4, 5, 7, 8, 9]


def test_a_listed_image_is_given_as_it_was_listed(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"pixels")
    digest = sha256_bytes(b"pixels")
    assert read_listed(path, digest) == b"pixels"
    file, n_bytes = open_listed(path, digest, max_bytes=6)
    with file:
        assert (file.read(), n_bytes) == (b"pixels", 6)
    path.write_bytes(b"others")
    with pytest.raises(CatalogError, match="has changed since it was ingested"):
        read_listed(path, digest)
    with pytest.raises(CatalogError, match="has changed since it was ingested"):
        open_listed(path, digest, max_bytes=6)
    with pytest.raises(OSError, match="too large"):
        open_listed(path, digest, max_bytes=5)
    with pytest.raises(FileNotFoundError):
        read_listed(tmp_path / "b.jpg", digest)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_high_limit_takes_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_limits", DecodingLimits(max_file_bytes=10**15))
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xd8\xff" + bytes(100_000))
    assert len(read_image(path)) == 100_003


def test_a_file_that_grows_is_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylesearch.images.source._size_of", lambda file: 1000)
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xd8\xff" + bytes(100_000))
    assert len(read_image(path)) == 100_003


def test_a_pipe_in_the_place_of_an_image_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(OSError, match="no file"):
        open_listed(tmp_path / "a.jpg", sha256_bytes(b""), max_bytes=10)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:secret@pim.example/a.jpg", "https://pim.example/a.jpg"),
        ("HTTP://token@pim.example:81?x=a@b", "HTTP://pim.example:81?x=a@b"),
        ("//u:p@host/a.jpg", "//host/a.jpg"),
        ("from s3://key:sec@ret@b/x to ftp://u:p@h/, u@h", "from s3://b/x to ftp://h/, u@h"),
        ("https://pim.example/a@2x.jpg", "https://pim.example/a@2x.jpg"),
        ("https://pim.example/resize//w@2/a.jpg", "https://pim.example/resize//w@2/a.jpg"),
        ("/shop/a@2x.jpg", "/shop/a@2x.jpg"),
        ("abfs://box@account.example/a.jpg", "abfs://box@account.example/a.jpg"),
        ("no address", "no address"),
    ],
)
def test_user_and_password_are_left_out(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
    assert without_secrets(shown) == shown


class TestLargeFiles:
    N_BYTES = 6_000_000_000

    @pytest.fixture
    def sparse(self, tmp_path: Path) -> Path:
        """A file of 6 GB that takes no space, and begins as a JPEG does."""
        path = tmp_path / "huge.jpg"
        with path.open("wb") as file:
            file.write(b"\xff\xd8\xff\xe0")
            file.truncate(self.N_BYTES)
        return path

    @pytest.mark.parametrize(
        "read", [read_image, hash_image, decode, lambda path: read_listed(path, "0" * 64)]
    )
    def test_are_refused_before_they_are_read(self, read, sparse: Path) -> None:
        with pytest.raises(
            ImageTooLarge, match="has 6,000,000,000 bytes; files of up to 200,000,000"
        ) as caught:
            read(sparse)
        assert "STYLESEARCH_MAX_FILE_BYTES" in caught.value.hint

    def test_of_no_format_are_told_as_such(self, tmp_path: Path) -> None:
        path = tmp_path / "huge.jpg"
        with path.open("wb") as file:
            file.truncate(self.N_BYTES)
        for read in (read_image, hash_image, decode):
            # What reads for an ingest leaves the path to the report, which begins with it.
            label = path if read is decode else "the picture"
            with pytest.raises(NotAnImage, match=f"^{label} is in no format that can be read"):
                read(path)

    def test_a_pipe_is_read_no_further_than_the_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "_limits", DecodingLimits(max_file_bytes=3_000_000))
        read = 0

        class Endless(io.RawIOBase):
            def read(self, n: int = -1) -> bytes:
                nonlocal read
                assert 0 < n <= 1 << 20
                read += n
                return b"\xff\xd8\xff" + bytes(n - 3)

        with pytest.raises(ImageTooLarge, match="more than 3,000,000 bytes"):
            decode(Endless())  # type: ignore[arg-type]
        assert read <= 3_000_065

    def test_exactly_as_large_as_allowed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "a.gif"
        path.write_bytes(b"GIF89a" + bytes(1994))
        monkeypatch.setattr(limits, "_limits", DecodingLimits(max_file_bytes=2000))
        assert len(read_image(path)) == 2000
        assert hash_image(path) == sha256_bytes(read_image(path))
        monkeypatch.setattr(limits, "_limits", DecodingLimits(max_file_bytes=1999))
        for read in (read_image, hash_image):
            with pytest.raises(ImageTooLarge, match="has 2,000 bytes"):
                read(path)
