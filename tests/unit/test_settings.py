from pathlib import Path

import pytest

from stylesearch.errors import ConfigError
from stylesearch.settings import Settings, load_settings


def test_a_flag_wins_over_the_environment_that_over_the_file_that_over_the_default(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('metric = "l1"\nspace = "raw"\nbatch_size = 8\n')
    environment = {"STYLESEARCH_SPACE": "whitened", "STYLESEARCH_BATCH_SIZE": "16"}
    settings = load_settings({"home": tmp_path, "batch_size": 4}, environment)
    assert (settings.metric, settings.space, settings.batch_size) == ("l1", "whitened", 4)
    assert settings.regions == Settings().regions
    assert settings.home == tmp_path


def test_none_and_an_empty_variable_count_as_not_given(tmp_path: Path) -> None:
    settings = load_settings({"home": tmp_path, "metric": None}, {"STYLESEARCH_SPACE": ""})
    assert settings == Settings(home=tmp_path)


def test_home_comes_from_the_environment() -> None:
    assert load_settings({}, {"STYLESEARCH_HOME": "/somewhere/shop"}).home == Path("/somewhere/shop")


@pytest.mark.parametrize(
    ("db", "shares"),
    [
        ("postgresql://shop@db/shop", True),
        ("postgresql+psycopg://shop@db/shop", True),
        ("postgresql-copy.db", False),
        ("postgresql+old.db", False),
        ("", False),
    ],
)
def test_only_a_url_of_postgresql_makes_machines_share_fits_and_models(
    tmp_path: Path, db: str, shares: bool
) -> None:
    assert Settings(home=tmp_path, db=db).shares_artifacts is shares


def test_the_database_is_in_the_home_unless_told_otherwise(tmp_path: Path) -> None:
    assert load_settings({"home": tmp_path}, {}).database == str(tmp_path / "catalog.db")
    assert load_settings({"db": "sqlite:///x.db"}, {}).database == "sqlite:///x.db"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"metrik": "l1"}, "unknown setting 'metrik'"),
        ({"batch_size": "many"}, "batch_size wants a whole number"),
        ({"batch_size": True}, "batch_size wants a whole number"),
        ({"metric": 3}, "metric wants a text"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_name(flags: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_settings(flags, {})


@pytest.mark.parametrize(
    ("name", "least", "too_small"),
    [("batch_size", 1, 0), ("workers", 0, -1), ("max_pixels", 256, 255), ("lock_timeout", 0.0, -0.1)],
)
def test_what_is_out_of_range_is_refused_with_where_it_came_from(
    tmp_path: Path, name: str, least: float, too_small: float
) -> None:
    assert getattr(load_settings({"home": tmp_path, name: least}, {}), name) == least
    message = f"{name} is at least"
    with pytest.raises(ConfigError, match=f"the call: {message}"):
        load_settings({"home": tmp_path, name: too_small}, {})
    with pytest.raises(ConfigError, match=f"the environment: {message}"):
        load_settings({"home": tmp_path}, {f"STYLESEARCH_{name.upper()}": str(too_small)})
    (tmp_path / "config.toml").write_text(f"{name} = {too_small}\n")
    with pytest.raises(ConfigError, match=rf"config\.toml: {message}"):
        load_settings({"home": tmp_path}, {})


@pytest.mark.parametrize(
    ("name", "value"), [("lock_timeout", "nan"), ("workers", float("inf")), ("batch_size", float("nan"))]
)
def test_what_is_no_number_is_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        load_settings({name: value}, {})


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("metric = ")
    with pytest.raises(ConfigError, match=r"config\.toml"):
        load_settings({"home": tmp_path}, {})
