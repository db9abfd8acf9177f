"""Who signs in is found by an address, and a team's key by its id, before their business is known: on PostgreSQL these
rows, and no others, may be seen then (`common.context.seeking`)."""

from alembic import op

revision = "portal_0006"
down_revision = "portal_0005"
branch_labels = None
depends_on = None

SOUGHT = {"users": "email_folded", "team_keys": "key_id"}


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, column in SOUGHT.items():
        sought = "NULLIF(current_setting('remit.sought', true), '')"
        op.execute(f"CREATE POLICY sought ON {table} FOR SELECT USING ({column} = {sought})")


def downgrade() -> None:
    for table in SOUGHT:
        op.execute(f"DROP POLICY sought ON {table}")
