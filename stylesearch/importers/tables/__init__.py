"""Tables and feeds of products: one format a module, read by one importer."""

from __future__ import annotations

from typing import Final

from stylesearch.registry import Entry, Registry

__all__ = ["TABLE_FORMATS"]

_HERE: Final = "stylesearch.importers.tables"

TABLE_FORMATS: Final = Registry(
    "table format",
    {
        "bigcommerce": Entry(f"{_HERE}.bigcommerce:BigCommerce", "a product export of BigCommerce, CSV"),
        "csv": Entry(
            f"{_HERE}.generic:PlainTable",
            "any table with a header, CSV, TSV or XLSX: id, title, category, image, price, url, ...",
        ),
        "google": Entry(
            f"{_HERE}.google:GoogleMerchant", "a feed for the Google Merchant Center, TSV or XML (RSS, Atom)"
        ),
        "magento": Entry(f"{_HERE}.magento:Magento", "a product export of Magento 2 or Adobe Commerce, CSV"),
        "prestashop": Entry(f"{_HERE}.prestashop:PrestaShop", "a product table of PrestaShop, CSV"),
        "shopify": Entry(f"{_HERE}.shopify:Shopify", "a product export of Shopify, CSV"),
        "woocommerce": Entry(f"{_HERE}.woocommerce:WooCommerce", "a product export of WooCommerce, CSV"),
    },
)
"""Every format of tables, by the name that ``--format`` takes."""
