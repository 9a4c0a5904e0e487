"""The value of a setting, wherever it was written: of the setting's type, and within its bounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stylesearch.errors import ConfigError

__all__ = ["SettingRules", "kinds_of"]


def kinds_of(settings: type) -> dict[str, type]:
    """Type of each setting by its name, from the defaults of a dataclass."""
    return {one.name: type(one.default) for one in dataclasses.fields(settings)}


@dataclass(frozen=True, slots=True)
class SettingRules:
    """What is asked of the values of settings, each by its name.

    Attributes:
        kinds: type of each setting.
        least: the smallest value, of those that have one.
        most: the largest.
        choices: all values, of those that have a few.
    """

    kinds: Mapping[str, type]
    least: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, float] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def kind_of(self, name: str, origin: str) -> type:
        """The type of the setting ``name``.

        Args:
            name: of a setting, as it was written.
            origin: where it was written, for messages.

        Raises:
            ConfigError: there is no such setting.
        """
        if name not in self.kinds:
            known = ", ".join(self.kinds)
            raise ConfigError(f"{origin} has an unknown setting {name!r}", hint=f"known: {known}")
        return self.kinds[name]

    def convert(self, name: str, value: Any, origin: str) -> Any:
        """A number or a text as the setting ``name`` wants it.

        Raises:
            ConfigError: there is no such setting, or the value is of another type or out of bounds.

        Example:
            >>> SettingRules({"port": int}, most={"port": 65535}).convert("port", "8000", "the environment")
            8000
        """
        kind = self.kind_of(name, origin)
        refused = ConfigError(f"{origin}: {name} wants {kind.__name__}. Received: {value!r}")
        if isinstance(value, bool) or (kind is str and not isinstance(value, str)):
            raise refused
        try:
            converted = kind(value)
        except (TypeError, ValueError, OverflowError):
            raise refused from None
        # Written with "not", the bounds refuse "not a number" as well.
        if name in self.least and not converted >= self.least[name]:
            raise ConfigError(f"{origin}: {name} is at least {self.least[name]:g}. Received: {value!r}")
        if name in self.most and not converted <= self.most[name]:
            raise ConfigError(f"{origin}: {name} is at most {self.most[name]:g}. Received: {value!r}")
        if name in self.choices and converted not in self.choices[name]:
            known = ", ".join(self.choices[name])
            raise ConfigError(f"{origin}: {name} is one of {known}. Received: {value!r}")
        return converted
