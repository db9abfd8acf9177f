"""Bringing a service's database to its newest shape: common's core tables, then the service's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, Table, text
from sqlalchemy.engine import Connection

from common.db import Database, Model, take_time
from common.service import Service
from common.web import idempotency  # noqa: F401 - its table belongs to the core

HERE = Path(__file__).parent / "migrations"
LOCK = 0x52454D4D
# Tables that hold nothing of one business; every other one has a `business_id`, and so a policy.
OF_NO_BUSINESS = frozenset({"alembic_version", "attempts", "timers"})
IS_EXEMPT = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
UNCONFINED = """
    SELECT relation.relname FROM pg_class AS relation
    JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid AND attribute.attname = 'business_id'
    WHERE relation.relkind = 'r' AND relation.relnamespace = 'public'::regnamespace
      AND NOT (relation.relrowsecurity AND relation.relforcerowsecurity IN (:forced, true) AND EXISTS (
        SELECT FROM pg_policy WHERE polrelid = relation.oid AND polname = 'one_business'))
"""


def upgrade(service: Service, database: Database) -> None:
    """Run what is missing of the service's migrations, in one transaction, one process at a time."""
    with database.engine.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL lock_timeout = '60s'"))
            take_time(connection, 0)
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        run(service, connection, ["heads"])


def run(service: Service, connection: Connection, wanted: Sequence[str]) -> None:
    """Run what is missing up to the revisions `wanted`, in the caller's transaction."""
    for revision in wanted:
        command.upgrade(_config(service, connection), revision)
    if connection.dialect.name == "postgresql":
        _confine_web_roles(connection)


def _confine_web_roles(connection: Connection) -> None:
    """Row-level security on every table with a `business_id`. Workers and migrations are exempt because their role may
    bypass it. Where nobody could give it that right, it is exempt as owner, and the policies are not forced."""
    forced = bool(connection.execute(text(IS_EXEMPT)).scalar_one())
    for name in connection.execute(text(UNCONFINED), {"forced": forced}).scalars().all():
        connection.execute(text(f'ALTER TABLE "{name}" ENABLE ROW LEVEL SECURITY'))
        if forced:
            connection.execute(text(f'ALTER TABLE "{name}" FORCE ROW LEVEL SECURITY'))
        connection.execute(text(f'DROP POLICY IF EXISTS one_business ON "{name}"'))
        whose = "current_setting('remit.business', true)"
        connection.execute(
            text(f"CREATE POLICY one_business ON \"{name}\" USING (business_id = {whose} OR {whose} = '*')")
        )


def tables(service: Service) -> list[Table]:
    """Every table of the service's database, as its models say."""
    return list(merged(service.metadata).tables.values())


def revisions(service: Service) -> set[str]:
    """Every revision that this version knows."""
    return {script.revision for script in ScriptDirectory.from_config(_config(service)).walk_revisions()}


def heads(service: Service) -> set[str]:
    """The revisions that this version would bring the database to."""
    return set(ScriptDirectory.from_config(_config(service)).get_heads())


def differences(service: Service, database: Database) -> list[Any]:
    """What the migrated database and the models disagree in; empty when they agree."""
    found: list[Any] = []
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found += compare_metadata(context, merged(service.metadata))
    return [item for item in found if "alembic_version" not in str(item)]


def _config(service: Service, connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("path_separator", "newline")
    folders = [HERE / "core", *service.migrations]
    config.set_main_option("version_locations", "\n".join(str(folder) for folder in folders))
    config.attributes["connection"] = connection
    config.attributes["metadata"] = merged(service.metadata)
    return config


def merged(metadata: Sequence[MetaData]) -> MetaData:
    """The core's tables and the service's own, as one metadata."""
    merged = MetaData(naming_convention=Model.metadata.naming_convention)
    for part in (Model.metadata, *metadata):
        for table in part.tables.values():
            table.to_metadata(merged)
    return merged
