"""Parses untrusted JSON: deep, huge, with numbers that are not finite or broken characters.

Pydantic's own parser limits neither the number of values nor the length of a number.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

from stylesearch.serving.problems import Problem

__all__ = ["MAX_DEPTH", "MAX_KEPT_BYTES", "MAX_VALUES", "check_values", "parse_json"]

MAX_DEPTH: Final = 16
MAX_VALUES: Final = 10_000
"""Of a JSON body: 20 MB of ``[],[],...`` would take half a gigabyte of lists; a photo is one value."""

MAX_KEPT_BYTES: Final = 65536
"""Of attributes that are stored: they come back with every hit."""

MAX_DIGITS: Final = 300
"""Of a whole number; a double holds up to 309."""


def parse_json(body: bytes, *, max_values: int = MAX_VALUES) -> dict[str, Any]:
    """Parses a body as a JSON object.

    Args:
        body: the complete body.
        max_values: the most values that it may have.

    Raises:
        Problem: 400, it is not JSON; 413, it has more than ``max_values`` values; 422, it is no object.
    """
    if sum(body.count(character) for character in (b",", b"[", b"{")) > max_values:
        raise Problem(413, f"the JSON has more than {max_values} values", reason="values")
    try:
        value = json.loads(
            body.decode("utf-8"),
            parse_constant=_refuse_constant,
            parse_float=_parse_float,
            parse_int=_parse_int,
        )
    except RecursionError:
        raise Problem(400, "the JSON is nested too deeply") from None
    except UnicodeDecodeError:
        raise Problem(400, "the JSON is not UTF-8") from None
    except ValueError as error:
        raise Problem(400, f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Problem(422, "the JSON is not an object", hint='begin it with "{"')
    return value


def check_values(value: Any, where: str) -> None:
    """Refuses JSON that cannot be stored and returned.

    Args:
        value: a value from ``parse_json``.
        where: name of the value, for messages.

    Raises:
        Problem: 422, a text with a null character or half a surrogate pair, or more than
            ``MAX_DEPTH`` levels or ``MAX_KEPT_BYTES``.
    """
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for one in level for inner in _values_inside(one, where)]
        if not level:
            if len(json.dumps(value)) > MAX_KEPT_BYTES:
                raise Problem(422, f"{where}: more than {MAX_KEPT_BYTES} bytes")
            return
    raise Problem(422, f"{where}: nested more than {MAX_DEPTH} levels deep")


def _values_inside(value: Any, where: str) -> list[Any]:
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise Problem(422, f"{where}: a text has a null character, or half a surrogate pair")
        return []
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _parse_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _parse_int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError("a number is too large")
    return int(text)
