"""Converted models: whole or absent, whoever writes at the same time and whatever happens to the files."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from stylesearch.errors import ConfigError
from stylesearch.extractors.engines.model_cache import (
    converted_folder,
    is_unchanged,
    open_converted,
    record_of,
)
from stylesearch.files import cache_folder

PRINT = "ab" * 32


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLESEARCH_CACHE", str(tmp_path / "cache"))
    return converted_folder("net", PRINT)


class Convert:
    def __init__(self):
        self.n_calls = 0

    def __call__(self, folder):
        self.n_calls += 1
        (folder / "model.xml").write_bytes(b"<net/>")
        (folder / "model.bin").write_bytes(b"weights" * 100)
        return {"dim": self.n_calls}


def test_converted_once(folder):
    convert = Convert()
    first = open_converted("net", PRINT, convert)
    second = open_converted("net", PRINT, convert)
    assert convert.n_calls == 1
    assert first == second
    assert first.xml == folder / "model.xml"
    assert first.facts == {"dim": 1}


def test_the_cache_is_where_the_user_wants_it(tmp_path, monkeypatch):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("STYLESEARCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder().name == "stylesearch"


def test_names_make_good_folder_names():
    assert "/" not in converted_folder("../../etc/passwd", PRINT).name


@pytest.mark.parametrize("file_name", ["model.xml", "model.bin", "manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "delete", "empty"])
def test_a_damaged_file_is_noticed_and_made_anew(folder, file_name, damage, caplog):
    convert = Convert()
    open_converted("net", PRINT, convert)
    path = folder / file_name
    content = bytearray(path.read_bytes())
    if damage == "delete":
        path.unlink()
    else:
        content[2] ^= 1
        path.write_bytes({"cut": content[:-1], "flip": content, "empty": b""}[damage])
    assert open_converted("net", PRINT, convert).facts == {"dim": 2}
    assert (folder / "model.bin").read_bytes() == b"weights" * 100
    assert open_converted("net", PRINT, convert).facts == {"dim": 2}
    if (file_name, damage) != ("manifest.json", "delete"):
        assert "damaged" in caplog.text


def test_nothing_is_left_lying_about(folder):
    convert = Convert()
    open_converted("net", PRINT, convert)
    (folder / "model.bin").unlink()
    open_converted("net", PRINT, convert)
    assert sorted(path.name for path in folder.parent.iterdir()) == [f".{folder.name}.lock", folder.name]


def test_a_conversion_that_fails_leaves_nothing(folder):
    def fail(target):
        (target / "model.xml").write_bytes(b"<n")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        open_converted("net", PRINT, fail)
    assert not folder.exists()
    assert open_converted("net", PRINT, Convert()).facts == {"dim": 1}


def test_another_format_is_made_anew(folder):
    convert = Convert()
    open_converted("net", PRINT, convert)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"format": 0}))
    assert open_converted("net", PRINT, convert).facts == {"dim": 2}


def test_a_copied_cache_is_used(tmp_path, folder, monkeypatch):
    convert = Convert()
    open_converted("net", PRINT, convert)
    shutil.copytree(tmp_path / "cache", tmp_path / "copy", copy_function=shutil.copyfile)
    monkeypatch.setenv("STYLESEARCH_CACHE", str(tmp_path / "copy"))
    open_converted("net", PRINT, convert)
    assert convert.n_calls == 1


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("STYLESEARCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match="cannot be written") as error:
        open_converted("net", PRINT, Convert())
    assert "STYLESEARCH_CACHE" in error.value.hint


CONVERT_SLOWLY = f"""
import os, sys, time
from stylesearch.extractors.engines.model_cache import open_converted

def convert(folder):
    with (folder.parent / "conversions.txt").open("a") as log:
        log.write(f"{{os.getpid()}}\\n")
    (folder / "model.xml").write_bytes(b"<net/>")
    time.sleep(0.5)
    (folder / "model.bin").write_bytes(b"weights" * 100)
    return {{"dim": 1}}

print("ready", flush=True)
sys.stdin.readline()
open_converted("net", "{PRINT}", convert)
"""


def test_several_processes_at_once(folder):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CONVERT_SLOWLY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert len((folder.parent / "conversions.txt").read_text().splitlines()) == 1
    assert open_converted("net", PRINT, Convert()).facts == {"dim": 1}


def test_a_file_that_was_only_touched_is_the_same(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    record = record_of(path)
    os.utime(path, ns=(0, 0))
    assert is_unchanged(path, record)
    path.write_bytes(b"CONTENT")
    assert not is_unchanged(path, record)
    path.unlink()
    assert not is_unchanged(path, record)
