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
    add_artifacts()


def add_artifacts() -> None:
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
