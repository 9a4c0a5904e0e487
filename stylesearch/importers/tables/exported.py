"""Reads the cells that ``products export`` writes as JSON: variants, and those that a picture shows."""

from __future__ import annotations

import re
from typing import Any, Final

from stylesearch.data_files import parse_json
from stylesearch.listing import ATTRIBUTE
from stylesearch.types import Variant

__all__ = ["IMAGE_OPTIONS", "VARIANTS", "read_variants", "take_exported"]

VARIANTS: Final = "variants"
IMAGE_OPTIONS: Final = "image_options"

_UNSTORABLE: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
"""How JSON writes a NUL and half a character; ``products export`` writes characters as they are."""

_FIELDS: Final = {"id", "options", "price", "in_stock", "url"}


def read_variants(text: str) -> tuple[Variant, ...]:
    """Reads variants; none where the text is no such list.

    Example:
        >>> read_variants('[{"id": "a", "options": {}, "price": null, "in_stock": true, "url": null}]')
        (Variant(id='a', options={}, price=None, in_stock=True, url=None),)
        >>> read_variants("[S, M, L]")
        ()
    """
    found = _load(text, "[{")
    if not isinstance(found, list) or not all(map(_is_variant, found)):
        return ()
    return tuple(Variant(**one) for one in found)


def _is_variant(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == _FIELDS
        and isinstance(value["id"], str)
        and isinstance(value["options"], dict)
        and all(isinstance(one, str) for one in value["options"].values())
        and isinstance(value["price"], str | None)
        and isinstance(value["in_stock"], bool | None)
        and isinstance(value["url"], str | None)
    )


def take_exported(said: dict[str, Any]) -> dict[str, str]:
    """Makes fields of what stands among the attributes of an exported product.

    Args:
        said: what a row says; variants are put into it as their text, which ``read_variants`` reads.

    Returns:
        the options that the row's picture shows.
    """
    if (text := said.get(ATTRIBUTE + VARIANTS)) and read_variants(text):
        said[VARIANTS] = said.pop(ATTRIBUTE + VARIANTS)
    options = _load(said.get(ATTRIBUTE + IMAGE_OPTIONS) or "", "{")
    if not isinstance(options, dict) or not all(isinstance(one, str) for one in options.values()):
        return {}
    del said[ATTRIBUTE + IMAGE_OPTIONS]
    return options


def _load(text: str, start: str) -> Any:
    """The value of a text in JSON that starts so; None for anything else, and for what cannot be stored."""
    if not text.startswith(start) or _UNSTORABLE.search(text):
        return None
    try:
        return parse_json(text)
    except ValueError:
        return None
