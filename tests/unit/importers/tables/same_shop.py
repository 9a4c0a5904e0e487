"""Writes one made-up shop of 50 products as five systems write their exports."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

__all__ = ["SAME_SHOP", "ShopProduct", "ShopVariant", "write_same_shop"]

_TITLES = (
    "Wickelkleid „Änne“, lang",
    'Coat with "storm" flap',
    "T-shirt “Río”",
    "Größe-Null-Rock, plissé",
    "2-pack socks (black/white)",
    "Hütchen & Mütze",
    "Robe d'été",
    "Cargo pants; relaxed",
    "Tab\u00adless jacket",
    "Bluse – 100 % Seide",
)
_CATEGORIES = (
    "Damen > Kleider > Wickelkleider",
    "Damen > Mäntel & Jacken",
    "Damen > Tops",
    "Damen > Röcke",
    "Strümpfe",
    "Accessoires > Hüte, Mützen",
    "Damen > Kleider",
    "Herren > Hosen",
    "Herren > Jacken",
    "Damen > Blusen",
)
_COLORS = (("Navy", "Sand"), (), ("Weiß", "Schwarz", "Röd"), (), ("Oliv",))
_SIZES = (("S", "M", "L"), (), ("36", "38"), ("S", "M"), ("One size", "Tall"), (), ())


@dataclass(frozen=True)
class ShopVariant:
    """A colour and size of a product; prices in EUR."""

    id: str
    options: dict[str, str]
    price: str
    sale_price: str
    in_stock: bool
    picture: str


@dataclass(frozen=True)
class ShopProduct:
    """A product; without variants its own prices and stock count."""

    id: str
    title: str
    category: str
    price: str
    sale_price: str
    in_stock: bool
    pictures: tuple[str, ...]
    variants: tuple[ShopVariant, ...]

    @property
    def lowest(self) -> float:
        """The lowest price that customers pay."""
        prices = [(one.price, one.sale_price) for one in self.variants] or [(self.price, self.sale_price)]
        return min(float(sale or price) for price, sale in prices)

    @property
    def all_pictures(self) -> tuple[str, ...]:
        """The names of its pictures and of those of its colours."""
        of_colors = (variant.picture for variant in self.variants if variant.picture)
        return tuple(dict.fromkeys((*self.pictures, *of_colors)))


def _products() -> Iterator[ShopProduct]:
    for number in range(50):
        id = f"style-{number:03}"
        price = f"{19 + 7 * number}.{95 if number % 3 else 90}"
        sale = f"{15 + 6 * number}.00" if number % 4 == 0 else ""
        in_stock = number % 11 != 7
        colors, sizes = _COLORS[number % len(_COLORS)], _SIZES[number % len(_SIZES)]
        variants = []
        for color in colors or ("",):
            for place, size in enumerate(sizes or ("",)):
                options = {name: value for name, value in (("color", color), ("size", size)) if value}
                picture = f"{id}-{colors.index(color)}.jpg" if color else ""
                dearer = f"{float(price) + 10:.2f}" if place == 2 else price
                stock = in_stock and (place + number) % 3 != 0
                variants.append(ShopVariant(f"{id}-{len(variants)}", options, dearer, sale, stock, picture))
        is_single = not colors and not sizes
        yield ShopProduct(
            id,
            f"{_TITLES[number % len(_TITLES)]} {number}",
            _CATEGORIES[number % len(_CATEGORIES)],
            price,
            sale,
            in_stock if is_single else any(variant.in_stock for variant in variants),
            tuple(f"{id}_{place}.jpg" for place in range(1 + number % 3)),
            () if is_single else tuple(variants),
        )


SAME_SHOP = tuple(_products())
"""The products, in the order in which every export lists them."""


def write_same_shop(folder: Path, base_url: str) -> dict[str, Path]:
    """Writes the shop into a folder.

    Args:
        folder: an existing folder.
        base_url: what the names of pictures follow in their URLs; ends with ``/``. Magento writes paths, and
            has to be read with it as the media root.

    Returns:
        The files by name: ``shopify``, ``google-tsv``, ``google-xml``, ``woocommerce``, ``magento``.
    """
    writers: dict[str, tuple[str, Callable[[str], str]]] = {
        "shopify": ("shopify.csv", _shopify),
        "google-tsv": ("merchant.tsv", lambda base: _table(_google(base), "\t")),
        "google-xml": ("merchant.xml", _google_xml),
        "woocommerce": ("woocommerce.csv", _woocommerce),
        "magento": ("magento.csv", _magento),
    }
    paths = {}
    for name, (file_name, write) in writers.items():
        paths[name] = folder / file_name
        paths[name].write_text(write(base_url), encoding="utf-8", newline="")
    return paths


def _table(rows: Iterable[dict[str, str]], delimiter: str = ",") -> str:
    rows = list(rows)
    columns = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), restval="", delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _paid(price: str, sale: str) -> tuple[str, str]:
    """The price that is paid, and the one before."""
    return (sale, price) if sale else (price, "")


def _shopify(base: str) -> str:
    def rows() -> Iterator[dict[str, str]]:
        for product in SAME_SHOP:
            first = {
                "Handle": product.id,
                "Title": product.title,
                "Vendor": "Öko & Co",
                "Type": product.category,
                "Tags": "a, b",
                "Published": "true",
            }
            sold: list[dict[str, str]] = []
            for variant in product.variants:
                price, before = _paid(variant.price, variant.sale_price)
                row = {
                    "Variant SKU": variant.id,
                    "Variant Inventory Tracker": "shopify",
                    "Variant Inventory Qty": "4" if variant.in_stock else "0",
                    "Variant Inventory Policy": "deny",
                    "Variant Price": price,
                    "Variant Compare At Price": before,
                    "Variant Image": base + variant.picture if variant.picture else "",
                }
                for number, (name, value) in enumerate(variant.options.items(), 1):
                    row |= {f"Option{number} Value": value}
                    if not sold:
                        row |= {f"Option{number} Name": name.capitalize()}
                sold.append(row)
            if not sold:
                price, before = _paid(product.price, product.sale_price)
                sold.append(
                    {
                        "Option1 Name": "Title",
                        "Option1 Value": "Default Title",
                        "Variant Inventory Tracker": "shopify",
                        "Variant Inventory Qty": "4" if product.in_stock else "0",
                        "Variant Inventory Policy": "deny",
                        "Variant Price": price,
                        "Variant Compare At Price": before,
                    }
                )
            for number in range(max(len(sold), len(product.pictures))):
                row = {"Handle": product.id} | (first | {"Status": "active"} if number == 0 else {})
                row |= sold[number] if number < len(sold) else {}
                if number < len(product.pictures):
                    row |= {"Image Src": base + product.pictures[number], "Image Position": str(number + 1)}
                yield row

    return _table(rows())


def _google(base: str) -> Iterator[dict[str, str]]:
    for product in SAME_SHOP:
        variants: Sequence[ShopVariant | None] = product.variants or (None,)
        for variant in variants:
            sold = variant or product
            pictures = [sold.picture] if isinstance(sold, ShopVariant) and sold.picture else []
            pictures += product.pictures
            yield {
                "id": sold.id,
                "title": product.title,
                "link": f"https://shop.example/{product.id}?v={sold.id}",
                "image_link": base + pictures[0],
                "additional_image_link": ",".join(base + name for name in pictures[1:]),
                "availability": "in_stock" if sold.in_stock else "out_of_stock",
                "price": f"{sold.price} EUR",
                "sale_price": f"{sold.sale_price} EUR" if sold.sale_price else "",
                "google_product_category": "2271",
                "product_type": product.category,
                "condition": "new",
                "item_group_id": product.id if variant else "",
                "color": variant.options.get("color", "") if variant else "",
                "size": variant.options.get("size", "") if variant else "",
            }


def _google_xml(base: str) -> str:
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines.append('<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title>')
    for row in _google(base):
        lines.append("<item>")
        for name, value in row.items():
            tag = name if name in ("title", "link") else f"g:{name}"
            values = value.split(",") if name == "additional_image_link" else [value]
            lines += [f"<{tag}>{escape(one)}</{tag}>" for one in values if one]
        lines.append("</item>")
    return "\n".join([*lines, "</channel></rss>", ""])


def _woocommerce(base: str) -> str:
    def rows() -> Iterator[dict[str, str]]:
        number = 100
        for product in SAME_SHOP:
            number += 1
            own = number
            names = list(product.variants[0].options) if product.variants else []
            row = {
                "ID": str(own),
                "Type": "variable" if product.variants else "simple",
                "SKU": product.id,
                "Name": product.title.replace("&", "&amp;"),
                "Published": "1",
                "Visibility in catalog": "visible",
                "In stock?": str(int(product.in_stock)),
                "Sale price": "" if product.variants else product.sale_price,
                "Regular price": "" if product.variants else product.price,
                "Categories": product.category.replace(",", "\\,") + ", Neu",
                "Images": ", ".join(base + name for name in product.pictures),
                "Parent": "",
            }
            for place, name in enumerate(names, 1):
                values = dict.fromkeys(variant.options[name] for variant in product.variants)
                row[f"Attribute {place} name"] = name.capitalize()
                row[f"Attribute {place} value(s)"] = ", ".join(values)
            yield row
            for variant in product.variants:
                number += 1
                row = {
                    "ID": str(number),
                    "Type": "variation",
                    "SKU": variant.id,
                    "Name": f"{product.title} - {', '.join(variant.options.values())}",
                    "Published": "1",
                    "Visibility in catalog": "visible",
                    "In stock?": str(int(variant.in_stock)),
                    "Sale price": variant.sale_price,
                    "Regular price": variant.price,
                    "Images": base + variant.picture if variant.picture else "",
                    "Parent": product.id if own % 2 else f"id:{own}",
                }
                for place, (name, value) in enumerate(variant.options.items(), 1):
                    row[f"Attribute {place} name"] = name.capitalize()
                    row[f"Attribute {place} value(s)"] = value
                yield row

    return "\ufeff" + unicodedata.normalize("NFD", _table(rows()))


def _magento(base: str) -> str:
    def simple(id: str, sold: ShopProduct | ShopVariant) -> dict[str, str]:
        return {
            "sku": id,
            "store_view_code": "",
            "attribute_set_code": "Default",
            "product_type": "simple",
            "product_online": "1",
            "price": f"{sold.price}0000",
            "special_price": f"{sold.sale_price}0000" if sold.sale_price else "",
            "qty": "4.0000" if sold.in_stock else "0.0000",
            "is_in_stock": str(int(sold.in_stock)),
        }

    def rows() -> Iterator[dict[str, str]]:
        for product in SAME_SHOP:
            root = "Default Category"
            about = {
                "name": product.title,
                "categories": f"{root}/{product.category.replace(' > ', '/')},{root}/Neu,{root}",
                "visibility": "Catalog, Search",
                "base_image": f"/{product.pictures[0]}",
                "additional_images": ",".join(f"/{name}" for name in product.pictures),
            }
            for variant in product.variants:
                yield simple(variant.id, variant) | {
                    "name": f"{product.title}-{'-'.join(variant.options.values())}",
                    "categories": about["categories"],
                    "visibility": "Not Visible Individually",
                    "base_image": f"/{variant.picture}" if variant.picture else "",
                    "additional_attributes": ",".join(f"{k}={v}" for k, v in variant.options.items()),
                }
            if not product.variants:
                yield simple(product.id, product) | about
                continue
            yield {
                **simple(product.id, product),
                **about,
                "product_type": "configurable",
                "special_price": "",
                "configurable_variations": "|".join(
                    ",".join([f"sku={one.id}", *(f"{k}={v}" for k, v in one.options.items())])
                    for one in product.variants
                ),
            }
            yield {"sku": product.id, "store_view_code": "english", "name": f"English {product.id}"}

    return _table(rows())
