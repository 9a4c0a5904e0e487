"""Reads prices: the amount and the currency in a text such as ``1.299,00 EUR``."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Money", "parse_price"]


@dataclass(frozen=True, slots=True)
class Money:
    """An amount and its currency, an ISO 4217 code, or "" where none is known."""

    amount: float
    currency: str


def parse_price(text: str, currency: str = "") -> Money | None:
    """Reads a price; None for a text without an amount."""
    from price_parser import Price

    price = Price.fromstring(text, currency_hint=currency or None)
    if price.amount is None:
        return None
    return Money(float(price.amount), price.currency or currency)
