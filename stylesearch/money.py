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

_AMOUNT: Final = r"\d+(?:[.,']\d+| \d{3}(?!\d))*"
_AMOUNTS: Final = re.compile(_AMOUNT)
_EXACT: Final = re.compile(rf"{_AMOUNT}(?<=[.,]\d\d)(?!\d)")
"""Amounts with cents: two of them are two prices, where ``2 x 19.90`` may be anything."""

_BEFORE: Final = re.compile(
    r"(?<![^\W_])(?:statt|anstatt|bisher|vorher|zuvor|ehemals|früher|alt|uvp|was|instead of|before|rrp|msrp|"
    r"regular(?:ly)?|au lieu de|avant|antes|en lugar de|invece di|prima|anziché|i\.p\.v\.|原价)"
    rf"(?![^\W\d_])[^\d]{{0,12}}{_AMOUNT}",
    re.IGNORECASE,
)
"""The price of before, as it stands beside a reduced one."""

_NOW: Final = re.compile(
    r"(?<![^\W_])(?:nur|jetzt|neu|heute|aktuell|sale|now|only|today|maintenant|seulement|ahora|solo|sólo|ora|"
    r"adesso|nu|voor|现价|促销价)(?![^\W\d_])[^\d]{0,12}(?=\d)",
    re.IGNORECASE,
)
"""What stands before the price that counts."""

_MISTYPED: Final = re.compile(r"\d[OoIl](?![A-Za-z])|(?<![A-Za-z])[OoIl][.,]?\d")
"""A letter that was typed, or read by a scanner, for a digit: ``12.5O`` is not 12.5."""

_FRACTION: Final = re.compile(r"^0[.,]\d{3}$")


@lru_cache(maxsize=4096)
def parse_price(text: str, currency: str = "") -> Money | None:
    """Reads a price as shops write it, in whatever notation; of a range the lower amount.

    Beside a price of before (``statt 49,90 nur 29,90``) the one that customers pay counts; of two prices
    about which nothing is said, the lower one. Three digits after a lone separator are thousands:
    ``1.299 €`` is 1299.

    Args:
        text: the price.
        currency: ISO 4217 code that a price without one is in. It also decides what a symbol means that
            several currencies share: without it ``$`` is USD, ``¥`` is JPY, ``£`` is GBP, and ``kr`` is
            unknown.

    Returns:
        The price; None if the text has no amount, a word such as ``free``, or a negative one, has a letter
        among its digits (``12.5O``), or is longer than any price.

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
    if _SIGN.match(plain) or _MISTYPED.search(plain):
        return None
    whole, plain = plain, _price_that_counts(plain)
    price = Price.fromstring(plain)
    if price.amount is None or not any(c.isdigit() for c in plain):
        return None
    symbol = (
        _written_code(whole) or price.currency or Price.fromstring(whole).currency or _other_symbol(whole)
    )
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


def _price_that_counts(text: str) -> str:
    """The part of a text with several amounts that is the price which customers pay."""
    if len(_AMOUNTS.findall(text)) < 2:
        return text
    left = _BEFORE.sub(" ", text)
    if not any(c.isdigit() for c in left):
        return text
    if found := list(_NOW.finditer(left)):
        return left[found[-1].end() :]
    exact: list[str] = _EXACT.findall(left)
    if len(exact) == 2:
        return min(exact, key=lambda amount: float(re.sub(r"[^\d]", "", amount)))
    return left


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
