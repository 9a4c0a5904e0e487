"""Conditions on products, and the small language they are written in.

```text
filter    = condition { "and" condition }
condition = [ "not" ] name ( operator value | [ "not" ] "in" "(" value { "," value } ")" | "exists" )
operator  = "=" | "!=" | "<" | "<=" | ">" | ">="
name      = words | quoted
value     = words | number ".." number | quoted
```

A value of several words needs no quotes, unless it has a comma, a bracket, an operator, or one of the words
``and``, ``or`` and ``exists``; a backslash stands before a quote inside of quotes. Either end of a range may
be left out: ``price=..50``.
"""

from __future__ import annotations

import functools
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from stylesearch.errors import ConfigError
from stylesearch.option_names import plain_name

__all__ = [
    "ATTRIBUTES",
    "FIELDS",
    "Condition",
    "Where",
    "parse_where",
    "plain_value",
    "read_number",
    "write_condition",
]

FIELDS: Final = frozenset({"category", "in_stock", "price", "source"})
"""Names that mean a field of a product; every other one means an attribute, or an option of variants."""

ATTRIBUTES: Final = "attributes."
"""Stands before the name of an attribute that is called as a field is."""

Where: TypeAlias = "str | Condition | Mapping[str, Any] | Iterable[str | Condition]"
"""What conditions are made of: a text, several, or values by name, such as ``{"price": "<50"}``."""

MOST: Final = 50
"""Conditions of a filter."""
MOST_VALUES: Final = 500
MOST_CHARACTERS: Final = 4000

_TRUTH: Final = {"true": "true", "yes": "true", "1": "true", "false": "false", "no": "false", "0": "false"}
_NUMBER: Final = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)"
_RANGE: Final = re.compile(rf"({_NUMBER})?\.\.({_NUMBER})?")
_PLAIN: Final = re.compile(r"[^\W_]+(?:[-_. ][^\W_]+)*")
"""A text that needs no quotes."""
_KEYWORDS: Final = frozenset({"and", "exists", "in", "not", "or"})
_OPERATOR: Final = re.compile(r"<=|>=|!=|=|<|>")
# A comma before three digits may stand between thousands: such a text is no number.
_WITH_UNIT: Final = re.compile(r"([+-]?\d+(?:\.\d+|,\d{1,2}|,\d{4,})?)\s*(?:[^\W\d_]{1,10}[²³]?|[%\"″'′°])?")


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that a product meets or not. Without values and bounds: it has such a value at all.

    Attributes:
        name: a field, or else an attribute or an option, in its plain form: see ``option_names.plain_name``.
        values: the values of which it has one, in their plain form: see ``plain_value``.
        low, high: bounds of a number; None where there is none.
        is_low_open, is_high_open: whether the bound itself does not count.
        is_negated: whether it is met by exactly the products that would not meet it otherwise.

    Raises:
        ConfigError: no value of this name can be so.
    """

    name: str
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    is_low_open: bool = False
    is_high_open: bool = False
    is_negated: bool = False

    def __post_init__(self) -> None:
        name = plain_name(self.name)
        if name.startswith(ATTRIBUTES):
            name = ATTRIBUTES + plain_name(name.removeprefix(ATTRIBUTES))
        object.__setattr__(self, "name", name)
        if not name or name == ATTRIBUTES:
            raise ConfigError("a condition of a filter has no name", hint="write it like color=red")
        if len(self.values) > MOST_VALUES:
            raise ConfigError(f"{name}: {len(self.values)} values. At most {MOST_VALUES} can be asked for")
        if self.has_bounds and name in FIELDS - {"price"}:
            raise ConfigError(f"{name} is no number", hint=f"ask for it with = or in: {name}=VALUE")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ConfigError(f"{name}: a range begins with its lower end", hint="write it like 10..50")
        if name == "in_stock":
            values = tuple(_TRUTH.get(plain_value(one), "") for one in self.values)
            if "" in values:
                raise ConfigError(
                    f"in_stock is true or false. Received: {self.values[values.index('')]!r}",
                    hint="write in_stock=true",
                )
        elif name in ("category", "source"):
            values = tuple(one.strip() for one in self.values)
        else:
            values = tuple(plain_value(one) for one in self.values)
        object.__setattr__(self, "values", tuple(sorted(set(values))))
        if "" in values:
            raise ConfigError(f"{name}: a value is empty", hint=f"or write: {name} exists")
        if name == "price":
            for one in self.values:
                if read_number(one) is None or not one[-1:].isdigit():
                    raise ConfigError(f"price: {one!r} is no number", hint="currencies are not compared")

    @property
    def has_bounds(self) -> bool:
        """Whether it is about a range of numbers."""
        return self.low is not None or self.high is not None

    @property
    def attribute(self) -> str:
        """Name of the attribute or option that it is about."""
        return self.name.removeprefix(ATTRIBUTES)

    def admits(self, number: float) -> bool:
        """Whether a number lies within the bounds.

        Example:
            >>> parse_where("price=10..50")[0].admits(50)
            True
        """
        above = self.low is None or number > self.low or (number == self.low and not self.is_low_open)
        below = self.high is None or number < self.high or (number == self.high and not self.is_high_open)
        return above and below


def plain_value(text: str) -> str:
    """Writes a value so that equal ones are equal texts: without case, with single spaces.

    Example:
        >>> plain_value("  Navy  BLUE ")
        'navy blue'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.encode("utf-8", "replace").decode().replace("\0", " ").split())


def read_number(text: str) -> float | None:
    """Reads the number of a text that is one, with or without a unit after it; None for any other.

    Units are not converted. ``1,500`` is none: it may be one and a half, or fifteen hundred.

    Example:
        >>> [read_number(text) for text in ("50 cm", "1,5kg", "-3", "1,500", "XL")]
        [50.0, 1.5, -3.0, None, None]
    """
    found = _WITH_UNIT.fullmatch(text.strip())
    if found is None:
        return None
    number = float(found[1].replace(",", "."))
    return number if math.isfinite(number) else None


def write_condition(name: str, value: str) -> str:
    """Writes the condition that a product has a value, so that ``parse_where`` reads it.

    Example:
        >>> write_condition("color", "navy blue"), write_condition("size", 'W32, 24"')
        ('color=navy blue', 'size="W32, 24\\\\""')
    """
    return f"{_quote(name)}={_quote(value)}"


def _quote(text: str) -> str:
    is_plain = _PLAIN.fullmatch(text) and not _KEYWORDS & set(text.casefold().split())
    if is_plain and not _RANGE.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse_where(where: Where | None) -> tuple[Condition, ...]:
    """Reads the conditions of a filter, all of which have to be met.

    Args:
        where: a text, several, or values by name. There, a text that begins with an operator or is a range
            is read as such, every other is a value as it stands; a list has several values of which one is
            enough, and None means that there is none.

    Raises:
        ConfigError: it cannot be read; the message says at which character.

    Example:
        >>> parse_where({"price": "<50"}) == parse_where("price < 50") == parse_where(["price<50"])
        True
    """
    if where is None:
        return ()
    if isinstance(where, str):
        found = _parse(where)
    elif isinstance(where, Condition):
        found = [where]
    elif isinstance(where, Mapping):
        found = [_of_value(str(name), value) for name, value in where.items()]
    else:
        found = []
        for one in where:
            if not isinstance(one, str | Condition):
                raise ConfigError(f"a condition of a filter is a text, as in color=red. Received: {one!r}")
            found += parse_where(one)
    if len(found) > MOST:
        raise ConfigError(f"a filter has at most {MOST} conditions. Received: {len(found)}")
    return tuple(dict.fromkeys(found))


def _of_value(name: str, value: Any) -> Condition:
    """A condition of a name and a value as they are, without quotes."""
    if value is None:
        return Condition(name, is_negated=True)
    if isinstance(value, str):
        operator = _OPERATOR.match(value)
        if operator is not None:
            return _compare(name, operator[0], value[operator.end() :].strip(), is_quoted=False)
        return _compare(name, "=", value, is_quoted=False)
    values = value if isinstance(value, list | tuple | set | frozenset) else [value]
    if not values or not all(isinstance(one, str | int | float) for one in values):
        raise ConfigError(f"{name}: a text, a number, true, false, or a list of these. Received: {value!r}")
    return Condition(name, tuple(str(one).lower() if isinstance(one, bool) else str(one) for one in values))


def _compare(name: str, operator: str, value: str, *, is_quoted: bool) -> Condition:
    """A condition of a name, an operator and a value."""
    if not value.strip():
        raise ConfigError(f"{name}{operator} has no value after it", hint=f"or write: {name} exists")
    if operator in ("=", "!="):
        bounds = None if is_quoted or value == ".." else _RANGE.fullmatch(value)
        if bounds is None:
            return Condition(name, (value,), is_negated=operator == "!=")
        low, high = (None if one is None else float(one) for one in bounds.groups())
        return Condition(name, low=low, high=high, is_negated=operator == "!=")
    number = read_number(value)
    if number is None:
        raise ConfigError(f"{name}{operator} needs a number. Received: {value!r}")
    is_open = operator in ("<", ">")
    if operator in ("<", "<="):
        return Condition(name, high=number, is_high_open=is_open)
    return Condition(name, low=number, is_low_open=is_open)


def _parse(text: str) -> list[Condition]:
    """Reads a text of the language.

    Raises:
        ConfigError: with the character where it stops being one.
    """
    if len(text) > MOST_CHARACTERS:
        raise ConfigError(f"a filter has at most {MOST_CHARACTERS} characters. Received: {len(text)}")
    if not text.strip():
        raise ConfigError("a filter is empty", hint="write it like color=red")
    from pyparsing import ParseBaseException  # 50 ms: only where there is a filter

    try:
        return list(_grammar().parse_string(text, parse_all=True))
    except ParseBaseException as error:
        place = min(error.loc, len(text))
        raise ConfigError(
            f"the filter {text!r} cannot be read at character {place + 1}"
            f"{f', after {text[:place].strip()!r}' if text[:place].strip() else ''}: {error.msg}",
            hint="write it like color=red and price<50, price=10..50, color in (red, blue), not color=red, "
            "color exists; there is no `or`; values with commas, brackets, `and` or = in quotes",
        ) from None


@functools.cache
def _grammar() -> Any:
    """The language's parser."""
    import pyparsing as pp

    keyword = functools.partial(pp.CaselessKeyword, ident_chars=pp.alphanums + "_-.")
    and_, in_, not_, exists, or_ = (keyword(one) for one in ("and", "in", "not", "exists", "or"))
    text = functools.partial(pp.QuotedString, esc_char="\\", multiline=True, convert_whitespace_escapes=False)
    quoted = text('"') | text("'")
    quoted.add_parse_action(lambda found: [(found[0], True)])
    no_name = and_ | in_ + pp.FollowedBy("(") | not_ | exists  # "in stock" is one
    name = quoted.copy().set_name("a name") | pp.OneOrMore(
        ~no_name + pp.Regex(r"[^\s,()\"'=<>!]+")
    ).set_parse_action(lambda found: [(" ".join(found), False)])
    value = quoted.copy().set_name("a value") | pp.OneOrMore(
        # Of what another condition has, only the > between levels of categories.
        ~(and_ | or_ | exists) + pp.Regex(r">(?=\s+[^\s\d.+-])|[^\s,()\"'=<>][^\s,()\"=<>]*")
    ).set_parse_action(lambda found: [(" ".join(found), False)])
    name.set_name("a name")
    value.set_name("a value")
    operator = pp.Regex(_OPERATOR.pattern)
    compared = operator + pp.Group(value)
    several = (
        pp.Optional(not_) + in_ - pp.Suppress("(") - pp.Group(pp.DelimitedList(value)) - pp.Suppress(")")
    )
    rest = (compared | several | exists).set_name("one of = != < <= > >= in exists")
    condition = pp.Optional(not_) + name - rest

    def make(text: str, place: int, found: Any) -> Condition:
        tokens = list(found)
        is_negated = tokens[0] == "not"
        (name, _), *tokens = tokens[is_negated:]
        try:
            if tokens[0] == "exists":
                made = Condition(name)
            elif tokens[-2] == "in":
                is_negated ^= tokens[0] == "not"
                made = Condition(name, tuple(one for one, _ in tokens[-1]))
            else:
                ((value, is_quoted),) = tokens[1]
                made = _compare(name, tokens[0], value, is_quoted=is_quoted)
        except ConfigError as error:
            raise pp.ParseFatalException(text, place, error.message) from None
        return replace(made, is_negated=made.is_negated ^ is_negated)

    condition.set_parse_action(make)
    return condition + pp.ZeroOrMore(pp.Suppress(and_) - condition)
