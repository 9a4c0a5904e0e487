"""Joins the rows of each product: its fields, its variants, and the options that each picture shows.

Of the rows of one product the first that says a field, other than that it is empty, counts.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from stylesearch.importers.base import ImportOptions, Note
from stylesearch.importers.tables.exported import read_variants
from stylesearch.importers.tables.items import BadRow, Item, Picture
from stylesearch.importers.tables.pictures import PictureFinder
from stylesearch.importers.tables.prices import name_currency
from stylesearch.importers.tables.row_store import MAX_ROWS, ProductRows
from stylesearch.listing import ATTRIBUTE, Listing, Record, Unpictured, Withdrawn
from stylesearch.money import lowest_price
from stylesearch.types import Box, Domain, Variant

__all__ = ["ProductJoiner"]

_OPTION_ORDER: Final = ("color", "size")
_VariantKey = tuple[str, tuple[tuple[str, str], ...]]
"""Id and options of a variant."""

_PRICES: Final = ("price", ATTRIBUTE + "regular_price")


class ProductJoiner:
    """Makes what a table lists of the rows of its products.

    Args:
        source: the table's path, for messages.
        finder: finds its pictures.
        options: options for reading it.
        is_whole: as in ``Listing.is_whole``.
        says_images: as in ``Unpictured.says_images``.
        only_known: as in ``Unpictured.only_known``. The variants of such products stay apart by their ids,
            even if there is one only: others may be known.
        id_column: name of the column of the ids, of a table without one for groups.
        told_apart: columns by field in which the rows of one product should not differ, of such a table.
    """

    def __init__(
        self,
        source: str,
        finder: PictureFinder,
        options: ImportOptions,
        *,
        is_whole: bool,
        says_images: bool = True,
        only_known: bool = False,
        id_column: str = "",
        told_apart: Mapping[str, str] | None = None,
    ) -> None:
        self._id_column = id_column
        self._told_apart = told_apart or {}
        self._n_differing = 0
        self._differing: dict[str, int] = {}
        self._first_differing = ""
        self._says_images = says_images
        self._only_known = only_known
        self._source = source
        self._finder = finder
        self._options = options
        self._is_whole = is_whole
        self._n_hidden = 0
        self._n_sold_out = 0

    def list_product(self, product: ProductRows) -> Iterator[Record | Unpictured | Withdrawn]:
        """Yields what the rows of one product list: its pictures, what cannot be used, or neither."""
        if all(item.is_part for _, item in product.rows):
            listing = Listing(product.key)
            for line, item in product.rows:
                absent = f"the product {product.key!r}, which this adds to, is not in the table"
                reason = item.problem or absent
                yield Unpictured(listing, f"{self._source}:{line}", reason, only_known=True)
            return
        joined = _Joined(product, self._options, only_known=self._only_known)
        if self._told_apart:
            self._count_differing(joined)
        listings = joined.separate() if self._options.variants == "separate" else [joined.together()]
        if not joined.is_shown and not self._options.unpublished:
            self._n_hidden += 1
            yield from (Withdrawn(listing.id) for listing, _ in listings)
            return
        pictures = list(self._locate(joined.pictures))
        refused = joined.refused
        for listing, options in listings:
            if listing.said.get("in_stock") is False and not self._options.sold_out:
                self._n_sold_out += 1
                yield Withdrawn(listing.id)
                continue
            if self._is_whole:
                listing = dataclasses.replace(listing, is_whole=True)
            for line, reason in refused:
                yield Unpictured(listing, f"{self._source}:{line}", reason)
            yield from self._list_pictures(listing, _choose_pictures(pictures, options), joined.line, options)
            refused = []

    def notes(self) -> Iterator[Note]:
        """Yields how many products were left out, and whose rows differ, once all are listed."""
        for n, why, option in (
            (self._n_hidden, "not shown to customers", "--with-unpublished takes them in"),
            (self._n_sold_out, "sold out", "--with-sold-out takes them in"),
        ):
            if n:
                yield Note(f"{n:,} {'product is' if n == 1 else 'products are'} left out: {why} ({option})")
        if self._n_differing:
            have = "1 product has" if self._n_differing == 1 else f"{self._n_differing:,} products have"
            columns = [self._told_apart[name] for name in self._differing]
            apart = [self._told_apart[name] for name in self._differing if name != "price"]
            own = "+".join([self._id_column, *apart]) if apart else "COLUMN"
            yield Note(
                f"{have} rows that differ in {', '.join(columns)}, first: {self._first_differing}; the first "
                f"row counts: if the rows are variants, give --map group={self._id_column},id={own}, where "
                "the id is what tells them apart"
            )

    def _count_differing(self, joined: _Joined) -> None:
        """Counts a product of which rows say different things, though nothing says that they are variants."""
        differing = {
            name: line for name in self._told_apart if (line := joined.find_differing(name)) is not None
        }
        if differing:
            self._n_differing += 1
            self._differing |= differing
            lines = f"lines {joined.line} and {min(differing.values())}"
            self._first_differing = self._first_differing or f"{joined.key!r} ({lines})"

    def _locate(self, pictures: Iterable[_Listed]) -> Iterator[_Located]:
        """Finds the files of the pictures; those of one file that say the same are one."""
        found: dict[str, _Located] = {}
        for listed in pictures:
            try:
                locator = self._finder.locate(listed.picture.locator)
            except BadRow as error:
                problem = listed.problem or str(error)
                known = found.setdefault(f"?{listed.picture.locator}", _Located(listed, "", problem))
            else:
                new = _Located(listed, locator, listed.problem, dict(listed.picture.options))
                known = found.setdefault(locator, new)
                known.join(new)
        for located in found.values():
            yield located
            yield from located.others

    def _list_pictures(
        self, listing: Listing, pictures: list[_Located], line: int, options: Mapping[str, str] | None
    ) -> Iterator[Record | Unpictured]:
        for located in pictures:
            place = f"{self._source}:{located.listed.line}"
            if located.problem:
                yield Unpictured(listing, place, located.problem)
            else:
                picture = located.listed.picture
                shown = located.options if options is None else {}
                domain = picture.domain or self._options.domain
                yield Record(listing, located.locator, domain, picture.box, shown)
        if not pictures:
            place = f"{self._source}:{line}"
            yield Unpictured(listing, place, only_known=self._only_known, says_images=self._says_images)


@dataclass(slots=True)
class _Listed:
    """A picture, the line that lists it, and why it cannot be used."""

    picture: Picture
    line: int
    problem: str


@dataclass(slots=True)
class _Located:
    """A picture that was looked for.

    Attributes:
        listed: where it is listed first.
        locator: its file or URL; "" where it cannot be used.
        problem: why it cannot be used; "" if it can.
        options: those that all rows of variants that list it agree on.
        others: the same picture, where it is listed with another box or domain.
    """

    listed: _Listed
    locator: str
    problem: str
    options: dict[str, str] = field(default_factory=dict)
    others: list[_Located] = field(default_factory=list)
    is_general: bool = False

    def join(self, other: _Located) -> None:
        """Takes in the same picture as another row lists it."""
        if other is self or other.problem or self.problem:
            if other is not self:
                self.others.append(other)
            return
        if _place_and_domain(self.listed.picture) != _place_and_domain(other.listed.picture):
            reason = f"line {self.listed.line} has this picture with another box or domain"
            self.others.append(_Located(other.listed, "", reason))
        elif other.options and not self.is_general:
            if self.options:
                self.options = dict(self.options.items() & other.options.items())
                self.is_general = not self.options
            else:
                self.options = dict(other.options)


class _Joined:
    """The rows of one product, joined.

    Attributes:
        key: its id.
        line: its first line.
        said: as in ``Listing.said``, without what is made of the variants.
        guesses: as in ``Listing.guesses``.
        variants: its variants, in the order of the table.
        pictures: its pictures, in the order of the table.
        refused: line and reason of rows that are not taken in.
        is_shown: whether the shop shows it to its customers.
    """

    def __init__(self, product: ProductRows, options: ImportOptions, *, only_known: bool = False) -> None:
        self.key = product.key
        self._rows = product.rows
        self._only_known = only_known
        self._currency = options.currency
        self.line = min(line for line, _ in product.rows)
        self.said: dict[str, Any] = {}
        self.guesses: dict[str, str] = {}
        self.pictures: list[_Listed] = []
        self.refused: list[tuple[int, str]] = []
        if product.n_more:
            reason = (
                f"{product.n_more:,} more rows of the product {product.key!r}, which has {MAX_ROWS:,} "
                "already, are left out: is this the column of the ids?"
            )
            self.refused.append((product.more, reason))
        self._has_variants = False
        self._category_line = 0
        self.is_shown = _is_shown([item for _, item in product.rows])
        variants: dict[_VariantKey, Variant] = {}
        self._own_titles: dict[_VariantKey, str] = {}
        pictures: list[tuple[int, list[_Listed]]] = []
        for line, item in product.rows:
            variant = item.variant
            self._has_variants |= variant is not None
            is_hidden = item.is_shown is False and self.is_shown and not options.unpublished
            if variant is not None and is_hidden and item.key == product.key:
                continue  # what has another key is shown as a variant of this product
            if not self._add_fields(line, item):
                continue
            if variant is not None:
                if variant.price and self._currency:
                    price = name_currency(variant.price, self._currency)
                    variant = dataclasses.replace(variant, price=price)
                variants.setdefault(_key_of(variant), variant)
                if title := item.said.get("title"):
                    self._own_titles.setdefault(_key_of(variant), title)
            if item.problem and not item.pictures:
                self.refused.append((line, item.problem))
            pictures.append((line, [_Listed(picture, line, item.problem) for picture in item.pictures]))
        self.variants = list(variants.values())
        pictures.sort(key=lambda pair: pair[0])
        self.pictures = [picture for _, listed in pictures for picture in listed]

    def find_differing(self, name: str) -> int | None:
        """The line of the first row that says a field otherwise than one before it, or None."""
        first = ""
        for line, item in self._rows:
            value = item.said.get(name)
            if value and first and value != first:
                return line
            first = first or value or ""
        return None

    def together(self) -> tuple[Listing, None]:
        """One product with variants."""
        said = dict(self.said)
        if isinstance(text := said.get("variants"), str):
            said["variants"] = read_variants(text)
        if self._has_variants:
            is_single = _is_single(self.variants) and not self._only_known
            said["variants"] = () if is_single else tuple(self.variants)
            prices = [variant.price for variant in self.variants if variant.price]
            if prices:
                said["price"] = lowest_price(prices, self._currency) or prices[0]
            known = [variant.in_stock for variant in self.variants]
            if any(known):
                said["in_stock"] = True
            elif known and None not in known:
                said["in_stock"] = False
        return Listing(self.key, said, self.guesses), None

    def separate(self) -> list[tuple[Listing, Mapping[str, str] | None]]:
        """A product of each variant, and the options that it is sold with."""
        if not self.variants or _is_single(self.variants):
            return [self.together()]
        uses = Counter(variant.id for variant in self.variants)
        listings: dict[str, tuple[Listing, Mapping[str, str]]] = {}
        for variant in self.variants:
            values = [value for _, value in sorted(variant.options.items(), key=_option_rank) if value]
            own_id = variant.id if variant.id and uses[variant.id] == 1 else "-".join([self.key, *values])
            said = self.said | {ATTRIBUTE + name: value for name, value in variant.options.items()}
            if title := self._title_apart(variant, values):
                said["title"] = title
            for name, value in (
                ("price", variant.price),
                ("in_stock", variant.in_stock),
                ("url", variant.url),
            ):
                if value is not None:
                    said[name] = value
            listings.setdefault(own_id, (Listing(own_id, said, self.guesses), variant.options))
        return list(listings.values())

    def _title_apart(self, variant: Variant, values: list[str]) -> str:
        """The title of a variant that is a product of its own: that of its own row, or with its options."""
        titles = Counter(self._own_titles.values())
        own = self._own_titles.get(_key_of(variant), "")
        common = self.said.get("title") or ""
        if not own or (len(titles) == 1 and (own == common or titles[own] > 1)):
            return ", ".join([common, *values]) if common else ""
        if titles[own] > 1:  # of several variants, such as all sizes of a color
            return ", ".join([own, *(value for value in values if not _has_word(own, value))])
        return own

    def _add_fields(self, line: int, item: Item) -> bool:
        """Adds what a row says; refuses a row that moves the product to another category."""
        category = item.said.get("category")
        known = self.said.get("category")
        if category and known and category != known and item.variant is None and not item.is_part:
            self.refused.append(
                (
                    line,
                    f"the product {self.key!r} is in the category {known!r} (line {self._category_line}), "
                    f"here in {category!r}",
                )
            )
            return False
        if category and not known:
            self._category_line = line
        for name, value in item.said.items():
            if self.said.get(name) is None:
                is_price = value and self._currency and name in _PRICES
                self.said[name] = name_currency(value, self._currency) if is_price else value
        for name, guess in item.guesses.items():
            self.guesses.setdefault(name, guess)
        return True


def _has_word(title: str, value: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", title, re.IGNORECASE) is not None


def _key_of(variant: Variant) -> _VariantKey:
    return variant.id, tuple(sorted(variant.options.items()))


def _is_shown(items: list[Item]) -> bool:
    """Whether a product is shown: as the rows about it say, else as one of its variants does."""
    about = [item.is_shown for item in items if item.variant is None]
    if about:
        return next((shown for shown in about if shown is not None), True)
    return any(item.is_shown is not False for item in items)


def _choose_pictures(pictures: list[_Located], options: Mapping[str, str] | None) -> list[_Located]:
    """The pictures of a variant with these options: its own, or those of no variant, or else the nearest."""
    if options is None:
        return pictures
    own = [one for one in pictures if one.options and one.options.items() <= options.items()]
    if found := own or [one for one in pictures if not one.options]:
        return found
    shared = [len(one.options.items() & options.items()) for one in pictures]
    return [one for one, n_shared in zip(pictures, shared, strict=True) if n_shared == max(shared)]


def _is_single(variants: list[Variant]) -> bool:
    """Whether these are no variants: the product as a whole is what is sold."""
    return len(variants) <= 1 and not any(variant.options for variant in variants)


def _option_rank(option: tuple[str, str]) -> tuple[int, str]:
    name = option[0]
    return (_OPTION_ORDER.index(name) if name in _OPTION_ORDER else len(_OPTION_ORDER), name)


def _place_and_domain(picture: Picture) -> tuple[Domain | None, Box | None]:
    return picture.domain, picture.box
