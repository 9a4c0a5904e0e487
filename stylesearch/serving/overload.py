"""What a service says when it cannot take or finish a search now: try again, and when."""

from __future__ import annotations

from stylesearch.errors import StyleSearchError

__all__ = ["Overload", "QueueFull", "SearchTimeout", "ServiceStopping"]


class Overload(StyleSearchError):
    """A search that was not done, through no fault of its own.

    Attributes:
        retry_after: seconds after which it is worth trying again.
    """

    def __init__(self, message: str, *, retry_after: float, hint: str = "") -> None:
        super().__init__(message, hint=hint or "try again a little later")
        self.retry_after = retry_after


class QueueFull(Overload):
    """As many photos as the queue holds are waiting already."""


class SearchTimeout(Overload, TimeoutError):
    """The answer was not there in time; the photo is not looked at any more."""


class ServiceStopping(Overload):
    """The service finishes what it holds and takes nothing new."""
