"""What the checks of all formats have in common: a limit, and the error that something is above it."""

from __future__ import annotations

__all__ = ["TooMany", "at_most"]


class TooMany(Exception):
    """A file has more of something than programs write, and more than a decoder gets through quickly.

    Attributes:
        found: how many there are; those that were not counted any more are not in it.
        limit: how many are read.
        what: what they are, in the plural.
    """

    def __init__(self, found: int, limit: int, what: str) -> None:
        super().__init__(f"{found:,} {what}; at most {limit:,} are read")
        self.found = found
        self.limit = limit
        self.what = what


def at_most(limit: int, found: int, what: str) -> None:
    """Raises ``TooMany`` if more were found than the limit allows."""
    if found > limit:
        raise TooMany(found, limit, what)
