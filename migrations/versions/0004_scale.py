"""What a catalog on a server, large catalogs and filters of searches need: see each function.

Revision 0004.
"""

from __future__ import annotations

import json
import logging
import time

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BATCH = 1000

log = logging.getLogger("stylesearch.migrations")


def upgrade() -> None:
    _add_counters()
    _add_shown_counts()
    _add_product_values()
    _add_artifacts()
    if op.get_bind().dialect.name == "postgresql":
        _prepare_postgresql()  # the last one: it is for all tables


def _add_artifacts() -> None:
    """Adds the tables of fits and trained models that several machines share."""
    op.create_table(
        "artifacts",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", name="pk_artifacts"),
    )
    op.create_table(
        "artifact_parts",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", "sha256", "position", name="pk_artifact_parts"),
        sa.ForeignKeyConstraint(
            ["kind", "name"],
            ["artifacts.kind", "artifacts.name"],
            name="fk_artifact_parts_kind",
            ondelete="CASCADE",
        ),
    )


def _add_counters() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
    )


def _prepare_postgresql() -> None:
    """Begins the counters and ids, orders texts as Python does, and stores vectors as they are.

    Vectors cannot be compressed: trying that costs time at each read and write.
    """
    connection = op.get_bind()
    op.execute(
        "INSERT INTO counters (name, value) SELECT 'changes', 0 "
        "UNION ALL SELECT 'highest_feature_id', coalesce(max(id), 0) FROM features"
    )
    connection.execute(
        sa.text(
            "SELECT setval(pg_get_serial_sequence('features', 'id'), greatest(:now, max(id))) FROM features"
        ),
        {"now": time.time_ns() // 1000},
    )
    schema = sa.inspect(connection)
    for table in schema.get_table_names(schema=schema.default_schema_name):
        texts = [
            f'ALTER COLUMN "{column["name"]}" TYPE VARCHAR COLLATE "C"'
            for column in schema.get_columns(table)
            if isinstance(column["type"], sa.String) and table != "alembic_version"
        ]
        if texts:
            op.execute(f'ALTER TABLE "{table}" {", ".join(texts)}')
    op.execute("ALTER TABLE features ALTER COLUMN vector SET STORAGE EXTERNAL")


def _add_shown_counts() -> None:
    """Products with an image that is shown, by category, counted once; writers keep it up from then on."""
    op.create_table(
        "shown_counts",
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("n_products", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("category", name="pk_shown_counts"),
    )
    op.execute(
        "INSERT INTO shown_counts (category, n_products) "
        "SELECT category, count(*) FROM products WHERE category IS NOT NULL AND EXISTS ("
        "SELECT 1 FROM images WHERE images.product_pk = products.pk AND domain = 'shop' AND state = 'ok') "
        "GROUP BY category"
    )


def _add_product_values() -> None:
    """The values of attributes and options, which filters look up, of all products."""
    values = op.create_table(
        "product_values",
        sa.Column("product_pk", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("number", sa.Float(), nullable=True),
        sa.Column("label", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_pk"], ["products.pk"], name="fk_product_values_product_pk", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_pk", "name", "value", name="pk_product_values"),
        sqlite_with_rowid=False,
    )
    # Imported here: what can be asked for is decided in one place, and `db check --repair` makes it anew.
    from stylesearch.catalog.value_rows import values_to_filter

    connection = op.get_bind()
    pk, attributes, variants = sa.column("pk"), sa.column("attributes"), sa.column("variants")
    page = (
        sa.select(pk, sa.cast(attributes, sa.Text), sa.cast(variants, sa.Text))
        .select_from(sa.table("products"))
        .order_by(pk)
        .limit(BATCH)
    )
    last = done = 0
    while rows := connection.execute(page.where(pk > last)).all():
        found = []
        for product_pk, *texts in rows:
            try:
                said, sold = (json.loads(one or "null") for one in texts)
                of_product = values_to_filter(said or {}, [one["options"] for one in sold or ()])
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                continue  # a damaged row, which `db check` names
            found += [
                {"product_pk": product_pk, "name": name, "value": value, "number": number, "label": label}
                for (name, value), (number, label) in of_product.items()
            ]
        if found:
            connection.execute(values.insert(), found)
        last = rows[-1][0]
        done += len(rows)
        log.info("values of %d products", done)
    op.create_index(
        "ix_product_values_name_value_product_pk", "product_values", ["name", "value", "product_pk"]
    )
    op.create_index(
        "ix_product_values_name_number_product_pk", "product_values", ["name", "number", "product_pk"]
    )
