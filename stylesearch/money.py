"""Reads prices: the amount and the currency in a text such as ``1.299,00 EUR``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

__all__ = ["Money", "lowest_price", "parse_price"]


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of money.

    Attributes:
        amount: in units of the currency: ``19.9``, not 1990 cents.
        currency: ISO 4217 code; "" where it is not known.
    """

    amount: float
    currency: str


# The first currency of a symbol is what it means where nothing else is known; "" where that would be a guess.
_CURRENCIES: Final[dict[str, tuple[str, ...]]] = {
    "$": (
        *("USD", "AUD", "BBD", "BMD", "BND", "BSD", "BZD", "CAD", "CLP", "COP", "DOP", "FJD", "GYD", "HKD"),
        *("JMD", "KYD", "LRD", "MXN", "NAD", "NZD", "SBD", "SGD", "SRD", "TTD", "TWD", "UYU", "XCD", "ARS"),
    ),
    "£": ("GBP", "EGP", "GIP", "FKP", "LBP", "SHP", "SYP"),
    "¥": ("JPY", "CNY"),
    "kr": ("", "SEK", "NOK", "DKK", "ISK"),
    "rs": ("INR", "PKR", "LKR", "NPR", "MUR", "SCR"),
    "₨": ("INR", "PKR", "LKR", "NPR", "MUR", "SCR"),
    "lei": ("RON", "MDL"),
    "₩": ("KRW", "KPW"),
    "fr": ("CHF", "XAF", "XOF", "XPF"),
    "dinara": ("RSD",),
    "din": ("RSD",),
    "€": ("EUR",),
    "euro": ("EUR",),
    "us$": ("USD",),
    "ca$": ("CAD",),
    "c$": ("CAD",),
    "au$": ("AUD",),
    "a$": ("AUD",),
    "nz$": ("NZD",),
    "hk$": ("HKD",),
    "nt$": ("TWD",),
    "s$": ("SGD",),
    "mx$": ("MXN",),
    "ar$": ("ARS",),
    "cl$": ("CLP",),
    "co$": ("COP",),
    "r$": ("BRL",),
    "cn¥": ("CNY",),
    "元": ("CNY",),
    "rmb": ("CNY",),
    "円": ("JPY",),
    "zł": ("PLN",),
    "kč": ("CZK",),
    "ft": ("HUF",),
    "₽": ("RUB",),
    "руб": ("RUB",),
    "₴": ("UAH",),
    "грн": ("UAH",),
    "лв": ("BGN",),
    "₺": ("TRY",),
    "tl": ("TRY",),
    "₹": ("INR",),
    "₪": ("ILS",),
    "฿": ("THB",),
    "₫": ("VND",),
    "₱": ("PHP",),
    "₦": ("NGN",),
    "rp": ("IDR",),
    "rm": ("MYR",),
    "₸": ("KZT",),
    "₾": ("GEL",),
    "₼": ("AZN",),
    "₡": ("CRC",),
    "₲": ("PYG",),
}

_THREE_DECIMALS: Final = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))
"""Currencies of which a thousandth is a coin, so that ``12.500`` is 12 and a half."""

_SIGN: Final = re.compile(r"^[^\d]*[-−–]\s*[^\d\s]{0,3}\s*\d")
_LONGEST: Final = 100
"""Characters of a price; what is longer is none, and would take the library long."""

_FRACTION: Final = re.compile(r"^0[.,]\d{3}$")


@lru_cache(maxsize=4096)
def parse_price(text: str, currency: str = "") -> Money | None:
    """Reads a price as shops write it, in whatever notation; of a range the first amount.

    Three digits after a lone separator are thousands: ``1.299 €`` is 1299.

    Args:
        text: the price.
        currency: ISO 4217 code that a price without one is in. It also decides what a symbol means that
            several currencies share: without it ``$`` is USD, ``¥`` is JPY, ``£`` is GBP, and ``kr`` is
            unknown.

    Returns:
        The price; None if the text has no amount, a word such as ``free``, or a negative one, or is longer
        than any price.

    Example:
        >>> parse_price("1.299,00 EUR")
        Money(amount=1299.0, currency='EUR')
        >>> parse_price("CHF 1'299.-"), parse_price("19.90", "SEK")
        (Money(amount=1299.0, currency='CHF'), Money(amount=19.9, currency='SEK'))
    """
    from price_parser import Price

    if len(text) > _LONGEST:
        return None
    plain = unicodedata.normalize("NFKC", text).replace("’", "'").replace("\u02bc", "'").strip()
    if _SIGN.match(plain):
        return None
    price = Price.fromstring(plain)
    if price.amount is None or not any(c.isdigit() for c in plain):
        return None
    symbol = _written_code(plain) or price.currency or _other_symbol(plain)
    code = _currency_code(symbol, currency.upper()) if symbol else currency.upper()
    number = (price.amount_text or "").replace(" ", "")
    if _FRACTION.match(number) or (code in _THREE_DECIMALS and re.search(r"[.,]\d{3}$", number)):
        price = Price.fromstring(plain, decimal_separator=number[-4])
    return Money(float(price.amount or 0), code)


def lowest_price(texts: Iterable[str | None], currency: str = "") -> str | None:
    """The text with the lowest amount; of equal ones the first; None if none has an amount.

    Example:
        >>> lowest_price(["29.90 EUR", "", "19,90 EUR"])
        '19,90 EUR'
    """
    prices = [(money.amount, text) for text in texts if text and (money := parse_price(text, currency))]
    return min(prices, key=lambda pair: pair[0])[1] if prices else None


def _currency_code(symbol: str, currency: str) -> str:
    """The ISO 4217 code of what a price names as its currency; "" if that is not known."""
    if re.fullmatch("[A-Z]{3}", symbol):
        return symbol
    meanings = _CURRENCIES.get(symbol.casefold().rstrip("."), ())
    if not meanings:
        return symbol.upper() if re.fullmatch("[A-Za-z]{3}", symbol) else ""
    return currency if currency in meanings else meanings[0]


def _written_code(text: str) -> str:
    """An ISO 4217 code in the text, which says more than a symbol beside it; else ""."""
    from price_parser import Price

    found = re.search(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])", text)
    return found[0] if found and Price.fromstring(found[0]).currency == found[0] else ""


def _other_symbol(text: str) -> str:
    """A symbol that the library does not know, beside the number."""
    found = re.search(r"元|円|(?<![A-Za-z])(?:RMB|Ft|TL)(?![A-Za-z])", text)
    return found[0] if found else ""
