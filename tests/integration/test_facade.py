"""The Python face: what architecture promises, on a drawn shop."""

from __future__ import annotations

import csv
import io
import shutil
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import stylesearch as ss
from stylesearch.errors import CatalogError, ConfigError, ImageError, NotInCatalog, UnknownName
from stylesearch.search import IndexWarning, searcher
from stylesearch.types import Domain, SearchRequest
from stylesearch.workspace.resources import Resources


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open() as file:
        return list(csv.DictReader(file))


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_public_names_are_sorted_and_can_be_had() -> None:
    assert ss.__all__ == sorted(ss.__all__)
    for name in ss.__all__:
        assert getattr(ss, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = ss.nothing


def test_a_photo_is_a_path_bytes_or_a_stream(ingested: Path, drawn_shop: Path) -> None:
    path = drawn_shop / rows_of(drawn_shop / "street.csv")[0]["image"]
    with ss.open(ingested) as shop:
        by_path = shop.query(path, k=5)
        assert len(by_path) == 5
        assert by_path[0].rank == 1
        whole = shop.query(path, k=5, regions="whole")
        assert whole.regions == (ss.Box(0, 0, *size_of(path)),)
        assert by_path[0].region in by_path.regions
        assert set(by_path.seconds) == {"decode", "extract", "search"}
        for photo in (str(path), path.read_bytes(), io.BytesIO(path.read_bytes())):
            assert [hit.product.id for hit in shop.query(photo, k=5)] == [hit.product.id for hit in by_path]
        x0, y0, x1, y1 = 10, 10, 200, 300
        assert shop.query(path, k=1, box=(x0, y0, x1, y1)).regions == (ss.Box(x0, y0, x1, y1),)


def test_the_first_photo_is_read_while_the_catalog_opens(
    ingested: Path, drawn_shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drawn_shop / rows_of(drawn_shop / "street.csv")[0]["image"]
    reads, opened = threading.Event(), threading.Event()
    look = searcher.look

    def look_first(*args: Any, **options: Any) -> searcher.View:
        reads.set()
        return look(*args, **options)

    def open_after(self: Resources, *args: Any, **options: Any) -> searcher.Searcher:
        assert reads.wait(30)
        opened.set()
        return open_searcher(self, *args, **options)

    open_searcher = Resources.searcher
    monkeypatch.setattr(searcher, "look", look_first)
    monkeypatch.setattr(Resources, "searcher", open_after)
    with ss.open(ingested) as shop:
        first = shop.query(path, k=5)
        assert opened.is_set()
        again = shop.query(path, k=5)
    assert [(hit.product.id, hit.distance) for hit in first] == [
        (hit.product.id, hit.distance) for hit in again
    ]
    assert first.regions == again.regions


def test_an_error_of_the_catalog_does_not_wait_for_the_photo(
    tmp_path: Path, drawn_shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drawn_shop / rows_of(drawn_shop / "street.csv")[0]["image"]
    goes_on, is_read = threading.Event(), threading.Event()

    def wait(*args: Any, **options: Any) -> searcher.View:
        goes_on.wait(10)
        is_read.set()
        raise ImageError("a photo that takes long")

    monkeypatch.setattr(searcher, "look", wait)
    with ss.open(tmp_path / "empty", extractor="hog") as shop, pytest.raises(CatalogError):
        try:
            shop.query(path)
        finally:
            assert not is_read.is_set()
            goes_on.set()


def test_fewer_products_than_asked_for_is_no_error(ingested: Path, drawn_shop: Path) -> None:
    path = drawn_shop / rows_of(drawn_shop / "street.csv")[0]["image"]
    with ss.open(ingested) as shop:
        found = shop.query(path, k=1000)
        assert len(found) == 24
        assert len({hit.product.id for hit in found}) == 24
        assert sorted(hit.distance for hit in found) == [hit.distance for hit in found]


def test_search_is_exact_whatever_way_it_is_done(ingested: Path, drawn_shop: Path) -> None:
    """Against a plain reading of what a query is: all distances, the nearest image and region count."""
    path = drawn_shop / rows_of(drawn_shop / "street.csv")[1]["image"]
    with ss.open(ingested) as shop:
        gallery = shop.gallery()
        (feature_set,) = shop.catalog.feature_sets()
        ids, features = next(shop.catalog.features(feature_set))
        photo = features[:3] * 1.1
        expected = ss.distances(
            gallery.transform.apply_to_photo(photo), gallery.transform.apply(features), "cosine"
        ).min(0)
        hits = shop.catalog.hits_for(ids.tolist())
        products = [hits[i][0].id for i in ids[np.argsort(expected, kind="stable")].tolist()]
        assert [hit.product.id for hit in gallery.search(photo, SearchRequest(k=24))] == products
        assert len(shop.query(path)) == 20


def test_new_products_are_found_at_once_and_removed_ones_are_gone_at_once(
    workspace: Path, drawn_shop: Path, tmp_path: Path
) -> None:
    photo_file = drawn_shop / rows_of(drawn_shop / "products.csv")[0]["image"]
    new = tmp_path / "more" / "kilt" / "k1" / "front.png"
    new.parent.mkdir(parents=True)
    with Image.open(photo_file) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(new)
    with ss.open(workspace) as shop:
        before = shop.query(new, k=3)
        assert "k1" not in {hit.product.id for hit in before}
        assert shop.ingest(tmp_path / "more").added == 1
        # Its mirror image is as near, up to noise.
        assert "k1" in {hit.product.id for hit in shop.query(new, k=2)}
        assert shop.query(new, k=5, category="kilt")[0].product.category == "kilt"
        shop.remove(["k1"])
        assert [hit.product.id for hit in shop.query(new, k=3)] == [hit.product.id for hit in before]


def test_another_process_that_writes_is_seen_without_reopening(workspace: Path, drawn_shop: Path) -> None:
    path = drawn_shop / rows_of(drawn_shop / "street.csv")[0]["image"]
    with ss.open(workspace) as reader, ss.open(workspace) as writer:
        nearest = reader.query(path, k=2)
        writer.remove([nearest[0].product.id])
        assert reader.query(path, k=1)[0].product.id == nearest[1].product.id


def test_a_product_that_moves_is_found_in_its_new_category_only(
    workspace: Path, drawn_shop: Path, tmp_path: Path
) -> None:
    rows = rows_of(drawn_shop / "products.csv")
    categories = [row["category"] for row in rows]
    row = next(row for row in rows if categories.count(row["category"]) > 1)
    table = tmp_path / "moved.csv"
    table.write_text(f"id,title,category,image\n{row['id']},Moved,museum,{drawn_shop / row['image']}\n")
    with ss.open(workspace) as shop:
        report = shop.ingest(table, allow_outside=True)
        assert (report.changed, report.computed) == (1, 0)
        assert shop.query(drawn_shop / row["image"], k=1, category="museum")[0].product.title == "Moved"
        old = shop.query(drawn_shop / row["image"], k=30, category=row["category"])
        assert row["id"] not in {hit.product.id for hit in old}
        everywhere = [hit.product.id for hit in shop.query(drawn_shop / row["image"], k=30)]
        assert everywhere.count(row["id"]) == 1


def test_consumer_photos_are_kept_but_not_searched(workspace: Path, drawn_shop: Path) -> None:
    with ss.open(workspace) as shop:
        before = len(shop.query(drawn_shop / rows_of(drawn_shop / "street.csv")[0]["image"], k=100))
        report = shop.ingest(drawn_shop / "street.csv")
        assert report.added == 24
        photo = drawn_shop / rows_of(drawn_shop / "street.csv")[0]["image"]
        found = shop.query(photo, k=100)
        assert len(found) == before
        assert {hit.image.domain for hit in found} == {ss.Domain.SHOP}


FIT_RECORDS = {
    "nest the record": b"[" * 5000,
    "another type in the record": b'{"version": 5, "n_fitted": 1, "last_feature_id": 1}',
    "no text in the record": b"\xff\xfe",
}


@pytest.mark.parametrize(
    "damage",
    [
        "remove all",
        "remove one file",
        "truncate",
        "scribble",
        "lose the fit",
        "flip a byte of the fit",
        *FIT_RECORDS,
    ],
)
def test_a_damaged_index_warns_once_answers_right_and_is_built_again(
    workspace: Path, drawn_shop: Path, damage: str
) -> None:
    path = drawn_shop / rows_of(drawn_shop / "street.csv")[0]["image"]
    with ss.open(workspace) as shop:
        right = [(hit.product.id, round(hit.distance, 4)) for hit in shop.query(path)]
    indexes = workspace / "indexes"
    files = sorted(file for file in indexes.rglob("*") if file.is_file() and file.stat().st_size > 100)
    assert files
    if damage == "remove all":
        shutil.rmtree(indexes)
    elif damage == "lose the fit":
        next(indexes.rglob("space.json")).unlink()
    elif damage in FIT_RECORDS:
        next(indexes.rglob("space.json")).write_bytes(FIT_RECORDS[damage])
    elif damage == "flip a byte of the fit":
        fit = next(indexes.rglob("transform-*.npz"))
        whole = bytearray(fit.read_bytes())
        whole[len(whole) // 2] ^= 0x10
        fit.write_bytes(whole)
        with ss.open(workspace) as shop:
            assert {"has a fit that is damaged" in one.reason for one in shop.indexes.verify()} == {True}
    else:
        for file in [file for file in files if file.suffix != ".json" and "transform" not in file.name]:
            whole = file.read_bytes()
            if damage == "remove one file":
                file.unlink()
                break
            file.unlink()
            file.write_bytes(whole[: len(whole) // 2] if damage == "truncate" else b"x" * 500)
    with ss.open(workspace) as shop:
        with pytest.warns(IndexWarning) as warned:
            found = [(hit.product.id, round(hit.distance, 4)) for hit in shop.query(path)]
            again = [(hit.product.id, round(hit.distance, 4)) for hit in shop.query(path)]
        assert found == again == right
        assert len(warned) == 1
    with ss.open(workspace) as shop, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [(hit.product.id, round(hit.distance, 4)) for hit in shop.query(path)] == right
        assert shop.indexes.verify() == []


def test_indexes_of_a_catalog_that_was_replaced_are_not_believed(workspace: Path, drawn_shop: Path) -> None:
    """The database is gone and made anew with other products; the old indexes still lie there."""
    table = drawn_shop / "products.csv"
    for file in workspace.glob("catalog.db*"):
        file.unlink()
    fewer = drawn_shop / "fewer.csv"
    fewer.write_text(
        "".join(
            table.read_text().splitlines(keepends=True)[:1]
            + table.read_text().splitlines(keepends=True)[:10:-1]
        )
    )
    row = rows_of(fewer)[0]
    with ss.open(workspace) as shop, warnings.catch_warnings():
        warnings.simplefilter("ignore", IndexWarning)
        shop.ingest(fewer)
        for row in rows_of(fewer):
            hit = shop.query(drawn_shop / row["image"], k=1, regions="whole", space="raw")[0]
            assert hit.product.id == row["id"]
            assert hit.distance == pytest.approx(0, abs=2e-3)


def test_what_is_not_there_is_an_error(ingested: Path, tmp_path: Path, drawn_shop: Path) -> None:
    path = drawn_shop / rows_of(drawn_shop / "street.csv")[0]["image"]
    with ss.open(ingested) as shop:
        with pytest.raises(NotInCatalog):
            shop.query(path, category="no-such")
        with pytest.raises(NotInCatalog):
            shop.product("no-such")
        with pytest.raises(UnknownName, match="whitened"):
            shop.query(path, space="whitend")
        with pytest.raises(UnknownName, match="street"):
            shop.query(path, regions="streets")
        with pytest.raises(ConfigError):
            shop.query(path, metric="l3")
        with pytest.raises(ConfigError):
            shop.query(path, k=0)
    with pytest.raises(CatalogError, match="no catalog"), ss.open(tmp_path / "new") as shop:
        shop.query(path)


def test_two_catalogs_under_one_home_keep_their_indexes_apart(
    drawn_shop: Path, tmp_path: Path, stopped_clock: None
) -> None:
    """With ids that count from one in both, nothing but the catalog's own id tells them apart."""
    photo_file = drawn_shop / rows_of(drawn_shop / "products.csv")[0]["image"]
    for name, wanted in (("a", drawn_shop / "catalog"), ("b", drawn_shop / "products.csv")):
        with ss.open(tmp_path / "home", db=str(tmp_path / f"{name}.db")) as shop:
            shop.ingest(wanted)
    for name in ("a", "b"):
        with ss.open(tmp_path / "home", db=str(tmp_path / f"{name}.db")) as shop:
            assert len(shop.query(photo_file, k=100)) == 24
            assert {row.n_gone for row in shop.indexes.status()} == {0}


def test_a_restored_backup_is_searched_whole(workspace: Path, drawn_shop: Path, tmp_path: Path) -> None:
    photo = drawn_shop / rows_of(drawn_shop / "street.csv")[0]["image"]
    removed = [row["id"] for row in rows_of(drawn_shop / "products.csv")[:5]]
    backup = tmp_path / "backup.db"
    shutil.copy(workspace / "catalog.db", backup)
    with ss.open(workspace) as shop:
        shop.remove(removed)
        new = tmp_path / "more" / "kilt" / "k1.png"
        new.parent.mkdir(parents=True)
        with Image.open(photo) as image:
            image.rotate(90).save(new)
        shop.ingest(tmp_path / "more")
        shop.indexes.build()
    for file in workspace.glob("catalog.db-*"):
        file.unlink()
    shutil.copy(backup, workspace / "catalog.db")
    with ss.open(workspace) as shop, warnings.catch_warnings():
        warnings.simplefilter("ignore", IndexWarning)
        found = {hit.product.id for hit in shop.query(photo, k=100)}
        assert set(removed) <= found
        assert len(found) == 24
    with ss.open(workspace) as shop, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(shop.query(photo, k=100)) == 24


def test_verify_reads_other_spaces_too_and_lists_what_is_left_over(workspace: Path) -> None:
    with ss.open(workspace) as shop:
        shop.indexes.build(space="raw")
        assert shop.indexes.verify() == []
    (manifest, *_) = (workspace / "indexes").glob("*/raw/*/*/*/g*/manifest.json")
    manifest.write_bytes(manifest.read_bytes().replace(b'"count"', b'"counu"'))
    left = [
        manifest.parents[1] / "building-01234567",
        manifest.parents[4] / "transform-0123.npz",
        manifest.parents[4] / ".space.json.0123456789ab.partial",
    ]
    left[0].mkdir()
    for path in left[1:]:
        path.write_bytes(b"half")
    with ss.open(workspace) as shop:
        found = {one.item: one.reason for one in shop.indexes.verify()}
        damaged = next(item for item in found if "/raw/cosine/" in item and "home" not in item)
        assert "sha256 differs" in found.pop(damaged)
        assert found.keys() == {str(path) for path in left}
        assert shop.indexes.verify(space="mixed") == []
        shop.indexes.build(space="raw")
        assert shop.indexes.verify() == []
    assert not any(path.exists() for path in left)


def test_a_status_builds_nothing(workspace: Path) -> None:
    shutil.rmtree(workspace / "indexes")
    with ss.open(workspace) as shop:
        assert {row.state for row in shop.indexes.status()} == {"missing"}
        assert len(shop.indexes.verify()) == len(shop.indexes.status())
    assert not (workspace / "indexes").exists()


def test_a_build_of_indexes_tells_first_that_none_is_done(workspace: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    with ss.open(workspace) as shop:
        shop.indexes.build(progress=lambda *count: told.append(count))
    assert told[0] == ("indexes", 0, 24)
    assert told[-1] == ("indexes", 24, 24)


def test_every_space_and_metric_in_use_is_kept_up(workspace: Path, drawn_shop: Path, tmp_path: Path) -> None:
    photo = drawn_shop / rows_of(drawn_shop / "street.csv")[0]["image"]
    with ss.open(workspace, space="raw", metric="l1") as shop:
        shop.indexes.build()
    more = tmp_path / "more"
    for number in range(12):
        target = more / "kilt" / f"k{number}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(photo) as image:
            image.rotate(7 * number + 3).save(target)
    with ss.open(workspace) as shop:
        shop.ingest(more)
    for space, metric in (("raw", "l1"), ("mixed", "cosine")):
        with ss.open(workspace, space=space, metric=metric) as shop:
            rows = {row.category: row for row in shop.indexes.status()}
            assert (rows["kilt"].state, rows["kilt"].n_indexed, rows["kilt"].n_pending) == ("ready", 12, 0)


def test_no_room_for_indexes_keeps_the_report_and_the_products(
    drawn_shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylesearch.search.local_store import LocalVectorStore

    def no_room(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LocalVectorStore, "build", no_room)
    with ss.open(tmp_path / "home") as shop:
        with pytest.warns(IndexWarning, match="No space left"):
            report = shop.ingest(drawn_shop / "products.csv")
        assert report.added == 24
        with pytest.warns(IndexWarning):
            assert len(shop.query(drawn_shop / rows_of(drawn_shop / "street.csv")[0]["image"])) == 20
        monkeypatch.undo()
    with ss.open(tmp_path / "home") as shop:
        assert {row.state for row in shop.indexes.status()} == {"ready"}


def test_a_folder_that_was_moved_and_ingested_again(drawn_shop: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn_shop / "catalog", tmp_path / "before")
    with ss.open(tmp_path / "home") as shop:
        shop.ingest(tmp_path / "before")
        (tmp_path / "before").rename(tmp_path / "after")
        report = shop.ingest(tmp_path / "after")
        assert (report.computed, report.removed) == (0, 24)
        hits = shop.query(drawn_shop / rows_of(drawn_shop / "street.csv")[0]["image"], k=24)
        assert all(Path(hit.image.path).exists() for hit in hits)


def test_a_product_is_searched_with_its_shop_images_where_it_has_any(
    workspace: Path, drawn_shop: Path, tmp_path: Path
) -> None:
    shop_row, photo_row = (rows_of(drawn_shop / name)[0] for name in ("products.csv", "street.csv"))
    for row, name in ((shop_row, "b.jpg"), (photo_row, "a.jpg")):
        shutil.copy(drawn_shop / row["image"], tmp_path / name)
    table = tmp_path / "more.csv"
    with ss.open(workspace) as shop:
        table.write_text("id,category,image,domain\nboth,dress,b.jpg,shop\n")
        shop.ingest(table)
        before = shop.similar("both", k=5)
        with table.open("a") as file:
            file.write("both,dress,a.jpg,consumer\nseen,dress,a.jpg,consumer\n")
        shop.ingest(table)
        assert [image.domain for image in shop.catalog.images_of("both")] == [Domain.SHOP, Domain.CONSUMER]
        after = shop.similar("both", k=5)
        assert [(hit.product.id, hit.distance) for hit in after] == [
            (hit.product.id, hit.distance) for hit in before
        ]
        assert after.photo == before.photo == str(tmp_path / "b.jpg")
        by_photo = shop.similar("seen", k=5)
        assert len(by_photo) == 5
        assert by_photo.photo == str(tmp_path / "a.jpg")
