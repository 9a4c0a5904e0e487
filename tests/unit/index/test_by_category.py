import json

import numpy as np
import pytest

from stylesearch.errors import IndexDamaged, IndexingError
from stylesearch.index.base import ExactIndex
from stylesearch.index.category_indexes import CategoryIndexes
from stylesearch.index.reranked import Strategy
from tests.unit.index.conftest import COUNT, DIM

NAMES = [
    "dress",
    "Dress",
    "DRESS",
    "",
    "..",
    ".",
    "a/b",
    "a\\b",
    "CON",
    "x" * 400,
    "Röcke",
    "Rocke",
    "连衣裙",
    "\udcff",
    "a\x00b",
    " ",
]


def test_answers_with_ids(indexes, build, vectors, photo):
    build()
    opened = indexes.open("dress")
    slots, distances, rows = ExactIndex(vectors, "l2").search_any(photo, 7)
    found = opened.search_any(photo, 7)
    assert np.array_equal(found.ids, slots * 3 + 1)
    assert np.array_equal(found.distances, distances)
    assert np.array_equal(found.rows, rows)
    assert np.array_equal(opened.query(photo, 3)[0], ExactIndex(vectors, "l2").query(photo, 3)[0] * 3 + 1)
    assert (opened.count, opened.kind, opened.last_feature_id) == (COUNT, "annoy", 10**6)
    assert opened.n_bytes > vectors.nbytes
    opened.close()


@pytest.mark.parametrize("n", [0, 1, 63, 64])
def test_few_vectors(indexes, build, vectors, photo, n):
    assert build(n=n).kind == ("annoy" if n >= 64 else "exact")
    found = indexes.open("dress").search_any(photo, 5)
    assert np.array_equal(found.ids, ExactIndex(vectors[:n], "l2").search_any(photo, 5)[0] * 3 + 1)


def test_any_name_is_a_category(indexes, build, photo):
    for number, name in enumerate(NAMES):
        build(name, n=number + 1)
    assert indexes.categories() == sorted(NAMES)
    folders = [path.name for path in indexes.folder.iterdir() if path.is_dir()]
    assert len({folder.lower() for folder in folders}) == len(NAMES)
    assert all(len(folder) < 64 and folder.isascii() for folder in folders)
    for number, name in enumerate(NAMES):
        assert indexes.open(name).count == number + 1
        assert indexes.verify(name).category == name
    indexes.remove("..")
    indexes.remove("never built")
    assert indexes.categories() == sorted(set(NAMES) - {".."})
    with pytest.raises(IndexDamaged, match="nothing has been built"):
        indexes.open("..")


def test_the_same_vectors_make_the_same_files(indexes, build, tmp_path):
    other = CategoryIndexes(tmp_path / "other", "space", "l2", DIM)
    one, two = build(), build(into=other)
    assert {name: record.sha256 for name, record in one.files.items()} == {
        name: record.sha256 for name, record in two.files.items()
    }


@pytest.mark.parametrize(
    "other",
    [
        lambda folder: CategoryIndexes(folder, "another space", "l2", DIM),
        lambda folder: CategoryIndexes(folder, "space", "l1", DIM),
        lambda folder: CategoryIndexes(folder, "space", "l2", DIM + 1),
    ],
)
def test_an_index_of_another_space_is_refused(indexes, build, other):
    build()
    with pytest.raises(IndexDamaged, match="instead of"):
        other(indexes.folder).open("dress")


def test_an_index_of_another_fit_is_refused(indexes, build):
    build(version="first")
    assert indexes.open("dress", transform_version="first").count == COUNT
    with pytest.raises(IndexDamaged, match="another fit"):
        indexes.open("dress", transform_version="second")


def test_a_build_that_fails_leaves_the_old_index(indexes, build, vectors, photo):
    build(n=100)

    def broken():
        yield np.arange(5), vectors[:5]
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        indexes.build("dress", broken(), transform_version="fit", last_feature_id=1)
    assert indexes.open("dress").count == 100
    (home,) = [path for path in indexes.folder.iterdir() if path.is_dir()]
    assert not list(home.glob("building-*"))


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ((np.arange(3), np.zeros((3, DIM + 1))), "vectors"),
        ((np.arange(2), np.zeros((3, DIM))), "vectors"),
        ((np.arange(3), np.full((3, DIM), np.nan)), "not finite"),
        ((np.array([1, 2, 1]), np.zeros((3, DIM))), "twice"),
    ],
)
def test_what_cannot_be_indexed_is_refused(indexes, block, complaint):
    with pytest.raises(IndexingError, match=complaint):
        indexes.build("dress", [block], transform_version="fit", last_feature_id=1)
    assert indexes.categories() == []


def test_a_full_disk_is_noticed_beforehand(indexes):
    with pytest.raises(IndexingError, match="does not fit"):
        indexes.build("dress", [], transform_version="fit", last_feature_id=1, n_rows=10**15)


def test_readers_go_on_while_it_is_built_anew(indexes, build, photo):
    build()
    opened = CategoryIndexes(indexes.folder, "space", "l2", DIM, strategy=Strategy.ANNOY).open("dress")
    before = opened.search_any(photo, 5)
    for n in (500, 900, 1300):
        build(n=n)
        assert indexes.open("dress").count == n
    for one, other in zip(before, opened.search_any(photo, 5), strict=True):
        assert np.array_equal(one, other)
    (home,) = [path for path in indexes.folder.iterdir() if path.is_dir()]
    assert len(list(home.glob("g*"))) == 2, "the current one, and the one before it"


def test_status_names_what_is_damaged(indexes, build):
    build("dress")
    build("skirt", n=70)
    (pointer,) = indexes.folder.glob("dress-*/CURRENT")
    pointer.write_text("../../etc")
    states = {state.category: state for state in indexes.status()}
    assert (states["skirt"].state, states["skirt"].manifest.count) == ("ready", 70)
    assert states["dress"].state == "damaged"
    assert "does not name a generation" in states["dress"].reason


def test_a_damaged_name_is_not_listed(indexes, build, caplog):
    build("dress")
    build("skirt", n=5)
    (name,) = indexes.folder.glob("dress-*/category.json")
    name.write_text(json.dumps({"category": "skirt"}))
    assert indexes.categories() == ["skirt"]
    name.write_text("{")
    assert indexes.categories() == ["skirt"]
    assert "cannot be read" in caplog.text
