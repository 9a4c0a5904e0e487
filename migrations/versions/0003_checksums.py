"""A checksum of each stored vector.

Revision 0003. A vector that was damaged before cannot be told from a sound one: its checksum is that of what
is stored now.
"""

from __future__ import annotations

import logging
import zlib

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BATCH = 1000

log = logging.getLogger("stylesearch.migrations")


def upgrade() -> None:
    # SQLite adds it in place, without a copy of the table.
    op.add_column("features", sa.Column("checksum", sa.BigInteger(), nullable=False, server_default="-1"))
    connection = op.get_bind()
    total = connection.execute(sa.text("SELECT count(*) FROM features")).scalar_one()
    page = sa.text(f"SELECT id, vector FROM features WHERE id > :last ORDER BY id LIMIT {BATCH}")
    update = sa.text("UPDATE features SET checksum = :checksum WHERE id = :id")
    last = done = 0
    while rows := connection.execute(page, {"last": last}).all():
        connection.execute(update, [{"id": row.id, "checksum": zlib.crc32(row.vector)} for row in rows])
        last = rows[-1].id
        done += len(rows)
        if done // (10 * BATCH) > (done - len(rows)) // (10 * BATCH) or done == total:
            log.info("checksums of %d of %d vectors", done, total)
