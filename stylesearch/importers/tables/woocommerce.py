"""Reads product exports of WooCommerce."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any, Final

from stylesearch.importers.base import ImportOptions
from stylesearch.importers.tables.cells import (
    make_options,
    one_or_all,
    option_name,
    read_deepest_category,
    read_flag,
    read_number,
    read_stock,
    split_list,
    split_locators,
)
from stylesearch.importers.tables.items import BadRow, Item, Picture, Table, TableRow
from stylesearch.importers.tables.prices import choose_price, is_in_effect
from stylesearch.listing import ATTRIBUTE
from stylesearch.types import Variant

__all__ = ["WooCommerce"]

# In English, German, French, Spanish, Italian and Dutch.
_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "id": ("id",),
    "type": ("type", "typ", "tipo"),
    "sku": (
        "sku",
        "artikelnummer",
        "artikelnummer (sku)",
        "art. nr.",
        "ugs",
        "référence",
        "cod",
        "codice sku",
    ),
    "name": ("name", "nom", "nombre", "nome", "naam"),
    "published": ("published", "veröffentlicht", "publié", "publicado", "pubblicato", "gepubliceerd"),
    "visibility": (
        *("visibility in catalog", "sichtbarkeit im katalog", "katalogsichtbarkeit"),
        *("visibilité dans le catalogue", "visibilidad en el catálogo", "visibilità nel catalogo"),
        "zichtbaarheid in catalogus",
    ),
    "in stock": (
        *("in stock?", "vorrätig?", "auf lager?", "en stock ?", "en stock?", "en inventaire?"),
        *("¿existencias?", "¿en inventario?", "in magazzino?", "op voorraad?"),
    ),
    "stock": (
        *("stock", "lager", "bestand", "lagerbestand", "inventaire", "inventario", "existencias"),
        *("magazzino", "voorraad"),
    ),
    "backorders": (
        *("backorders allowed?", "lieferrückstände erlaubt?", "rückstände erlaubt?"),
        *("autoriser les commandes de produits en rupture ?", "¿permitir reservas de productos agotados?"),
        *("abilita gli ordini arretrati?", "nabestellingen toestaan?"),
    ),
    "sale price": (
        *("sale price", "angebotspreis", "tarif promo", "prix promo", "precio rebajado"),
        *("prezzo in offerta", "actieprijs"),
    ),
    "sale starts": (
        *("date sale price starts", "datum, an dem angebotspreis beginnt"),
        *("datum, an dem der angebotspreis beginnt", "date de début de promo"),
        *("día en que empieza el precio rebajado", "startdatum actieprijs"),
    ),
    "sale ends": (
        *("date sale price ends", "datum, an dem angebotspreis endet"),
        *("datum, an dem der angebotspreis endet", "date de fin de promo"),
        *("día en que termina el precio rebajado", "einddatum actieprijs"),
    ),
    "regular price": (
        *("regular price", "regulärer preis", "normaler preis", "tarif régulier", "prix régulier"),
        *("precio normal", "precio regular", "prezzo di listino", "reguliere prijs"),
    ),
    "categories": ("categories", "kategorien", "catégories", "categorías", "categorie", "categorieën"),
    "tags": ("tags", "schlagwörter", "étiquettes", "etiquetas", "tag"),
    "images": ("images", "bilder", "imágenes", "immagini", "afbeeldingen"),
    "parent": ("parent", "übergeordnetes produkt", "superior", "genitore", "hoofd", "bovenliggend"),
    "external url": ("external url", "externe url", "url externe", "url externa", "url esterno"),
    "brands": ("brands", "marken", "marques", "marcas", "marchi", "merken"),
}

_ATTRIBUTE: Final = re.compile(r"(?:attribut|atribut|eigenschap|eigenschaft)")
_ATTRIBUTE_NAME: Final = re.compile(r"\b(?:name|nom|nombre|nome|naam)\b")
_ATTRIBUTE_VALUE: Final = re.compile(r"\b(?:value|wert|valeur|valor|valore|valori|valuta|waarde)")


class WooCommerce:
    """The columns of the CSV that WooCommerce's own export writes, in six languages.

    A variable product has a row, and each of its variations has one, which names the product by its SKU or
    as ``id:741``.
    """

    name = "woocommerce"

    def __init__(self) -> None:
        self._table: Table | None = None
        self._columns: dict[str, tuple[str, ...]] = {}
        self._attributes: tuple[tuple[str, str], ...] = ()

    def rate(self, table: Table) -> int:
        known = {field for field, names in _COLUMNS.items() if any(name in table.columns for name in names)}
        if not {"type", "name"} <= known:
            return 0
        certain = {"visibility", "in stock", "regular price", "parent", "published"} & known
        return 3 if len(certain) >= 3 or (certain and _find_attributes(table)) else 0

    def read(self, row: TableRow, table: Table, options: ImportOptions) -> Item | None:
        if table is not self._table:
            self._table, self._attributes = table, _find_attributes(table)
            self._columns = {
                field: tuple(name for name in names if name in table.columns)
                for field, names in _COLUMNS.items()
            }
        if "variation" in split_list(self._text(row, "type").casefold()):
            return self._read_variation(row, options)
        return self._read_product(row)

    def _text(self, row: TableRow, field: str) -> str:
        return row.text(*self._columns[field])

    def _has(self, row: TableRow, *fields: str) -> bool:
        return any(self._columns[field] for field in fields)

    def _read_variation(self, row: TableRow, options: ImportOptions) -> Item | None:
        parent = self._text(row, "parent")
        if not parent:
            raise BadRow(f"a variation without the SKU or ID of its product ({self._column('parent')})")
        if read_flag(self._text(row, "published")) is False and not options.unpublished:
            return None
        pairs = ((row.text(name), row.text(value)) for name, value in self._attributes)
        values = make_options((name, html.unescape(value)) for name, value in pairs)
        variant = Variant(
            self._text(row, "sku") or self._text(row, "id"),
            values,
            self._read_price(row)[0] or None,
            self._read_stock(row),
        )
        return Item(parent, {}, variant, self._read_pictures(row, values), is_part=True)

    def _read_product(self, row: TableRow) -> Item | None:
        id, sku = self._text(row, "id"), self._text(row, "sku")
        if not (id or sku):
            if any(value for values in row.cells.values() for value in values):
                raise BadRow(f"neither {self._column('sku')} nor {self._column('id')}")
            return None
        return Item(
            sku or id,
            self._read_said(row),
            pictures=self._read_pictures(row, {}),
            names=(f"id:{id}",) if id else (),
            is_shown=self._is_shown(row),
        )

    def _read_said(self, row: TableRow) -> dict[str, Any]:
        """What the row of a product says of it."""
        kind = split_list(self._text(row, "type").casefold())
        said: dict[str, Any] = {}
        if self._has(row, "name"):
            said["title"] = html.unescape(self._text(row, "name")) or None
        if self._has(row, "categories"):
            paths = split_list(self._text(row, "categories"))
            said["category"] = read_deepest_category(paths) or None
        if "external" in kind and self._text(row, "external url"):
            said["url"] = self._text(row, "external url")
        if "variable" not in kind:
            price, regular = self._read_price(row)
            if self._has(row, "regular price", "sale price"):
                said["price"] = price or None
            if self._has(row, "sale price"):
                said[ATTRIBUTE + "regular_price"] = regular or None
        if self._has(row, "in stock", "stock"):
            said["in_stock"] = self._read_stock(row)
        for field, name in (("tags", "tags"), ("brands", "brand")):
            if self._has(row, field):
                values = [html.unescape(value) for value in split_list(self._text(row, field))]
                said[ATTRIBUTE + name] = one_or_all(values)
        for name_column, value_column in self._attributes:
            if name := row.text(name_column):
                values = [html.unescape(value) for value in split_list(row.text(value_column))]
                said.setdefault(ATTRIBUTE + option_name(name).replace(" ", "_"), one_or_all(values))
        return said

    def _read_price(self, row: TableRow) -> tuple[str, str]:
        return choose_price(
            self._text(row, "regular price"),
            self._text(row, "sale price"),
            on_sale=is_in_effect(self._text(row, "sale starts"), self._text(row, "sale ends")),
        )

    def _read_stock(self, row: TableRow) -> bool | None:
        stock = read_stock(self._text(row, "in stock"))
        if stock is not None:
            return stock
        number = read_number(self._text(row, "stock"))
        if number is None:
            return None
        can_wait = self._text(row, "backorders").casefold()
        return number > 0 or can_wait == "notify" or bool(read_flag(can_wait))

    def _read_pictures(self, row: TableRow, options: Mapping[str, str]) -> tuple[Picture, ...]:
        locators = dict.fromkeys(split_locators(self._text(row, "images")))
        return tuple(Picture(locator, options) for locator in locators)

    def _is_shown(self, row: TableRow) -> bool | None:
        if self._text(row, "visibility").casefold() == "hidden":
            return False
        return read_flag(self._text(row, "published"))

    def _column(self, field: str) -> str:
        """The name of a column as it is written, for messages."""
        names = self._columns[field]
        return self._table.columns[names[0]] if names and self._table else _COLUMNS[field][0].capitalize()


def _find_attributes(table: Table) -> tuple[tuple[str, str], ...]:
    """The columns of names and values of attributes, in the order of their numbers."""
    found: dict[int, dict[str, str]] = {}
    for column in table.columns:
        number = re.search(r"\d+", column)
        if number and _ATTRIBUTE.search(column):
            is_name, is_value = _ATTRIBUTE_NAME.search(column), _ATTRIBUTE_VALUE.search(column)
            if is_name or is_value:
                found.setdefault(int(number[0]), {})["value" if is_value else "name"] = column
    return tuple(
        (pair["name"], pair["value"]) for _, pair in sorted(found.items()) if {"name", "value"} <= pair.keys()
    )
