"""Values of settings are converted, or refused with where they were written."""

from __future__ import annotations

from typing import Any

import pytest

from stylesearch.errors import ConfigError
from stylesearch.settings import SettingRules, load_settings

RULES = SettingRules(
    {"port": int, "wait": float, "title": str, "format": str},
    least={"port": 0, "wait": 0.5},
    most={"port": 65535},
    choices={"format": ("json", "text")},
)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("port", "80", 80),
        ("port", 65535, 65535),
        ("wait", "0.5", 0.5),
        ("title", "a", "a"),
        ("format", "text", "text"),
    ],
)
def test_a_good_value_is_converted(name: str, value: Any, wanted: Any) -> None:
    converted = RULES.convert(name, value, "the call")
    assert converted == wanted
    assert type(converted) is type(wanted)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("port", -1, "at least 0"),
        ("port", 65536, "at most 65535"),
        ("port", "many", "wants a whole number"),
        ("port", True, "wants a whole number"),
        ("port", float("inf"), "wants a whole number"),
        ("port", None, "wants a whole number"),
        ("wait", "nan", "at least 0.5"),
        ("title", 7, "wants a text"),
        ("format", "xml", "one of json, text"),
    ],
)
def test_a_bad_one_is_refused(name: str, value: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=f"^config.toml: {name} .*{why}"):
        RULES.convert(name, value, "config.toml")


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"the call has an unknown setting 'prot'\. Did you mean 'port'\?"
    ) as caught:
        RULES.convert("prot", 80, "the call")
    assert caught.value.hint == "known: port, wait, title, format"


def test_a_table_that_is_written_wrong_is_recognised() -> None:
    with pytest.raises(ConfigError, match=r"an unknown setting 'serv'\. Did you mean 'serve'\?") as caught:
        load_settings({"serv": {}}, {})
    assert caught.value.hint.endswith(", the table [fetch], the table [serve]")
