"""Reads cells that several shop systems write alike: flags, stock, lists, category paths, options."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from stylesearch.importers.tables.items import TableRow, plain_name
from stylesearch.listing import UNCATEGORIZED
from stylesearch.option_names import OPTION_NAMES

__all__ = [
    "copy_cells",
    "make_options",
    "one_or_all",
    "option_name",
    "read_category",
    "read_deepest_category",
    "read_flag",
    "read_number",
    "read_shown",
    "read_stock",
    "split_list",
    "split_locators",
]

_YES: Final = frozenset(
    (
        *("1", "true", "yes", "y", "on", "x", "enabled", "active", "published", "wahr", "ja", "oui", "vrai"),
        *("si", "sí", "sì", "verdadero", "vero", "waar", "是", "有"),
    )
)
_NO: Final = frozenset(
    (
        *("0", "-1", "false", "no", "n", "off", "disabled", "inactive", "draft", "falsch", "nein", "non"),
        *("faux", "falso", "onwaar", "nee", "否", "无", "無"),
    )
)

_SHOWN: Final = frozenset(
    (
        *("visible", "online", "live", "public", "approved", "aktiv", "sichtbar", "veröffentlicht"),
        *("freigegeben", "actif", "publié", "en ligne", "activo", "publicado", "visibile", "attivo"),
        *("pubblicato", "actief", "gepubliceerd", "zichtbaar", "上架", "已上架"),
    )
)
_HIDDEN: Final = frozenset(
    (
        *("archived", "hidden", "invisible", "not visible", "unpublished", "offline", "private", "pending"),
        *(
            "deleted",
            "not active",
            "entwurf",
            "archiviert",
            "inaktiv",
            "versteckt",
            "unsichtbar",
            "verborgen",
        ),
        *("deaktiviert", "gesperrt", "gelöscht", "nicht aktiv", "nicht sichtbar", "nicht veröffentlicht"),
        *("brouillon", "archivé", "inactif", "masqué", "hors ligne", "borrador", "archivado", "inactivo"),
        *("oculto", "bozza", "archiviato", "inattivo", "nascosto", "non attivo", "concept", "inactief"),
        *("gearchiveerd", "verborgen", "下架", "已下架", "草稿"),
    )
)

_IN_STOCK: Final = frozenset(
    (
        *("in stock", "instock", "available", "available for order", "online only", "onlineonly"),
        *("limited availability", "limitedavailability", "limited", "low stock", "made to order"),
        *("preorder", "pre order", "presale", "backorder", "back order", "on backorder", "onbackorder"),
        *("auf lager", "lagernd", "an lager", "vorrätig", "verfügbar", "lieferbar", "sofort lieferbar"),
        *("en stock", "disponible", "en existencia", "disponibile", "in magazzino", "in voorraad"),
        *("op voorraad", "voorradig", "leverbaar", "beschikbaar", "有货", "有貨", "现货", "現貨"),
    )
)
_OUT_OF_STOCK: Final = frozenset(
    (
        *("out of stock", "outofstock", "sold out", "soldout", "unavailable", "not available", "no stock"),
        *("not in stock", "discontinued", "in store only", "instoreonly"),
        *("ausverkauft", "vergriffen", "nicht auf lager", "nicht vorrätig", "nicht verfügbar"),
        *("nicht lieferbar", "rupture de stock", "en rupture de stock", "rupture", "épuisé", "indisponible"),
        *("agotado", "sin stock", "sin existencias", "no disponible", "esaurito", "non disponibile"),
        *("uitverkocht", "niet op voorraad", "niet leverbaar", "缺货", "缺貨", "售罄", "无货", "無貨"),
    )
)

_PIECES: Final = re.compile(
    r"[<>~≥≤]?\s*(\d+(?:[.,]\d+)?)\s*\+?\s*"
    r"(?:stück|stk|st|pcs?|pieces?|units?|items?|x|ea|pièces?|piezas?|pezzi|pz|stuks?|件|个)?\.?"
)
_SOON: Final = re.compile(r"\b(?:bald|demnächst|soon|bientôt|pronto|presto|binnenkort)\b")
_ALMOST: Final = re.compile(
    r"\b(?:fast|bald|almost|nearly|presque|casi|quasi|bijna) "
    r"(?:ausverkauft|sold out|épuisé|agotado|esaurito|uitverkocht)\b"
)
_NO_STOCK: Final = re.compile(
    r"\b(?:ausverkauft|vergriffen|sold out|out of stock|unavailable|épuisé|rupture|agotado|esaurito|"
    r"uitverkocht)\b"
    r"|\b(?:nicht|kein|keine|not|no|non|niet|0)\b.*"
    r"\b(?:verfügbar|lieferbar|vorrätig|lager|bestand|available|stock|left|disponibles?|disponibile|leverbaar|"
    r"voorraad)\b"
    r"|缺货|售罄|无货"
)
_SOME_STOCK: Final = re.compile(
    r"\b(?:sofort|lieferbar|verfügbar|vorrätig|lagernd|auf lager|nur noch \d+|versandfertig|"
    r"available|in stock|\d+ left|ready to ship|ships|disponibles?|disponibile|en stock|leverbaar|"
    r"beschikbaar|op voorraad)\b|有货|现货"
)

_IMAGE_END: Final = re.compile(r"\.[A-Za-z0-9]{2,5}(?:[?#].*)?$")


def copy_cells(row: TableRow, columns: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """What a row says in cells that are taken over as they are.

    Args:
        row: the row.
        columns: names of the columns by field, the first one that has a text counts.

    Returns:
        The texts by field, None for an empty cell; without the fields of which the table has no column.
    """
    return {field: row.text(*names) or None for field, names in columns.items() if row.has(*names)}


def read_flag(text: str) -> bool | None:
    """Reads yes or no; None for an empty text, or one that is neither."""
    plain = text.strip().casefold()
    return True if plain in _YES else False if plain in _NO else None


def read_shown(text: str) -> bool | None:
    """Whether the shop shows a product, from its status or a flag; None where that is not clear.

    Example:
        >>> [read_shown(text) for text in ("Active", "draft", "Entwurf", "0", "new")]
        [True, False, False, False, None]
    """
    plain = plain_name(text)
    return False if plain in _HIDDEN else True if plain in _SHOWN else read_flag(text)


def read_number(text: str) -> float | None:
    """Reads a number of pieces (``12``, ``12.0000``, ``12,0``); None if the text is none."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def read_stock(text: str) -> bool | None:
    """Whether something can be bought now, from a word, a number of pieces or yes and no.

    What can be ordered before it arrives (``preorder``, ``backorder``) can be bought.

    Example:
        >>> [read_stock(text) for text in ("in_stock", "Ausverkauft", "3", "0", "")]
        [True, False, True, False, None]
        >>> [read_stock(text) for text in ("10+", "0 Stück", "lieferbar in 3 Tagen", "siehe Filiale")]
        [True, False, True, None]
    """
    plain = plain_name(text).rpartition("/")[2].rstrip(".!")
    if plain in _IN_STOCK:
        return True
    if plain in _OUT_OF_STOCK:
        return False
    number = read_number(text)
    if number is not None:
        return number > 0
    flag = read_flag(text)
    return flag if flag is not None or not plain else _read_stock_words(plain)


def _read_stock_words(text: str) -> bool | None:
    if pieces := _PIECES.fullmatch(text):
        return float(pieces[1].replace(",", ".")) > 0
    if _ALMOST.search(text):
        return True
    if _NO_STOCK.search(text):
        return False
    return True if _SOME_STOCK.search(text) and not _SOON.search(text) else None


def split_list(text: str, separator: str = ",") -> list[str]:
    r"""Splits a list in one cell; ``\,`` is a comma within a value.

    Example:
        >>> split_list(r"Hats\, caps, Scarves")
        ['Hats, caps', 'Scarves']
    """
    parts = re.split(rf"(?<!\\){re.escape(separator)}", text)
    return [value for part in parts if (value := part.replace("\\" + separator, separator).strip())]


def one_or_all(values: list[str]) -> str | list[str] | None:
    """The value of an attribute: a text, a list of several, or None."""
    return values[0] if len(values) == 1 else values or None


def split_locators(text: str) -> list[str]:
    r"""Splits a list of paths and URLs of pictures.

    A comma within a URL, as image servers use it, is not a separator: what follows it has no scheme, and what
    is before it does not end like a file.

    Example:
        >>> split_locators("https://i.example/w_400,h_300/a.jpg, https://i.example/b.jpg,c.jpg")
        ['https://i.example/w_400,h_300/a.jpg', 'https://i.example/b.jpg', 'c.jpg']
    """
    found: list[str] = []
    for part in split_list(text):
        inside = found and "://" in found[-1] and "://" not in part and not _IMAGE_END.search(found[-1])
        if inside:
            found[-1] += "," + part
        else:
            found.append(part)
    return found


def read_category(text: str, separators: str = ">»") -> str:
    r"""Reads a category path; "" for none, and for what shops call no category.

    Args:
        text: the path; ``&gt;`` and the like are read as what they stand for.
        separators: the characters between its levels; after a backslash one is part of a name.

    Example:
        >>> read_category("Women&gt;Hats &amp; Caps"), read_category(r"Women/T\/C", "/")
        ('Women > Hats & Caps', 'Women > T/C')
    """
    levels = re.split(rf"(?<!\\)[{re.escape(separators)}]", html.unescape(text))
    names = [re.sub(rf"\\([{re.escape(separators)}\\])", r"\1", level).strip() for level in levels]
    path = " > ".join(" ".join(name.split()) for name in names if name)
    return "" if path.casefold() == UNCATEGORIZED else path


def read_deepest_category(texts: Iterable[str], separators: str = ">»") -> str:
    """The path with the most levels, which says the most; of equally deep ones the first; "" for none."""
    paths = [path for text in texts if (path := read_category(text, separators))]
    return max(paths, key=lambda path: path.count(" > "), default="")


def option_name(name: str) -> str:
    """The name of an option: ``color`` and ``size`` in whatever language, others in small letters.

    Example:
        >>> [option_name(name) for name in ("Colour", "Größe", "Sleeve Length")]
        ['color', 'size', 'sleeve length']
    """
    plain = plain_name(name)
    return OPTION_NAMES.get(plain, plain)


def make_options(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Options by name, in their order, without empty ones."""
    options: dict[str, str] = {}
    for name, value in pairs:
        if name and value:
            plain = plain_name(name) or name  # a name may be signs only
            key = option_name(name) or name
            options[plain if key in options else key] = value
    return options
