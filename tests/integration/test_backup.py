"""A workspace that is backed up and restored answers as it did."""

from __future__ import annotations

import contextlib
import io
import json
import resource
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stylesearch as ss
from stylesearch.catalog import ImageEntry
from stylesearch.errors import CatalogError, CatalogLocked, CatalogTooNew, ConfigError
from stylesearch.files import sha256_bytes
from stylesearch.serving.uploads import UploadFolder
from stylesearch.types import Product
from stylesearch.workspace import backup
from tests.integration.conftest import Command
from tests.integration.tiny_shop import draw, jpeg

SETTINGS = 'extractor = "color-histogram"\nspace = "whitened"\nregions = "few"\n'
N_FIRST, N_MORE = 80, 85


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders ``first`` and ``more`` of pictures of two categories, and a photo."""
    folder = tmp_path_factory.mktemp("pictures")
    colors = np.random.default_rng(3).integers(0, 256, (N_FIRST + N_MORE + 1, 3))
    for number, color in enumerate(colors[:-1]):
        part = "first" if number < N_FIRST else "more"
        path = folder / part / ("dress", "skirt")[number % 2] / f"p{number:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(draw(tuple(color), size=(60, 80), seed=number)))  # type: ignore[arg-type]
    (folder / "photo.jpg").write_bytes(jpeg(draw(tuple(colors[-1]), size=(60, 80))))  # type: ignore[arg-type]
    return folder


@pytest.fixture(scope="session")
def filled(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the first products; not to be written to."""
    home = tmp_path_factory.mktemp("filled")
    (home / "config.toml").write_text(SETTINGS)
    with ss.open(home) as shop:
        assert shop.ingest(pictures / "first").added == N_FIRST
    return home


@pytest.fixture
def home(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "home"))


def answers(home: Path, photo: Path) -> list[tuple[str, float]]:
    """All products by their distance, and those of one category."""
    with ss.open(home) as shop, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # there may be no index
        results = [shop.query(photo, k=200), shop.query(photo, k=200, category="dress")]
    return [(hit.product.id, hit.distance) for result in results for hit in result.hits]


def ingest(home: Path, folder: Path, **options: Any) -> None:
    with ss.open(home) as shop:
        shop.ingest(folder, **options)


def n_products(home: Path) -> int:
    with ss.open(home) as shop:
        return shop.catalog.totals()[0]


def leftovers(folder: Path) -> list[str]:
    """Hidden files and folders."""
    return [str(path) for path in folder.rglob(".*") if path.name != ".lock" and "models" not in path.parts]


@pytest.mark.parametrize("full", [False, True])
def test_a_restored_workspace_answers_as_it_did(
    home: Path, pictures: Path, tmp_path: Path, full: bool
) -> None:
    before = answers(home, pictures / "photo.jpg")
    assert len(before) == N_FIRST + N_FIRST // 2
    with ss.open(home) as shop:
        made = shop.database.back_up(tmp_path / "backup", full=full)
    assert (made.is_full, made.contents.products) == (full, N_FIRST)
    ingest(home, pictures / "more")
    with ss.open(home) as shop:
        shop.remove(["p001", "p002"])
        shop.indexes.build()
    assert answers(home, pictures / "photo.jpg") != before
    with ss.open(home) as shop:
        shop.database.restore(tmp_path / "backup")
        assert shop.catalog.totals() == (N_FIRST, N_FIRST)
    assert answers(home, pictures / "photo.jpg") == before
    assert answers(home, pictures / "photo.jpg") == before  # with the indexes that the first query has built
    assert leftovers(tmp_path) == []
    ingest(home, pictures / "more")
    assert n_products(home) == N_FIRST + N_MORE


def test_a_log_that_is_left_is_not_replayed_over_what_was_restored(
    home: Path, pictures: Path, tmp_path: Path
) -> None:
    """Copied back by hand, a backup of 80 products was one of 165."""
    with ss.open(home) as shop:
        shop.database.back_up(tmp_path / "backup.db")
        shop.catalog.totals()  # keeps the log, as a process does that is killed afterwards
        ingest(home, pictures / "more")
        killed = tmp_path / "killed"
        shutil.copytree(home, killed)
    assert (killed / "catalog.db-wal").stat().st_size > 0
    with ss.open(killed) as shop:
        shop.database.restore(tmp_path / "backup.db")
    assert n_products(killed) == N_FIRST


def test_an_index_that_was_built_after_a_removal_is_not_trusted(
    home: Path, pictures: Path, tmp_path: Path
) -> None:
    """Its largest feature id is the backup's, and it lacks what the restore brings back."""
    before = answers(home, pictures / "photo.jpg")
    with ss.open(home) as shop:
        shop.database.back_up(tmp_path / "backup.db")
        shop.remove([f"p{number:03}" for number in range(40)])
        shop.indexes.build()
        shop.database.restore(tmp_path / "backup.db")
    assert answers(home, pictures / "photo.jpg") == before


def test_ids_that_are_used_again_find_the_images_that_have_them_now(
    pictures: Path, tmp_path: Path, stopped_clock: None
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text(SETTINGS)
    ingest(home, pictures / "first")
    with ss.open(home) as shop:
        shop.database.back_up(tmp_path / "backup.db")
    ingest(home, pictures / "more")
    with ss.open(home) as shop:
        shop.indexes.build()
        assert shop.catalog.highest_feature_id() == N_FIRST + N_MORE
        shop.database.restore(tmp_path / "backup.db")
    changed = tmp_path / "changed"
    for number in range(N_MORE):
        path = changed / "dress" / f"c{number:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(draw((number, 255 - number, 90), size=(60, 80), seed=1000 + number)))
    ingest(home, changed)
    with ss.open(home) as shop:
        assert shop.catalog.highest_feature_id() == N_FIRST + N_MORE
    found = answers(home, pictures / "photo.jpg")
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    (fresh / "config.toml").write_text(SETTINGS)
    shutil.copy(home / "catalog.db", fresh / "catalog.db")
    assert [one[0] for one in found] == [one[0] for one in answers(fresh, pictures / "photo.jpg")]


def test_a_new_machine_gets_what_was_put_over_the_api(home: Path, tmp_path: Path) -> None:
    data = jpeg(draw((1, 2, 3)))
    uploads = UploadFolder(home)
    uploads.store(data)
    path = str(uploads.path_of(data))
    with ss.open(home) as shop:
        with shop.catalog.writing() as writer, writer.transaction():
            writer.upsert_products([Product("put", "Put", "dress")], source="")
            writer.upsert_images(
                [ImageEntry("put", path, sha256=sha256_bytes(data), width=120, height=160)], source=""
            )
        (home / "uploads" / "ab").mkdir(exist_ok=True)
        (home / "uploads" / "ab" / ".half-written").write_bytes(b"x")
        (home / "uploads" / "unfinished-1234.json").write_text("[]")
        (home / "webhooks").mkdir()
        (home / "webhooks" / "123.json").write_text('["products/update", "2026-01-01", {}]')
        made = shop.database.back_up(tmp_path / "backup.tar", full=True)
    assert (made.uploads, made.models, made.has_settings) == (1, (), True)
    assert (tmp_path / "backup.tar").stat().st_mode & 0o777 == 0o600
    shutil.rmtree(home)
    with ss.open(tmp_path / "elsewhere") as shop:
        assert shop.database.restore(tmp_path / "backup.tar").uploads == 1
    moved = tmp_path / "elsewhere"
    found = UploadFolder(moved).find(path, sha256_bytes(data))
    assert found is not None
    assert found.read_bytes() == data
    assert (moved / "config.toml").read_text() == SETTINGS
    assert (moved / "webhooks" / "123.json").exists()
    assert sorted(one.name for one in (moved / "uploads").iterdir()) == [found.parent.name]
    found.write_bytes(bytes(len(data)))
    with ss.open(moved) as shop:
        shop.database.restore(tmp_path / "backup.tar")
        assert shop.catalog.images_of("put")[0].path == path
    assert found.read_bytes() == data
    with ss.open(moved) as shop:
        assert shop.settings.extractor == "color-histogram"


def test_models_come_back_as_they_were(home: Path, tmp_path: Path) -> None:
    version, folder = "0123456789abcdef-01234567", home / "models" / "own"
    (folder / version).mkdir(parents=True)
    (folder / "training").mkdir()
    (folder / "training" / "checkpoint").write_bytes(b"unfinished")
    (folder / version / "transform.npz").write_bytes(b"first")
    card = json.dumps({"files": version})
    (folder / "model.json").write_text(card)
    with ss.open(home) as shop:
        assert shop.database.back_up(tmp_path / "backup.tar", full=True).models == ("own",)
        (folder / "model.json").write_text(json.dumps({"files": "ffffffffffffffff-01234567"}))
        (folder / version / "transform.npz").write_bytes(b"altered")
        (home / "config.toml").write_text("regions = 'large'\n")
        shop.database.restore(tmp_path / "backup.tar")
    assert (folder / "model.json").read_text() == card
    assert (folder / version / "transform.npz").read_bytes() == b"first"
    assert (folder / "training" / "checkpoint").exists()
    assert (home / "config.toml").read_text() == SETTINGS
    assert (home / "config.toml.before-restore").read_text() == "regions = 'large'\n"
    with tarfile.open(tmp_path / "backup.tar") as tar:
        assert not [name for name in tar.getnames() if "training" in name]


def test_settings_name_the_catalog_that_was_restored(home: Path, tmp_path: Path) -> None:
    (home / "catalog.db").rename(tmp_path / "elsewhere.db")
    (home / "config.toml").write_text(f'{SETTINGS}db = "{tmp_path}/elsewhere.db"\n')
    with ss.open(home) as shop:
        shop.database.back_up(tmp_path / "backup.tar", full=True)
    with ss.open(tmp_path / "new") as shop:
        shop.database.restore(tmp_path / "backup.tar")
    with ss.open(tmp_path / "new") as shop:
        assert shop.catalog.backend.shown == str((tmp_path / "new" / "catalog.db").resolve())
        assert shop.catalog.totals()[0] == N_FIRST


def test_the_catalog_that_the_present_settings_name_is_the_one_that_is_restored(
    home: Path, tmp_path: Path
) -> None:
    new, place = tmp_path / "new", tmp_path / "place.db"
    new.mkdir()
    (new / "config.toml").write_text(f'db = "{place}"\n')
    with ss.open(home) as shop:
        shop.database.back_up(tmp_path / "backup.tar", full=True)
    with ss.open(new) as shop:
        shop.database.restore(tmp_path / "backup.tar")
    with ss.open(new) as shop:
        assert shop.catalog.backend.shown == str(place.resolve())
        assert shop.catalog.totals()[0] == N_FIRST
        assert shop.settings.extractor == "color-histogram"


def test_a_restore_that_is_cut_short_leaves_the_present_settings(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ss.open(home) as shop:
        shop.database.back_up(tmp_path / "backup.tar", full=True)
        (home / "config.toml").write_text("regions = 'large'\n")
        move = backup._move

        def cut_short(path: Path, target: Path) -> None:
            if target.name == "config.toml":
                raise KeyboardInterrupt
            move(path, target)

        monkeypatch.setattr(backup, "_move", cut_short)
        with pytest.raises(KeyboardInterrupt):
            shop.database.restore(tmp_path / "backup.tar")
        assert (home / "config.toml").read_text() == "regions = 'large'\n"
        monkeypatch.undo()
        shop.database.restore(tmp_path / "backup.tar")
    assert (home / "config.toml").read_text() == SETTINGS
    assert (home / "config.toml.before-restore").read_text() == "regions = 'large'\n"


def test_an_older_backup_is_upgraded_when_it_is_opened(tmp_path: Path) -> None:
    dump = Path(__file__).parents[1] / "migrations" / "dumps" / "0001.sql"
    with contextlib.closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.executescript(dump.read_text())
    with ss.open(tmp_path / "home") as shop:
        restored = shop.database.restore(tmp_path / "old.db")
        assert restored.contents.schema == "0001"
        assert shop.catalog.totals()[0] == restored.contents.products > 0


def test_a_vector_that_was_damaged_before_is_told(
    home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ss.open(home) as shop:
        shop.database.back_up(tmp_path / "b.db")
        with contextlib.closing(sqlite3.connect(tmp_path / "b.db")) as connection, connection:
            connection.execute("UPDATE features SET checksum = checksum + 1 WHERE image_pk = 3")
        shop.database.restore(tmp_path / "b.db")
    assert f"1 of {N_FIRST} vectors, with their checksums are damaged" in caplog.text


def test_what_is_no_backup_changes_nothing(home: Path, tmp_path: Path) -> None:
    with ss.open(home) as shop:
        shop.database.back_up(tmp_path / "backup.db")
        shop.database.back_up(tmp_path / "backup.tar", full=True)
    before = (home / "catalog.db").read_bytes()
    whole = (tmp_path / "backup.tar").read_bytes()
    pages = bytearray((tmp_path / "backup.db").read_bytes())
    pages[3 * 16384 : 5 * 16384] = bytes(2 * 16384)
    newer = tmp_path / "newer.db"
    shutil.copy(tmp_path / "backup.db", newer)
    with contextlib.closing(sqlite3.connect(newer)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 1
    cases: dict[str, tuple[bytes, type[Exception]]] = {
        "empty": (b"", CatalogError),
        "text": (b"no backup\n" * 1000, CatalogError),
        "short": (whole[: len(whole) // 2], CatalogError),
        "flipped": (bytes(flipped), CatalogError),
        "pages": (bytes(pages), CatalogError),
        "short.db": ((tmp_path / "backup.db").read_bytes()[: 3 * 16384], CatalogError),
        "newer": (newer.read_bytes(), CatalogTooNew),
    }
    with ss.open(home) as shop:
        for name, (data, error) in cases.items():
            (tmp_path / name).write_bytes(data)
            with pytest.raises(error) as caught:
                shop.database.restore(tmp_path / name)
            assert "the catalog is damaged" not in str(caught.value)
            assert error is CatalogTooNew or "nothing was changed" in caught.value.hint
        shop.database.export(tmp_path / "export.tar")
        with pytest.raises(CatalogError, match="not a backup") as caught:
            shop.database.restore(tmp_path / "export.tar")
        assert "stylesearch db import" in caught.value.hint
        with pytest.raises(CatalogError, match="No such file"):
            shop.database.restore(tmp_path / "none")
        with pytest.raises(ConfigError, match="itself"):
            shop.database.restore(home / "catalog.db")
    assert (home / "catalog.db").read_bytes() == before
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../outside", "no backup has"),
        ("uploads/../../outside", "no backup has"),
        ("/etc/outside", "no backup has"),
        ("catalog.db.lock", "no backup has"),
        ("networks/../x.keras", "no backup has"),
    ],
)
def test_an_archive_writes_nowhere_else(home: Path, tmp_path: Path, name: str, reason: str) -> None:
    from stylesearch.workspace.backup_archive import ArchiveWriter

    hostile = tmp_path / "hostile.tar"
    (tmp_path / "content").write_bytes(b"x")
    with hostile.open("wb") as file:
        archive = ArchiveWriter(file, lambda n: None)
        archive.add_path("catalog.db", home / "catalog.db")
        archive.add_path(name, tmp_path / "content")
        archive.finish({"created": "", "catalog": {}})
    with ss.open(home) as shop, pytest.raises(CatalogError, match=reason):
        shop.database.restore(hostile)


def test_a_link_in_an_archive_is_refused(home: Path, tmp_path: Path) -> None:
    with ss.open(home) as shop:
        shop.database.back_up(tmp_path / "backup.tar", full=True)
        with tarfile.open(tmp_path / "backup.tar") as tar, tarfile.open(tmp_path / "bad.tar", "w") as bad:
            for member in tar:
                if member.name == "config.toml":
                    member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0
                bad.addfile(member, tar.extractfile(member) if member.isreg() else None)
        with pytest.raises(CatalogError, match=r"'config\.toml'"):
            shop.database.restore(tmp_path / "bad.tar")


@pytest.fixture
def other_process(home: Path) -> Iterator[None]:
    """A process that has the catalog open, and does nothing."""
    script = f"""
import stylesearch as ss
with ss.open({str(home)!r}) as shop:
    shop.catalog.totals()
    print("open", flush=True)
    input()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "open\n"
    yield
    process.communicate("\n")


def test_a_restore_waits_for_nobody_who_has_the_catalog_open(
    home: Path, tmp_path: Path, other_process: None, stylesearch: Command
) -> None:
    assert stylesearch("--home", home, "db", "backup", tmp_path / "b.db").code == 0
    refused = stylesearch("--home", home, "db", "restore", tmp_path / "b.db", "--yes")
    assert refused.code == 1
    assert "another process has the catalog" in refused.err
    # An import that replaces all rows would leave the other process with indexes of those that are gone.
    assert stylesearch("--home", home, "db", "export", tmp_path / "export").code == 0
    replaced = stylesearch("--home", home, "db", "import", tmp_path / "export", "--overwrite", "--yes")
    assert (replaced.code, "another process has the catalog" in replaced.err) == (1, True)
    assert leftovers(tmp_path) == []


def test_a_damaged_catalog_takes_the_place_of_no_good_backup(
    home: Path, tmp_path: Path, stylesearch: Command, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "b.db"
    assert stylesearch("--home", home, "db", "backup", file).code == 0
    good = file.read_bytes()
    with contextlib.closing(sqlite3.connect(home / "catalog.db")) as connection, connection:
        connection.execute(
            "UPDATE features SET vector = zeroblob(length(vector)) WHERE id = (SELECT max(id) FROM features)"
        )
    warned = stylesearch("--home", home, "db", "backup", tmp_path / "c.db")
    assert warned.code == 0
    assert f"1 of {N_FIRST} vectors, with their checksums are damaged" in caplog.text
    with contextlib.closing(sqlite3.connect(home / "catalog.db")) as connection, connection:
        connection.execute("UPDATE images SET product_pk = 7777 WHERE pk = 1")
    refused = stylesearch("--home", home, "db", "backup", file, "--overwrite")
    assert refused.code == 1
    assert "the catalog is damaged: row 1 of images points to a row of products" in refused.err
    assert file.read_bytes() == good
    assert leftovers(tmp_path) == []


def test_a_backup_is_made_while_another_process_writes(home: Path, pictures: Path, tmp_path: Path) -> None:
    with ss.open(home) as shop, shop.catalog.writing() as writer:
        with writer.transaction():
            writer.upsert_products([Product("half", "Half", "dress")], source="other")
            with ss.open(home) as other:
                assert other.database.back_up(tmp_path / "b.db").contents.products == N_FIRST
        with ss.open(home, lock_timeout=0.1) as other, pytest.raises(CatalogLocked):
            other.database.restore(tmp_path / "b.db")
    assert n_products(home) == N_FIRST + 1


def test_commands_say_what_is_in_a_backup_and_ask_first(
    home: Path, tmp_path: Path, stylesearch: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "b.db"
    made = stylesearch("--home", home, "db", "backup", file)
    assert made.code == 0
    assert f"{N_FIRST} products, {N_FIRST} images and {N_FIRST} features" in made.out
    again = stylesearch("--home", home, "db", "backup", file)
    assert (again.code, "exists already" in again.err) == (1, True)
    for over in (home / "catalog.db", home / "catalog.db-wal"):
        itself = stylesearch("--home", home, "db", "backup", over, "--overwrite")
        assert (itself.code, "the catalog itself" in itself.err) == (1, True)
    with ss.open(home) as shop:
        shop.remove(["p001"])
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    unanswered = stylesearch("--home", home, "db", "restore", file)
    assert unanswered.code == 1
    assert f"replace the {N_FIRST - 1} products of {home}/catalog.db by {N_FIRST} products" in unanswered.err
    assert "nothing was changed" in unanswered.err
    assert n_products(home) == N_FIRST - 1
    restored = stylesearch("--home", home, "db", "restore", file, "--yes", "--json")
    assert restored.json["products"] == N_FIRST == n_products(home)
    asked = stylesearch("--home", tmp_path / "new", "db", "restore", file)
    assert asked.code == 0
    assert f"`stylesearch --home {tmp_path}/new index build`" in asked.out
    vacuumed = stylesearch("--home", home, "db", "vacuum", "--json")
    assert vacuumed.json["after"] <= vacuumed.json["before"]


def test_what_a_killed_backup_left_is_removed_by_the_next(home: Path, tmp_path: Path) -> None:
    left = tmp_path / ".b.db.0123abcd.partial"
    left.mkdir()
    (left / "catalog.db").write_bytes(b"half")
    with ss.open(home) as shop:
        shop.database.back_up(tmp_path / "b.db")
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("share", [0.5, 1.0005])
@pytest.mark.parametrize("what", ["back_up", "restore"])
def test_a_full_disk_changes_nothing(home: Path, tmp_path: Path, what: str, share: float) -> None:
    """The limit is on one file: a little above its size a copy fits, and the log of a restore does not."""
    with ss.open(home) as shop:
        shop.database.back_up(tmp_path / "b.db")
    size = (tmp_path / "b.db").stat().st_size
    with ss.open(home) as shop:
        shop.remove(["p001"])
    limit = int(size * share)

    def run() -> None:
        with ss.open(home) as shop:
            _ = shop.catalog
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            try:
                if what == "restore":
                    shop.database.restore(tmp_path / "b.db")
                else:
                    shop.database.back_up(tmp_path / "other.tar", full=True)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    with pytest.raises((CatalogError, OSError)):
        run()
    assert not (tmp_path / "other.tar").exists()
    assert n_products(home) == N_FIRST - 1
    assert leftovers(tmp_path) == []
