"""Tables of named things, each a ``module:attribute`` that is imported when it is first asked for."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from stylesearch.errors import MissingDependency, UnknownName

__all__ = ["Entry", "Registry", "unknown_name"]


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a registry: its target and description.

    Attributes:
        target: ``"package.module:attribute"``.
        summary: one line for listings.
        install: argument of ``pip install`` for when the module's imports are missing.
    """

    target: str
    summary: str
    install: str = ""


EntryT = TypeVar("EntryT", bound=Entry)


class Registry(Mapping[str, EntryT]):
    """Named entries of one kind, in sorted order.

    Example:
        >>> shapes = Registry("shape", {"square": Entry("math:sqrt", "four corners")})
        >>> shapes.load("square")(9.0)
        3.0
    """

    def __init__(self, kind: str, entries: Mapping[str, EntryT]) -> None:
        self.kind = kind
        self._entries = dict(sorted(entries.items()))

    def __getitem__(self, name: str) -> EntryT:
        try:
            return self._entries[name]
        except KeyError:
            raise unknown_name(self.kind, name, self._entries) from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def load(self, name: str) -> Any:
        """Imports the thing called ``name``, and returns it.

        Raises:
            UnknownName: no such entry.
            MissingDependency: its module needs a library that is not installed.
        """
        entry = self[name]
        module_name, _, attribute = entry.target.partition(":")
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith("stylesearch"):
                raise
            raise MissingDependency(
                f"the {self.kind} {name!r} needs the library {error.name!r}, which is not installed",
                hint=f"pip install {entry.install or error.name}",
            ) from error
        return getattr(module, attribute)


def unknown_name(kind: str, name: str, known: Mapping[str, object]) -> UnknownName:
    """Makes the error for a name that is not known, with the nearest known one as a suggestion."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    suggestion = f". Did you mean {near[0]!r}?" if near else ""
    return UnknownName(f"no {kind} is called {name!r}{suggestion}", hint=f"known: {', '.join(sorted(known))}")
