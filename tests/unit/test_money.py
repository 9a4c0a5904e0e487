from __future__ import annotations

import pytest

from stylesearch.money import Money, lowest_price, parse_price


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("1.299,00 EUR", 1299, "EUR"),
        ("$1,299.00", 1299, "USD"),
        ("1 299,00 €", 1299, "EUR"),
        ("1\u202f299,00\u00a0€", 1299, "EUR"),
        ("CHF 1'299.-", 1299, "CHF"),
        ("CHF 1’299.50", 1299.5, "CHF"),
        ("EUR 19", 19, "EUR"),
        ("19,90€", 19.9, "EUR"),
        ("5€95", 5.95, "EUR"),
        ("¥1,980", 1980, "JPY"),
        ("￥1,980", 1980, "JPY"),
        ("50元", 50, "CNY"),
        ("¥198 CNY", 198, "CNY"),
        ("Rs. 1,299", 1299, "INR"),
        ("₹1,29,999.00", 129999, "INR"),
        ("1.299 €", 1299, "EUR"),
        ("1,299", 1299, ""),
        ("34.000000", 34, ""),
        ("0.125", 0.125, ""),
        ("12.500 KWD", 12.5, "KWD"),
        ("1,250.500 KWD", 1250.5, "KWD"),
        ("19.90", 19.9, ""),
        ("0", 0, ""),
        ("ab 19,90 €", 19.9, "EUR"),
        ("19,90 € – 29,90 €", 19.9, "EUR"),
        ("kr 1.299", 1299, ""),
        ("1 299,00 SEK", 1299, "SEK"),
        ("100:-", 100, ""),
        ("129,- Kč", 129, "CZK"),
        ("5 zł", 5, "PLN"),
        ("2 990 Ft", 2990, "HUF"),
        ("R$ 1.299,90", 1299.9, "BRL"),
        ("CA$ 10", 10, "CAD"),
        ("$1,299.00 CAD", 1299, "CAD"),
        ("US$ 5", 5, "USD"),
        ("50 lei", 50, "RON"),
        ("Fr. 12.50", 12.5, "CHF"),
        ("１９.９", 19.9, ""),
    ],
)
def test_prices_as_shops_write_them(text: str, amount: float, currency: str) -> None:
    assert parse_price(text) == Money(amount, currency)


@pytest.mark.parametrize(
    "text", ["", " ", "free", "Free!", "gratis", "USD", "-5", "€-5", "- 5 EUR", "n/a", "50%", "1" * 101]
)
def test_what_is_no_price(text: str) -> None:
    assert parse_price(text) is None
    assert parse_price(text, "EUR") is None


@pytest.mark.parametrize(
    ("text", "given", "currency"),
    [
        ("19.90", "EUR", "EUR"),
        ("19.90", "eur", "EUR"),
        ("$19.90", "CAD", "CAD"),
        ("$19.90", "EUR", "USD"),
        ("19 kr", "SEK", "SEK"),
        ("19 kr", "EUR", ""),
        ("¥198", "CNY", "CNY"),
        ("£19", "EUR", "GBP"),
        ("19 USD", "EUR", "USD"),
    ],
)
def test_a_given_currency_is_for_prices_that_name_none_or_share_a_symbol(
    text: str, given: str, currency: str
) -> None:
    money = parse_price(text, given)
    assert money is not None
    assert money.currency == currency


def test_the_lowest_of_several_prices() -> None:
    assert lowest_price(["29.90 EUR", "", None, "19,90 EUR", "19.90 EUR"]) == "19,90 EUR"
    assert lowest_price(["on request", ""]) is None
    assert lowest_price([]) is None


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("statt 49,90 nur 29,90", 29.9, ""),
        ("29,90 statt 49,90 €", 29.9, "EUR"),
        ("49,90 € jetzt 29,90 €", 29.9, "EUR"),
        ("was $49.90 now $29.90", 29.9, "USD"),
        ("Sale: was 49.90, 29.90", 29.9, ""),
        ("EUR statt 1.499,00 nur 1.299,00", 1299.0, "EUR"),
        ("49,90 29,90", 29.9, ""),
        ("29.90 (49.90)", 29.9, ""),
        ("19,90 - 29,90 EUR", 19.9, "EUR"),
        ("UVP 49,90", 49.9, ""),
        ("19.90 / 100 g", 19.9, ""),
    ],
)
def test_of_several_amounts_the_one_that_customers_pay_counts(
    text: str, amount: float, currency: str
) -> None:
    assert parse_price(text) == Money(amount, currency)


@pytest.mark.parametrize("text", ["12.5O", "1O.50", "l2.50 EUR", "I9,90"])
def test_a_letter_among_the_digits_is_no_price(text: str) -> None:
    assert parse_price(text) is None
