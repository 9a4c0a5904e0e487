"""Sources, and what each of them says of each product; variants, stock and amounts; images behind URLs.

Revision 0002. The column ``source`` of an image, which named the import that listed it last, becomes rows of
the new tables. Of a product whose images all come from one source, that source said all that the catalog has;
of one with several, nothing tells which of them said what, so none of them did.
"""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from stylesearch.money import parse_price

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NEEDS_STYLESEARCH = "0.3.0"
UNCATEGORIZED = "uncategorized"
BATCH = 1000


def upgrade() -> None:
    sources = op.create_table(
        "sources",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("ingested_at", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("pk", name="pk_sources"),
        sa.UniqueConstraint("name", name="uq_sources_name"),
    )
    listings = op.create_table(
        "listings",
        sa.Column("product_pk", sa.Integer(), nullable=False),
        sa.Column("source_pk", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.Column("guesses", sa.JSON(), nullable=False),
        sa.Column("lists", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.ForeignKeyConstraint(
            ["product_pk"], ["products.pk"], name="fk_listings_product_pk", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["source_pk"], ["sources.pk"], name="fk_listings_source_pk", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_pk", "source_pk", name="pk_listings"),
    )
    op.create_index("ix_listings_source_pk_place", "listings", ["source_pk", "place"])
    op.create_table(
        "image_listings",
        sa.Column("image_pk", sa.Integer(), nullable=False),
        sa.Column("source_pk", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_pk"], ["images.pk"], name="fk_image_listings_image_pk", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["source_pk"], ["sources.pk"], name="fk_image_listings_source_pk", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("image_pk", "source_pk", name="pk_image_listings"),
    )
    op.create_index("ix_image_listings_source_pk_image_pk", "image_listings", ["source_pk", "image_pk"])
    op.create_table(
        "category_map",
        sa.Column("shop_category", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("shop_category", name="pk_category_map"),
    )
    for column in (
        sa.Column("in_stock", sa.Boolean(), nullable=True),
        sa.Column("variants", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("amount", sa.Float(), nullable=True),
        sa.Column("amount_max", sa.Float(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("shop_category", sa.String(), nullable=False, server_default=""),
    ):
        op.add_column("products", column)
    op.add_column("images", sa.Column("file", sa.String(), nullable=True))
    op.add_column("images", sa.Column("options", sa.JSON(), nullable=True))
    op.add_column("images", sa.Column("position", sa.Integer(), nullable=False, server_default="0"))

    connection = op.get_bind()
    connection.execute(sa.text("UPDATE products SET shop_category = category"))
    op.create_index("ix_products_shop_category", "products", ["shop_category"])
    _read_prices(connection)
    _name_sources(connection, sources)
    _list_products(connection, listings)
    # SQLite changes it in place, without a copy of the table that features refer to.
    op.execute("ALTER TABLE images DROP COLUMN source")
    connection.execute(
        sa.text("UPDATE about SET value = :version WHERE name = 'needs_stylesearch'"),
        {"version": NEEDS_STYLESEARCH},
    )


def _read_prices(connection: sa.Connection) -> None:
    update = sa.text(
        "UPDATE products SET amount = :amount, amount_max = :amount, currency = :currency WHERE pk = :pk"
    )
    for rows in _pages(connection, "SELECT pk, price FROM products WHERE price IS NOT NULL AND pk > :last"):
        read = [(row.pk, parse_price(row.price)) for row in rows]
        if values := [
            {"pk": pk, "amount": money.amount, "currency": money.currency or None}
            for pk, money in read
            if money is not None
        ]:
            connection.execute(update, values)


def _name_sources(connection: sa.Connection, sources: sa.Table) -> None:
    """Adds a source for each path that images came from, and which images it lists.

    The imports of before were called ``FORMAT:PATH``, and the API ``api``.
    """
    named: dict[str, dict[str, Any]] = {}
    name_of: dict[str, str] = {}
    # Folders were read in this way alone; another reading would give their products other ids.
    layout = {"layout": "category/product/image"}
    for old in connection.execute(sa.text("SELECT DISTINCT source FROM images ORDER BY source")).scalars():
        kind, _, path = old.partition(":")
        name_of[old] = name = path or old
        options = layout if kind == "folder" else {}
        run = len(named) + 1
        named.setdefault(name, {"name": name, "path": path, "format": kind, "options": options, "run": run})
    if not named:
        return
    connection.execute(sa.insert(sources), list(named.values()))
    add = sa.text(
        "INSERT INTO image_listings (image_pk, source_pk) SELECT images.pk, sources.pk FROM images, sources "
        "WHERE images.source = :old AND sources.name = :name"
    )
    connection.execute(add, [{"old": old, "name": name} for old, name in name_of.items()])


def _list_products(connection: sa.Connection, listings: sa.Table) -> None:
    sources = {row.pk: row for row in connection.execute(sa.text("SELECT * FROM sources"))}
    products = "SELECT pk, id, title, category, url, price, attributes FROM products WHERE pk > :last"
    for rows in _pages(connection, products):
        listed: dict[int, dict[int, str]] = {row.pk: {} for row in rows}
        found = connection.execute(
            sa.text(
                "SELECT images.product_pk, image_listings.source_pk, min(images.path) AS path "
                "FROM images JOIN image_listings ON image_listings.image_pk = images.pk "
                "WHERE images.product_pk BETWEEN :first AND :last "
                "GROUP BY images.product_pk, image_listings.source_pk"
            ),
            {"first": rows[0].pk, "last": rows[-1].pk},
        )
        for row in found:
            listed[row.product_pk][row.source_pk] = row.path
        values = []
        for row in rows:
            for source_pk, path in listed[row.pk].items():
                source = sources[source_pk]
                said, guesses = _said(row, source.format) if len(listed[row.pk]) == 1 else ({}, {})
                values.append(
                    {
                        "product_pk": row.pk,
                        "source_pk": source_pk,
                        "place": _place(source, path),
                        "said": said,
                        "guesses": guesses,
                    }
                )
        if values:
            connection.execute(sa.insert(listings), values)


def _said(row: Any, source_format: str) -> tuple[dict[str, Any], dict[str, str]]:
    """What the only source of a product has said of it; a folder's titles were made from names."""
    said = {"title": row.title, "category": row.category, "url": row.url, "price": row.price}
    guesses = {}
    if source_format == "folder" or row.title == row.id:
        guesses["title"] = said.pop("title")
    if row.category == UNCATEGORIZED:
        del said["category"]
    said |= {f"attributes.{name}": value for name, value in row.attributes.items()}
    return {name: value for name, value in said.items() if value is not None}, guesses


def _place(source: Any, path: str) -> str:
    """Where a product of a folder lies in it, in NFC: ``category/product``, or an image by itself."""
    if source.format != "folder":
        return ""
    parts = unicodedata.normalize("NFC", posixpath.relpath(path, source.path)).split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else "/".join(parts)


def _pages(connection: sa.Connection, statement: str) -> Iterator[Any]:
    page = sa.text(f"{statement} ORDER BY pk LIMIT {BATCH}").columns(attributes=sa.JSON())
    last = 0
    while rows := connection.execute(page, {"last": last}).all():
        yield rows
        last = rows[-1].pk
