"""Whatever happens to a file, opening says so: no crash, no wrong answer, and a build makes it right."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stylesearch.errors import IndexDamaged
from stylesearch.files import digest_of
from stylesearch.index.category_indexes import CategoryIndexes
from stylesearch.index.index_files import FORMAT
from stylesearch.index.reranked import Strategy
from tests.unit.index.conftest import COUNT, DIM

FILES = ["vectors.npy", "ids.npy", "reduced.npy", "reduction.npz", "forest.ann", "manifest.json"]


@pytest.fixture
def generation(indexes, build):
    build()
    (folder,) = indexes.folder.glob("dress-*/g*")
    return folder


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    os.truncate(path, 0)


def lengthen(path):
    with path.open("ab") as file:
        file.write(b"more")


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def sign(manifest, **changes):
    """Changes a manifest as a program would: with the digest of what it says then."""
    stored = json.loads(manifest.read_text())
    assert changes.keys() <= stored.keys()
    del stored["sha256"]
    stored |= changes
    manifest.write_text(json.dumps({**stored, "sha256": digest_of(stored)}))


@pytest.mark.parametrize(
    "harm", [truncate, empty, lengthen, flip, Path.unlink], ids=lambda harm: harm.__name__
)
@pytest.mark.parametrize("name", FILES)
def test_harm_is_noticed_and_mended(indexes, build, generation, photo, name, harm):
    harm(generation / name)
    with pytest.raises(IndexDamaged):
        indexes.open("dress")
    with pytest.raises(IndexDamaged):
        indexes.verify("dress")
    build()
    assert indexes.open("dress").search_any(photo, 3).ids.shape == (3,)


@pytest.mark.parametrize("name", [name for name in FILES if name != "manifest.json"])
def test_a_bit_that_rots_unseen_is_found_by_verify(indexes, generation, name):
    path = generation / name
    stat = path.stat()
    flip(path)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(IndexDamaged, match="sha256"):
        indexes.verify("dress")


@pytest.mark.parametrize("name", ["forest.ann", "reduction.npz", "ids.npy"])
def test_what_could_crash_is_hashed_before_it_is_loaded(indexes, generation, name):
    path = generation / name
    stat = path.stat()
    flip(path)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(IndexDamaged, match="sha256"):
        CategoryIndexes(indexes.folder, "space", "l2", DIM, strategy=Strategy.ANNOY).open("dress")


def test_another_time_alone_is_no_harm(indexes, generation, photo):
    for path in generation.iterdir():
        os.utime(path, ns=(1, 1))
    assert indexes.open("dress").search_any(photo, 3).ids.shape == (3,)


@pytest.mark.parametrize("content", [b"", b"g00000001-00000000", b"../g1", b"\xff\xfe", b"[]"])
def test_a_damaged_pointer(indexes, generation, content):
    (generation.parent / "CURRENT").write_bytes(content)
    with pytest.raises(IndexDamaged):
        indexes.open("dress")


@pytest.mark.parametrize(
    "content",
    ["[]", "{}", f'{{"format": {FORMAT}}}', '{"format": 99}', "null", f'{{"format": {FORMAT}, "files": 3}}'],
)
def test_a_manifest_of_something_else(indexes, generation, content):
    (generation / "manifest.json").write_text(content)
    with pytest.raises(IndexDamaged):
        indexes.open("dress")


@pytest.mark.parametrize(
    ("name", "value"),
    [("format", FORMAT - 1), ("n_candidates", "x"), ("count", 2.0), ("annoy_recall", None)],
)
def test_a_manifest_with_one_wrong_value(indexes, generation, name, value):
    sign(generation / "manifest.json", **{name: value})
    with pytest.raises(IndexDamaged, match=f"{name}|format"):
        indexes.open("dress")


def test_a_manifest_that_lists_no_files_is_not_believed(indexes, generation):
    sign(generation / "manifest.json", kind="exact")
    with pytest.raises(IndexDamaged, match="does not list the files"):
        indexes.open("dress")


def test_a_forest_that_was_cut_short_does_not_end_the_process(indexes, generation):
    """Loaded as it is, such a file can crash Annoy: asked in a process of its own."""
    truncate(generation / "forest.ann")
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from stylesearch.errors import IndexDamaged\n"
        "from stylesearch.index.category_indexes import CategoryIndexes\n"
        "from stylesearch.index.reranked import Strategy\n"
        f"indexes = CategoryIndexes(Path(sys.argv[1]), 'space', 'l2', {DIM}, strategy=Strategy.ANNOY)\n"
        "try:\n"
        "    indexes.open('dress')\n"
        "except IndexDamaged:\n"
        "    sys.exit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(indexes.folder)], check=False, timeout=60)
    assert done.returncode == 7


@pytest.mark.slow
def test_a_reader_in_another_process_survives_rebuilding(indexes, build, tmp_path):
    build()
    stop = tmp_path / "stop"
    code = (
        "import sys\n"
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from stylesearch.index.category_indexes import CategoryIndexes\n"
        "from stylesearch.index.reranked import Strategy\n"
        f"indexes = CategoryIndexes(Path(sys.argv[1]), 'space', 'l2', {DIM}, strategy=Strategy.ANNOY)\n"
        f"photo = np.random.default_rng(0).random((3, {DIM}), dtype=np.float32)\n"
        "counts = set()\n"
        "while not Path(sys.argv[2]).exists():\n"
        "    opened = indexes.open('dress')\n"
        "    found = opened.search_any(photo, 9)\n"
        "    assert len(found.ids) == 9 and (np.diff(found.distances) >= 0).all()\n"
        "    counts.add(opened.count)\n"
        "    opened.close()\n"
        "print(len(counts))\n"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", code, str(indexes.folder), str(stop)], stdout=subprocess.PIPE, text=True
    )
    try:
        for number in range(25):
            build(n=COUNT - 40 * (number % 5))
    finally:
        stop.touch()
        seen, _ = reader.communicate(timeout=60)
    assert reader.returncode == 0
    assert int(seen) >= 1
    assert np.isin(indexes.open("dress").count, [COUNT - 160])
