"""${message}.

Revision ${up_revision}, after ${down_revision}.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}

NEEDS_STYLESEARCH = "X.Y.Z"  # the first version of stylesearch that reads this schema


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
    op.execute(
        sa.text("UPDATE about SET value = :version WHERE name = 'needs_stylesearch'").bindparams(
            version=NEEDS_STYLESEARCH
        )
    )
