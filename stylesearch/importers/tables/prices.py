"""Chooses between the regular and the sale price of a product."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from stylesearch.money import parse_price

__all__ = ["choose_price", "is_in_effect", "name_currency", "trim_price"]


def choose_price(regular: str, sale: str, *, on_sale: bool = True) -> tuple[str, str]:
    """The price that customers pay, and the regular price where that is higher, as they are written.

    Args:
        regular: the regular price, or the one before a reduction; "" for none.
        sale: the reduced price; "" or 0 for none.
        on_sale: whether a reduction is in effect now.

    Returns:
        Both texts, "" for none. A sale price that is not lower does not count.

    Example:
        >>> choose_price("89.95 EUR", "69.95 EUR"), choose_price("20", "0")
        (('69.95 EUR', '89.95 EUR'), ('20', ''))
    """
    full, reduced = parse_price(regular), parse_price(sale)
    if reduced is None or reduced.amount == 0:
        return regular, ""
    if full is None:
        return sale, ""
    return (sale, regular) if on_sale and reduced.amount < full.amount else (regular, "")


def is_in_effect(start: str, end: str, now: datetime | None = None) -> bool:
    """Whether now is between two dates in ISO 8601; one that is empty, or written otherwise, is no limit.

    A date without a time means the whole day, one without a zone is UTC.

    Args:
        start: first moment.
        end: last moment.
        now: None for the present.
    """
    now = now or datetime.now(UTC)
    first, last = _read_date(start, "T00:00:00"), _read_date(end, "T23:59:59")
    return (first is None or first <= now) and (last is None or now <= last)


def name_currency(price: str, currency: str) -> str:
    """Adds a currency to a price that names none, or only a symbol that this currency shares with others.

    Example:
        >>> [name_currency(price, "CAD") for price in ("19.90", "$19.90", "19.90 USD", "on request")]
        ['19.90 CAD', '$19.90 CAD', '19.90 USD', 'on request']
    """
    money = parse_price(price, currency) if currency else None
    if money is None or money.currency != currency.upper() or money == parse_price(price):
        return price
    return f"{price} {money.currency}"


def trim_price(text: str) -> str:
    """Drops zeros beyond cents, which databases write: ``19.900000`` becomes ``19.90``."""
    return re.sub(r"^(\d+\.\d\d)0+$", r"\1", text)


def _read_date(text: str, time_of_day: str) -> datetime | None:
    text = text.strip()
    try:
        moment = datetime.fromisoformat(
            text + time_of_day if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else text
        )
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
