"""Bringing a service's database to its newest shape: common's core tables, then the service's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, text
from sqlalchemy.engine import Connection

from common.db import Database, Model
from common.service import Service
from common.web import idempotency  # noqa: F401 - its table belongs to the core

HERE = Path(__file__).parent / "migrations"
LOCK = 0x52454D4D


def upgrade(service: Service, database: Database) -> None:
    """Run what is missing of the service's migrations, in one transaction, one process at a time."""
    with database.engine.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL lock_timeout = '60s'"))
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        command.upgrade(_config(service, connection), "heads")


def differences(service: Service, database: Database) -> list[Any]:
    """What the migrated database and the models disagree in; empty when they agree."""
    found: list[Any] = []
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found += compare_metadata(context, _merged(service.metadata))
    return [item for item in found if "alembic_version" not in str(item)]


def _config(service: Service, connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("path_separator", "newline")
    folders = [HERE / "core", *service.migrations]
    config.set_main_option("version_locations", "\n".join(str(folder) for folder in folders))
    config.attributes["connection"] = connection
    config.attributes["metadata"] = _merged(service.metadata)
    return config


def _merged(metadata: Sequence[MetaData]) -> MetaData:
    merged = MetaData(naming_convention=Model.metadata.naming_convention)
    for part in (Model.metadata, *metadata):
        for table in part.tables.values():
            table.to_metadata(merged)
    return merged
