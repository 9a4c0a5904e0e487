"""What a catalog on a server, large catalogs and filters of searches need: see each function.

Revision 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_shown_counts()


def add_shown_counts() -> None:
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
