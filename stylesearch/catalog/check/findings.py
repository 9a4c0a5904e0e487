"""What a check of a catalog finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Finding", "Problem"]

KEPT: Final = 10_000
"""Problems of one check that are kept with their places; of more, only the number."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        what: what is wrong, and in which row of which table or in which file.
        product: id of the product that it concerns, if it concerns one and that is known.
        repair: what a repair does about it; "" where it can do nothing.
        key: key of the row that a repair changes, or the name of what it makes anew.
    """

    what: str
    product: str | None = None
    repair: str = ""
    key: int | str | None = None


@dataclass(slots=True)
class Finding:
    """The result of one check.

    Attributes:
        check: what was checked.
        n_checked: how many things that were.
        unit: what these are called.
        problems: the first problems.
        n_problems: how many there are.
        n_repaired: how many a repair has mended: they are not among the problems.
        hint: what to do about problems that no repair mends.
    """

    check: str
    n_checked: int
    unit: str
    problems: list[Problem] = field(default_factory=list)
    n_problems: int = 0
    n_repaired: int = 0
    hint: str = ""

    @classmethod
    def of(
        cls, check: str, n_checked: int, unit: str, problems: Iterable[Problem], hint: str = ""
    ) -> Finding:
        """Makes a finding of all its problems; only the first are kept."""
        found = cls(check, n_checked, unit, hint=hint)
        for one in problems:
            found.add(one)
        return found

    def add(self, problem: Problem) -> None:
        """Adds a problem."""
        self.n_problems += 1
        if len(self.problems) < KEPT:
            self.problems.append(problem)

    def repairable(self, repair: str) -> Iterator[Problem]:
        """Yields the kept problems that a repair mends."""
        return (one for one in self.problems if one.repair == repair)
