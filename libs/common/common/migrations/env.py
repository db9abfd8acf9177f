"""Alembic's environment, one for every service: the connection is handed in by `common.migrate`."""

from alembic import context

from common import crash

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=context.config.attributes["metadata"],
    transaction_per_migration=False,
    compare_type=True,
    on_version_apply=lambda **_: crash.here("migrating"),
)
with context.begin_transaction():
    context.run_migrations()
