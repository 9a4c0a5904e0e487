"""Settings of fetching pictures behind URLs.

A call overrides the environment, that the file, that the defaults. The file is ``config.toml`` in the
workspace folder, its table ``[fetch]``; the environment variable of a setting is its name in capitals behind
``STYLESEARCH_FETCH_`` (``STYLESEARCH_FETCH_N_AT_ONCE=8``).
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from stylesearch.errors import ConfigError
from stylesearch.images.remote.values import FetchOptions
from stylesearch.settings import SettingRules, kinds_of, read_table

__all__ = ["load_fetch_options"]

TABLE: Final = "fetch"
ENVIRONMENT_PREFIX: Final = "STYLESEARCH_FETCH_"
NOT_SET: Final = {"offline"}
"""Fields of ``FetchOptions`` that are for one run."""

_RULES: Final = SettingRules(
    {name: kind for name, kind in kinds_of(FetchOptions).items() if name not in NOT_SET}
)


def load_fetch_options(
    home: Path, given: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> FetchOptions:
    """Loads the options of fetching.

    Args:
        home: the workspace folder, whose ``config.toml`` is read.
        given: fields of ``FetchOptions`` by name, which override the settings.
        environment: stands in for ``os.environ``.

    Raises:
        ConfigError: an unknown name, or a value of the wrong type or out of range.
    """
    environment = os.environ if environment is None else environment
    origin = f"{home / 'config.toml'} [{TABLE}]"
    in_environment = {
        name: value
        for name in _RULES.kinds
        if (value := environment.get(ENVIRONMENT_PREFIX + name.upper(), ""))
    }
    values = _convert(read_table(home / "config.toml", TABLE), origin)
    values |= _convert(in_environment, "the environment")
    return dataclasses.replace(FetchOptions(**values), **(given or {}))


def _convert(found: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Converts the settings of one place, and checks them together with the defaults."""
    values = {name: _RULES.convert(name, value, origin) for name, value in found.items()}
    try:
        FetchOptions(**values)
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error.message}", hint=error.hint) from error
    return values
