"""Notifications on one page: mails to clients and businesses, each once, with their state."""

from pathlib import Path

from common import directory
from common.service import Service
from notifications.api import blueprints
from notifications.handlers import HANDLERS
from notifications.jobs import JOBS
from notifications.models import NotificationsModel
from notifications.settings import NotificationsSettings

service = Service(
    name="notifications",
    summary="E-mails: receipts, invoices, reminders and warnings, their delivery state and retries.",
    blueprints=blueprints,
    handlers=HANDLERS,
    jobs=JOBS,
    metadata=[directory.DirectoryModel.metadata, NotificationsModel.metadata],
    migrations=[directory.MIGRATIONS, Path(__file__).parents[1] / "migrations"],
    settings=NotificationsSettings,
)
