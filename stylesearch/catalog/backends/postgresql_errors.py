"""Translates the errors of PostgreSQL, and of the way to it, into those of this library."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, IntegrityError

from stylesearch.catalog.backends.base import BUSY_SECONDS
from stylesearch.errors import CatalogDamaged, CatalogError, CatalogLocked

__all__ = ["explain"]

_LOST: Final = (
    "what was committed is kept, and nothing of a transaction that was cut: check that the server runs, and "
    "try again"
)

_BY_CODE: Final[Mapping[str, tuple[str, str]]] = {
    "22021": ("a text cannot be stored in {place}", "the database needs the encoding UTF8"),
    "22P05": ("a text cannot be stored in {place}", "the database needs the encoding UTF8"),
    "25006": (
        "{place} can only be read",
        "the server is a standby, or the role or database has default_transaction_read_only: give the URL of "
        "the primary server",
    ),
    "28000": ("{place} does not let this role in", "check user, password, pg_hba.conf and the URL"),
    "28P01": ("{place} does not let this role in", "check user, password, pg_hba.conf and the URL"),
    "3D000": ("there is no database {place}", "make it with `createdb`, or check the URL"),
    "42501": (
        "this role may not do that in {place}",
        "let it with GRANT: see the roles in docs/postgresql.md; only the owner can upgrade the catalog",
    ),
    "53100": ("no space left on the server of {place}", "free some space there and run it again"),
    "53200": ("the server of {place} is out of memory", "give it more, or run fewer things at once"),
    "53300": (
        "the server of {place} has too many connections",
        "make db_pool_size and db_pool_overflow smaller, or max_connections of the server larger",
    ),
    "57014": (
        "a statement in {place} took too long, or was cancelled",
        "raise the role's statement_timeout, or let nobody cancel it",
    ),
    "25P03": (
        "the server of {place} ended a transaction in which nothing happened for too long",
        "raise the role's idle_in_transaction_session_timeout",
    ),
}
"""Message and hint by the code of an error (SQLSTATE)."""

_LOCKED: Final = frozenset({"40001", "40P01", "55P03"})
"""Codes of errors that another session's transaction is the reason of."""

_DAMAGED: Final = frozenset({"42P01", "42703", "XX001", "XX002"})
"""Codes of a table or column that is missing, and of damage; the schema is fixed."""

_IN_TEXT: Final = (
    ("password authentication failed", "28P01"),
    ("no password supplied", "28P01"),
    ("no pg_hba.conf entry", "28000"),
    ("too many connections", "53300"),
    ("too many clients", "53300"),
    ("remaining connection slots", "53300"),
)
"""What libpq says where an error has no code: while it connects."""

_NO_DATABASE: Final = re.compile('database "[^"]*" does not exist')


def explain(context: ExceptionContext, place: str, secrets: frozenset[str]) -> None:
    """Turns an error of the database into one of this library.

    Rows that contradict each other stay an ``IntegrityError``: who inserts knows what that means.

    Args:
        context: the error. That of a ping stays as it is: the pool makes a new connection then.
        place: where the database is, without a password.
        secrets: texts that no message repeats.
    """
    raised, original = context.sqlalchemy_exception, context.original_exception
    if context.is_pre_ping or not isinstance(raised, DBAPIError) or isinstance(raised, IntegrityError):
        return
    said = _said_by(original, secrets)
    code = str(getattr(original, "sqlstate", None) or _code_in(said))
    if code in _LOCKED:
        raise CatalogLocked(
            f"another session has locked rows or tables of {place} for {BUSY_SECONDS:.0f} s: {said}",
            hint="wait until it is done, or end it, and try again",
        ) from original
    if code in _DAMAGED:
        raise CatalogDamaged(f"{place}: {said}") from original
    if code in _BY_CODE:
        message, hint = _BY_CODE[code]
        raise CatalogError(f"{message.format(place=place)}: {said}", hint=hint) from original
    if context.connection is None:
        raise CatalogError(
            f"cannot connect to {place}: {said}", hint="check that the server runs and that the URL is right"
        ) from original
    if context.is_disconnect:
        raise CatalogError(f"the connection to {place} was lost: {said}", hint=_LOST) from original
    raise CatalogError(f"PostgreSQL failed on {place}: {said}", hint="see the server's log") from original


def _said_by(error: BaseException | None, secrets: frozenset[str]) -> str:
    """The first lines of what the server said, without secrets."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = "; ".join(lines[:2])
    for secret in secrets:
        said = said.replace(secret, "***")
    return said


def _code_in(said: str) -> str:
    found = next((code for words, code in _IN_TEXT if words in said), None)
    return found or ("3D000" if _NO_DATABASE.search(said) else "")
