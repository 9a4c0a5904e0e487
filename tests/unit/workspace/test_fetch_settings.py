"""Limits of fetching are settings: of the file, the environment and the call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import stylesearch as ss
from stylesearch.errors import ConfigError
from stylesearch.images.remote import FetchOptions
from stylesearch.ingest import pipeline
from stylesearch.settings import load_settings
from stylesearch.workspace.fetch_settings import load_fetch_options

FILE = """extractor = "color-histogram"

[fetch]
n_at_once = 8
n_per_host = 4
max_bytes = 1_000_000
connect_seconds = 2
read_seconds = 3.5
http2 = true
allow_private = true
buckets = ["s3://shop-media", "gs://pictures/a"]
"""
OF_FILE = FetchOptions(
    n_at_once=8,
    n_per_host=4,
    max_bytes=1_000_000,
    connect_seconds=2.0,
    read_seconds=3.5,
    http2=True,
    allow_private=True,
    buckets=("s3://shop-media", "gs://pictures/a"),
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(FILE)
    return tmp_path


def test_the_file_is_read_and_other_settings_are_not_disturbed(home: Path) -> None:
    assert load_fetch_options(home, environment={}) == OF_FILE
    assert load_settings({"home": home}, {}).extractor == "color-histogram"


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert load_fetch_options(tmp_path, environment={}) == FetchOptions()


def test_the_environment_wins_over_the_file_and_the_call_over_both(home: Path) -> None:
    environment = {
        "STYLESEARCH_FETCH_N_AT_ONCE": "5",
        "STYLESEARCH_FETCH_HTTP2": "false",
        "STYLESEARCH_FETCH_BUCKETS": "s3://one, s3://two",
        "STYLESEARCH_FETCH_MAX_BYTES": "",
    }
    expected = replace(OF_FILE, n_at_once=5, http2=False, buckets=("s3://one", "s3://two"))
    assert load_fetch_options(home, environment=environment) == expected
    given = {"n_at_once": 2, "offline": True, "buckets": ("s3://three",)}
    assert load_fetch_options(home, given, environment) == replace(expected, **given)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("n_at_once = 0", "n_at_once has to be 1 or more"),
        ("n_at_once = 'many'", "n_at_once wants a whole number"),
        ("read_seconds = nan", "read_seconds has to be more than 0"),
        ("http2 = 1", "http2 wants true or false"),
        ("allow_private = 'yes'", "allow_private wants true or false"),
        ("buckets = 's3://a, shop-media'", "not a bucket of a known object store. Received: 'shop-media'"),
        ("buckets = [5]", "buckets wants a list of texts"),
        ("offline = true", "unknown setting 'offline'"),
        ("fetches = 3", "unknown setting 'fetches'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "config.toml").write_text(f"[fetch]\n{line}\n")
    with pytest.raises(ConfigError) as raised:
        load_fetch_options(tmp_path, environment={})
    assert message in raised.value.message
    assert f"{tmp_path / 'config.toml'} [fetch]" in raised.value.message


def test_an_ingest_takes_them_and_what_the_call_gives(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[FetchOptions] = []
    real = pipeline._fetch

    def note(tasks: Any, options: Any) -> Any:
        seen.append(options.fetching)
        return real(tasks, options)

    monkeypatch.setattr(pipeline, "_fetch", note)
    table = tmp_path / "shop.csv"
    table.write_text("id,image\na,https://shop.example/a.jpg\n")
    with ss.open(home) as shop:
        shop.ingest(table, fetching={"offline": True, "n_at_once": 3})
    assert seen == [replace(OF_FILE, offline=True, n_at_once=3)]
