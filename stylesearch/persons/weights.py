"""The two files that persons are found with: where they lie, and how they come out of MediaPipe's wheel.

They are BlazePose as Google published it in the PyPI package ``mediapipe``, under the Apache License 2.0. The
package itself cannot be installed beside this one (it wants other versions of NumPy and protobuf), so its
wheel is fetched without what it depends on, whatever Python runs here, and only the two files are kept.

They lie in the user's cache folder. A container image ships them in a folder of its own too, which
``$STYLESEARCH_SHIPPED`` names: a volume of an older container, mounted over the cache, has no such files.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import logging
import os
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stylesearch.errors import ConfigError, WeightsMismatch, WeightsNotFound
from stylesearch.extractors.weights import sha256_remembered
from stylesearch.files import TEMPORARY_HINT, atomic_file, cache_folder, sha256_bytes, temporary_folder

__all__ = [
    "DETECTOR",
    "FETCH",
    "LANDMARKS",
    "LICENSE",
    "PERSON_FILES",
    "WHEEL",
    "PersonFile",
    "download_wheel",
    "fetch_person_files",
    "find_person_file",
    "read_wheel",
]

logger = logging.getLogger("stylesearch.persons")

WHEEL: Final = "mediapipe==0.10.14"
"""The package and version that has the files; wheels from 1.0 on have none."""

LICENSE: Final = "Apache-2.0"
"""The license of the files."""

FETCH: Final = "stylesearch weights fetch"
"""The command that brings the files."""

_PLATFORM: Final = (
    *("--python-version", "3.11", "--implementation", "cp", "--abi", "cp311"),
    *("--platform", "manylinux_2_17_x86_64"),
)
"""One wheel for every machine: the files in all of them are the same."""

_SECONDS: Final = 600.0
"""How long pip may take."""

_LARGEST_BYTES: Final = 64 << 20
"""A member of a wheel that claims to be larger is not read."""


@dataclass(frozen=True, slots=True)
class PersonFile:
    """A file of BlazePose.

    Attributes:
        member: its path in the wheel.
        sha256: hexadecimal digest of its bytes.
        size: in bytes.
        summary: what it finds.
    """

    member: str
    sha256: str
    size: int
    summary: str

    @property
    def name(self) -> str:
        """Its file name."""
        return self.member.rpartition("/")[2]

    @property
    def path(self) -> Path:
        """Where it is kept, with what is made from it beside it; it may not be there."""
        return self._path_in(cache_folder())

    @property
    def shipped_path(self) -> Path | None:
        """Where a container image ships it; None outside of one."""
        folder = os.environ.get("STYLESEARCH_SHIPPED")
        return self._path_in(Path(folder)) if folder else None

    def _path_in(self, folder: Path) -> Path:
        stem = self.name.partition(".")[0]
        return folder / "persons" / f"{stem}-{self.sha256[:12]}" / self.name


DETECTOR: Final = PersonFile(
    "mediapipe/modules/pose_detection/pose_detection.tflite",
    "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    2_959_046,
    "where persons are",
)
LANDMARKS: Final = PersonFile(
    "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
    "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    6_440_512,
    "joints and outline of a person",
)
PERSON_FILES: Final = (DETECTOR, LANDMARKS)


def find_person_file(file: PersonFile) -> Path:
    """The path of a file that is on this machine and is what it should be.

    Where the cache folder does not have it, it is copied from what a container image ships, since what is
    made from it is kept beside it; where the cache folder cannot be written, it is used where it is shipped.

    Raises:
        WeightsNotFound: it is not there.
        WeightsMismatch: it has other bytes.
    """
    path = file.path
    try:
        digest = sha256_remembered(path)
    except OSError as error:
        shipped = _use_shipped(file)
        if shipped is not None:
            return shipped
        raise WeightsNotFound(
            f"persons cannot be found in photos: {path} cannot be read ({error.strerror or error})",
            hint=FETCH,
        ) from error
    if digest != file.sha256:
        shipped = _use_shipped(file)
        if shipped is not None:
            return shipped
        raise WeightsMismatch(
            f"{path} is not the file it should be: its sha256 begins {digest[:12]}, not {file.sha256[:12]}",
            hint=FETCH,
        )
    return path


def _use_shipped(file: PersonFile) -> Path | None:
    """Copies a shipped file into the cache folder; None where none is shipped, or it has other bytes."""
    shipped = file.shipped_path
    if shipped is None or not shipped.is_file():
        return None
    content = shipped.read_bytes()
    if sha256_bytes(content) != file.sha256:
        logger.warning("%s is damaged and not used", shipped)
        return None
    try:
        with atomic_file(file.path) as output:
            output.write(content)
    except OSError as error:
        logger.info("%s is used where it is: the cache folder cannot be written (%s)", shipped, error)
        return shipped
    return file.path


def fetch_person_files(wheel: Path | None = None) -> list[PersonFile]:
    """Brings the files that are missing or damaged into the user's cache.

    Args:
        wheel: MediaPipe's wheel, if it is here already; else pip downloads it.

    Returns:
        The files that were written.

    Raises:
        WeightsNotFound: pip cannot get the wheel, or a file is not in it.
        WeightsMismatch: a file in the wheel is not the one it should be; none is kept.
        ConfigError: the cache folder or that for temporary files cannot be written.
    """
    wanted = [file for file in PERSON_FILES if not _is_whole(file)]
    if not wanted:
        return []
    if wheel is not None:
        contents = read_wheel(wheel, wanted)
    else:
        with temporary_folder("stylesearch-") as folder:
            contents = read_wheel(download_wheel(folder), wanted)
    for file, content in zip(wanted, contents, strict=True):
        try:
            with atomic_file(file.path) as output:
                output.write(content)
        except OSError as error:
            raise ConfigError(
                f"the cache folder {cache_folder()} cannot be written: {error.strerror or error}",
                hint="set STYLESEARCH_CACHE to a folder that can",
            ) from error
    return wanted


def _is_whole(file: PersonFile) -> bool:
    with contextlib.suppress(WeightsNotFound, WeightsMismatch):
        return bool(find_person_file(file))
    return False


def download_wheel(folder: Path) -> Path:
    """Has pip download MediaPipe's wheel into ``folder``, alone, from the index that this machine uses.

    Raises:
        WeightsNotFound: pip is not installed, or cannot get it.
        ConfigError: pip has no room in the folder for temporary files.
    """
    if importlib.util.find_spec("pip") is None:
        raise _not_downloaded("this Python has no pip")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "--retries=2",
        "--timeout=20",
    ]
    command += ["--no-deps", "--only-binary=:all:", *_PLATFORM, "--dest", str(folder), WHEEL]
    logger.info("%s", " ".join(command))
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise _not_downloaded(f"pip took longer than {_SECONDS:.0f} seconds") from None
    wheels = sorted(folder.glob("mediapipe-*.whl"))
    if done.returncode or not wheels:
        if os.strerror(errno.ENOSPC) in done.stderr:
            raise ConfigError(
                f"the folder for temporary files has no room for {WHEEL}, which has the files for persons: "
                f"{folder.parent}",
                hint=TEMPORARY_HINT,
            )
        said = [line.strip() for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        raise _not_downloaded(
            said[-1].removeprefix("ERROR: ") if said else f"pip ended with {done.returncode}"
        )
    return wheels[0]


def _not_downloaded(reason: str) -> WeightsNotFound:
    return WeightsNotFound(
        f"the files that find persons in photos could not be fetched: {reason}",
        hint=f"where there is a network: pip download --no-deps --only-binary=:all: {' '.join(_PLATFORM)} "
        f"{WHEEL}; then here: {FETCH} --wheel FILE",
    )


def read_wheel(path: Path, files: Sequence[PersonFile] = PERSON_FILES) -> list[bytes]:
    """Reads files out of a wheel, and compares each with its digest.

    Raises:
        WeightsNotFound: there is no such wheel, it is no zip archive, or it lacks a file.
        WeightsMismatch: a file is not the one it should be.
    """
    contents = []
    try:
        with zipfile.ZipFile(path) as archive:
            for file in files:
                if archive.getinfo(file.member).file_size > _LARGEST_BYTES:
                    raise WeightsMismatch(f"{file.member} in {path} is too large to be what it should be")
                contents.append(archive.read(file.member))
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        hint = "" if isinstance(error, OSError) else f"get {WHEEL}"  # it may be a good one that is not ours
        raise WeightsNotFound(f"{path} cannot be read as a wheel: {error}", hint=hint) from error
    except KeyError as error:
        raise WeightsNotFound(
            f"{path} has no file {error.args[0]}", hint=f"get {WHEEL}; newer versions lack the files"
        ) from error
    for file, content in zip(files, contents, strict=True):
        digest = sha256_bytes(content)
        if digest != file.sha256:
            raise WeightsMismatch(
                f"{file.member} in {path} is not the file it should be: its sha256 begins {digest[:12]}, "
                f"not {file.sha256[:12]}",
                hint=f"get {WHEEL} from another index",
            )
    return contents
