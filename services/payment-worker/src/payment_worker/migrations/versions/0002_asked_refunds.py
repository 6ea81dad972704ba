"""Whether the provider may have heard of a refund.

The version before neither reads nor fills this: of what it stores, the answer is that it may have.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("refunds", sa.Column("asked", sa.Boolean, nullable=False, server_default=sa.true()))
