"""One byte of an index goes bad, and its file keeps its time: answers stay right, or opening says what is
damaged."""

import os
from pathlib import Path

import numpy as np
import pytest

from stylesearch.errors import IndexDamaged
from stylesearch.index import index_files
from stylesearch.index.annoy_forest import AnnoyForest, build_forest
from stylesearch.index.category_indexes import CategoryIndexes, Generations
from stylesearch.index.reranked import Strategy

DIM, COUNT, STEP = 6, 90, 37


@pytest.fixture
def small(tmp_path):
    """An index with trees, of few bytes, and a question with its answer."""
    vectors = np.random.default_rng(3).random((COUNT, DIM), dtype=np.float32)
    indexes = CategoryIndexes(tmp_path / "indexes", "space", "l2", DIM, strategy=Strategy.ANNOY)

    def build():
        indexes.build(
            "hat", [(np.arange(COUNT) + 1, vectors)], transform_version="fit", last_feature_id=COUNT
        )

    build()
    return indexes, vectors[:2] + np.float32(0.01), build


def rot(path: Path, place: int, bits: int) -> bytes:
    """Flips bits of one byte as a disk does: the file's time stays. Returns what there was."""
    whole, stat = path.read_bytes(), path.stat()
    path.write_bytes(whole[:place] + bytes([whole[place] ^ bits]) + whole[place + 1 :])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return whole


@pytest.mark.parametrize(
    "pattern", ["g*/manifest.json", "g*/ids.npy", "g*/reduction.npz", "CURRENT", "category.json"]
)
def test_a_rotten_byte_gives_no_wrong_answer(small, pattern):
    indexes, photo, _ = small
    (path,) = indexes.folder.glob(f"hat-*/{pattern}")
    stat = path.stat()
    right = indexes.open("hat").search_any(photo, 5)
    n_damaged = 0
    for place in range(0, stat.st_size, STEP):
        whole = rot(path, place, (0x01, 0x20, 0x80)[place % 3])
        try:
            found = indexes.open("hat", transform_version="fit")
        except IndexDamaged:
            n_damaged += 1
        else:
            assert found.search_any(photo, 5).ids.tolist() == right.ids.tolist(), place
            assert found.last_feature_id == COUNT
        path.write_bytes(whole)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert n_damaged or path.name == "category.json"


@pytest.mark.parametrize("name", ["vectors.npy", "reduced.npy"])
def test_the_header_of_a_large_array_is_compared(small, name):
    """Shape and order are told by the manifest; what else the header says would move every row."""
    indexes, _, _ = small
    (path,) = indexes.folder.glob(f"hat-*/g*/{name}")
    rot(path, 20, 0x01)
    with pytest.raises(IndexDamaged, match="does not hold an array"):
        indexes.open("hat")


def test_a_count_that_is_off_by_one_is_noticed(small):
    """A row more fits into the place of the header: every id would get the vector before its own."""
    indexes, _, _ = small
    (folder,) = indexes.folder.glob("hat-*/g*")
    manifest = index_files.Manifest.read(folder)
    with pytest.raises(IndexDamaged):
        index_files.open_array(folder / index_files.VECTORS, (manifest.count + 1, DIM))


def test_vectors_that_are_no_numbers_any_more_are_told_when_they_are_met(small):
    indexes, photo, _ = small
    (path,) = indexes.folder.glob("hat-*/g*/vectors.npy")
    stat, data = path.stat(), bytearray(path.read_bytes())
    data[-4 * DIM * COUNT :] = np.full(DIM * COUNT, np.nan, "<f4").tobytes()
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(IndexDamaged, match="have to be finite"):
        indexes.open("hat").search_any(photo, 5)


def test_trees_that_name_vectors_that_there_are_not(tmp_path):
    """They are hashed before they are opened; what rots after that may still give any number."""
    vectors = np.random.default_rng(1).random((80, 4), dtype=np.float32)
    build_forest(tmp_path / "trees.ann", [vectors], 4, n_trees=4, seed=1)
    forest = AnnoyForest(tmp_path / "trees.ann", 4, 80)
    forest._count = 40
    with pytest.raises(IndexDamaged, match="vectors that there are not"):
        forest.search(vectors[:1], 80, 1000)


def test_what_a_killed_build_left_is_listed_and_removed(small):
    indexes, _, build = small
    (home,) = (path for path in indexes.folder.glob("hat-*") if path.is_dir())
    left = [home / "building-0123abcd", home / ".CURRENT.0123456789ab.partial"]
    left[0].mkdir()
    (left[0] / "vectors.npy").write_bytes(b"half")
    left[1].write_bytes(b"g000")
    assert sorted(indexes.leftovers(["hat"])) == sorted(left)
    build()
    assert indexes.leftovers(["hat"]) == []
    assert not any(path.exists() for path in left)


def test_what_a_running_build_writes_is_not_left_over(small):
    indexes, _, _ = small
    (home,) = (path for path in indexes.folder.glob("hat-*") if path.is_dir())
    with Generations(home).lock():
        (home / "building-0123abcd").mkdir()
        assert indexes.leftovers(["hat"]) == []


def test_an_index_whose_category_is_gone_is_left_over(small):
    indexes, _, _ = small
    (home,) = (path for path in indexes.folder.glob("hat-*") if path.is_dir())
    (home / "category.json").write_bytes(b'{"category": "h')
    assert indexes.leftovers(["bag"]) == [home]
    indexes.remove_others(["bag"])
    assert not home.exists()
