"""Paths of models' files: in the workspace folder they move with it, elsewhere they are as they were said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stylesearch.extractors.spec import absolute_spec, relative_spec
from stylesearch.settings import load_settings


@pytest.mark.parametrize("size", ["", "@96"])
@pytest.mark.parametrize("name", ["net.keras", "models/tuned/net@home.keras"])
def test_a_file_in_the_workspace_moves_with_it(name: str, size: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / name).parent.mkdir(parents=True)
    (home / name).touch()
    spec = f"{(home / name).resolve()}{size}"
    kept = relative_spec(spec, home)
    assert kept == name + size
    assert absolute_spec(kept, home) == spec
    shutil.move(home, tmp_path / "moved")
    assert absolute_spec(kept, tmp_path / "moved") == f"{(tmp_path / 'moved' / name).resolve()}{size}"


def test_anything_else_stays_as_it_is(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.keras"
    elsewhere.touch()
    for spec in (
        "efficientnet-lite0@320",
        "color-histogram",
        str(elsewhere),
        f"{elsewhere}@64",
    ):
        assert relative_spec(spec, tmp_path / "home") == spec
        assert absolute_spec(spec, tmp_path / "home") == spec


def test_a_file_that_is_gone_is_missed_in_the_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = (tmp_path / "home").resolve()
    assert absolute_spec("models/gone.keras", home) == str(home / "models" / "gone.keras")
    (tmp_path / "here.keras").touch()
    monkeypatch.chdir(tmp_path)
    assert absolute_spec("here.keras", home) == "here.keras"


def test_the_settings_file_names_files_from_its_own_folder_on(tmp_path: Path) -> None:
    (tmp_path / "net.keras").touch()
    (tmp_path / "config.toml").write_text('extractor = "net.keras@96"\n')
    assert load_settings({"home": tmp_path}, {}).extractor == f"{(tmp_path / 'net.keras').resolve()}@96"
    # What is said elsewhere is meant from where one stands.
    assert load_settings({"home": tmp_path, "extractor": "net.keras"}, {}).extractor == "net.keras"
    assert load_settings({"home": tmp_path}, {"STYLESEARCH_EXTRACTOR": "net.keras"}).extractor == "net.keras"
