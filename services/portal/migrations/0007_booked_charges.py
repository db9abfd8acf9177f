"""By which entry of the ledger a run's charge is in its client's balance."""

import sqlalchemy as sa
from alembic import op

revision = "portal_0007"
down_revision = "portal_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run_clients", sa.Column("booked", sa.BigInteger))


def downgrade() -> None:
    raise NotImplementedError("what was charged is not dropped by a migration; restore a backup instead")
