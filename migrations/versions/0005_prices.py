"""An index of prices and stock, by which filters find products without reading their rows.

Revision 0005.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_products_amount_amount_max_in_stock", "products", ["amount", "amount_max", "in_stock"]
    )
