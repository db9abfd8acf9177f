"""A notice's body is kept as the bytes that came."""

import sqlalchemy as sa
from alembic import op

revision = "gateway_stripe_0004"
down_revision = "gateway_stripe_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE notices ALTER COLUMN body TYPE bytea USING convert_to(body, 'UTF8')")
        return
    with op.batch_alter_table("notices") as table:
        table.alter_column("body", type_=sa.LargeBinary, existing_nullable=False)
    op.execute("UPDATE notices SET body = CAST(body AS BLOB)")


def downgrade() -> None:
    raise NotImplementedError("what a gateway told is not dropped by a migration; restore a backup instead")
