"""The catalog: products, images, feature sets and features.

Revision 0001, the first.
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NEEDS_STYLESEARCH = "0.1.0"


def upgrade() -> None:
    about = op.create_table(
        "about",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_about"),
    )
    op.bulk_insert(
        about,
        [
            {"name": "needs_stylesearch", "value": NEEDS_STYLESEARCH},
            {"name": "catalog_id", "value": secrets.token_hex(8)},
        ],
    )
    op.create_table(
        "products",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=True),
        sa.Column("price", sa.String(), nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("pk", name="pk_products"),
        sa.UniqueConstraint("id", name="uq_products_id"),
    )
    op.create_index("ix_products_category_id", "products", ["category", "id"])
    op.create_table(
        "images",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("product_pk", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("box", sa.String(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("stat_key", sa.String(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_pk"], ["products.pk"], name="fk_images_product_pk", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pk", name="pk_images"),
        sa.UniqueConstraint("product_pk", "path", name="uq_images_product_pk_path"),
    )
    op.create_index("ix_images_sha256_state", "images", ["sha256", "state"])
    op.create_index("ix_images_state", "images", ["state"])
    op.create_table(
        "feature_sets",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("extractor", sa.String(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("weights_digest", sa.String(), nullable=False),
        sa.Column("dim", sa.Integer(), nullable=False),
        sa.Column("dtype", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("pk", name="pk_feature_sets"),
        sa.UniqueConstraint("fingerprint", name="uq_feature_sets_fingerprint"),
    )
    op.create_table(
        "features",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("feature_set_pk", sa.Integer(), nullable=False),
        sa.Column("image_pk", sa.Integer(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["feature_set_pk"], ["feature_sets.pk"], name="fk_features_feature_set_pk", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["image_pk"], ["images.pk"], name="fk_features_image_pk", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_features"),
        sa.UniqueConstraint("image_pk", "feature_set_pk", name="uq_features_image_pk_feature_set_pk"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_features_feature_set_pk_domain_category_id",
        "features",
        ["feature_set_pk", "domain", "category", "id"],
    )
    op.create_index("ix_features_feature_set_pk_domain_id", "features", ["feature_set_pk", "domain", "id"])
