import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, NoReturn

import numpy as np
import pytest

from stylesearch import files
from stylesearch.errors import ConfigError
from stylesearch.extractors.weights import keras_models_folder
from stylesearch.files import (
    TEMPORARY_HINT,
    atomic_file,
    cache_folder,
    digest_of,
    find_partials,
    remove_partials,
    sha256_bytes,
    sha256_file,
    temporary_folder,
    write_json,
)
from stylesearch.settings import load_settings


def test_a_file_is_whole_or_absent(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.bin"
    with pytest.raises(RuntimeError), atomic_file(target) as file:
        file.write(b"half")
        raise RuntimeError("the plug is pulled")
    assert list(target.parent.iterdir()) == []
    with atomic_file(target) as file:
        file.write(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file.json"
    write_json(target, {"a": 1})
    before = target.read_bytes()
    with pytest.raises(TypeError):
        write_json(target, {"a": object()})
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]


def test_hashes_agree(tmp_path: Path) -> None:
    data = np.random.default_rng(0).bytes(3_000_000)
    (tmp_path / "x").write_bytes(data)
    assert sha256_file(tmp_path / "x") == sha256_bytes(data)


def test_the_order_of_keys_does_not_change_a_digest() -> None:
    assert digest_of({"a": 1, "b": [2]}) == digest_of({"b": [2], "a": 1}) != digest_of({"a": 1, "b": [3]})


@pytest.fixture
def homeless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without ``HOME`` and without an account. Returns the folder for temporary files."""

    def unknown(_uid: int) -> NoReturn:
        raise KeyError("getpwuid(): uid not found")

    for name in ("HOME", "STYLESEARCH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    files._homeless_cache_folder.cache_clear()
    return tmp_path


def test_caches_of_a_user_without_a_home_lie_among_temporary_files(
    homeless: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = homeless / f"stylesearch-{os.getuid()}"
    assert [cache_folder(), cache_folder()] == [expected, expected]
    assert expected.stat().st_mode & 0o777 == 0o700
    assert caplog.messages == [
        f"this user has no home folder: caches are kept in {expected}; "
        "set STYLESEARCH_CACHE to a folder that lasts"
    ]


def test_a_folder_that_others_can_change_holds_no_caches(homeless: Path) -> None:
    (homeless / f"stylesearch-{os.getuid()}").mkdir()
    (homeless / f"stylesearch-{os.getuid()}").chmod(0o777)
    with pytest.raises(ConfigError, match="is open to others") as caught:
        cache_folder()
    assert caught.value.hint == "set STYLESEARCH_CACHE to a folder of your own"


def test_a_link_stands_in_for_no_folder_of_caches(homeless: Path) -> None:
    (homeless / "elsewhere").mkdir(mode=0o700)
    (homeless / f"stylesearch-{os.getuid()}").symlink_to(homeless / "elsewhere")
    with pytest.raises(ConfigError, match="is open to others"):
        cache_folder()


def test_the_folder_that_was_chosen_needs_no_home(homeless: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLESEARCH_CACHE", str(homeless / "mine"))
    assert cache_folder() == homeless / "mine"
    monkeypatch.setenv("STYLESEARCH_CACHE", "~/mine")
    with pytest.raises(ConfigError, match="no home folder for the path '~/mine'"):
        cache_folder()


def test_the_settings_and_weights_of_a_user_without_a_home(
    homeless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KERAS_HOME", raising=False)
    assert keras_models_folder() == Path("/tmp/.keras/models")
    assert load_settings({}, {}).home == Path(".stylesearch")
    with pytest.raises(ConfigError, match="no home folder for the path '~/shop'"):
        load_settings({"home": "~/shop"}, {})


def test_the_error_of_a_full_disk_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as caught, atomic_file(tmp_path / "file"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.filename == str(tmp_path / "file")
    with pytest.raises(OSError, match="No space left") as caught, atomic_file(tmp_path / "file"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/elsewhere")
    assert caught.value.filename == "/elsewhere"


def test_a_temporary_folder_is_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with temporary_folder("shop-") as folder:
        (folder / "file").write_text("x")
        assert [one.name[:5] for one in tmp_path.iterdir()] == ["shop-"]
    assert list(tmp_path.iterdir()) == []


def test_a_full_folder_for_temporary_files_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: str, _mode: int = 0o777) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("tempfile._os.mkdir", full)
    with pytest.raises(ConfigError, match="No space left on device") as caught, temporary_folder("shop-"):
        pass
    assert str(caught.value).startswith(f"temporary files cannot be written: {tmp_path}/shop-")
    assert caught.value.hint == TEMPORARY_HINT


def test_what_a_killed_process_was_writing_is_removed_by_the_next_write(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from stylesearch.files import atomic_file\n"
        "with atomic_file(sys.argv[1]) as file:\n"
        "    file.write(b'half')\n"
        "    file.flush()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "killed")], check=False, timeout=60)
    (left,) = tmp_path.iterdir()
    assert find_partials(tmp_path) == [left]
    write_json(tmp_path / "another.json", {})
    assert [path.name for path in tmp_path.iterdir()] == ["another.json"]


def test_what_somebody_is_still_writing_is_left_alone(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "slow") as file:
        file.write(b"half")
        assert find_partials(tmp_path) == []
        remove_partials(tmp_path)
    assert (tmp_path / "slow").read_bytes() == b"half"


def test_a_file_of_the_user_is_none_that_was_left(tmp_path: Path) -> None:
    names = [".env.0123456789ab", "report.0123456789ab.partial", ".a.b.partial"]
    for name in names:
        (tmp_path / name).write_bytes(b"mine")
    write_json(tmp_path / "b.json", {})
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "b.json"])


def test_without_locks_only_what_is_old_counts_as_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_lock", lambda file: None)
    young, old = (tmp_path / f".a.{number * 12}.partial" for number in "01")
    for path in (young, old):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    remove_partials(tmp_path)
    assert list(tmp_path.iterdir()) == [young]
    write_json(tmp_path / "b.json", {})
    assert (tmp_path / "b.json").exists()


def test_a_file_that_is_taken_for_a_left_one_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, taken = files._lock, []

    def late(file: IO[bytes]) -> bool | None:
        if not taken:
            taken.append(file.name)
            Path(file.name).unlink()
        return lock(file)

    monkeypatch.setattr(files, "_lock", late)
    write_json(tmp_path / "a.json", 1)
    assert taken
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
