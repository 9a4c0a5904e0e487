"""What a catalog on a server, large catalogs and filters of searches need: see each function.

Revision 0004.
"""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _add_counters()
    if op.get_bind().dialect.name == "postgresql":
        _prepare_postgresql()  # the last one: it is for all tables


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
