"""Payments on one page: money received, given back, and its receipts."""

from pathlib import Path

from common import directory
from common.service import Service
from payments.api import blueprints
from payments.handlers import HANDLERS
from payments.models import PaymentsModel
from payments.timers import TIMERS
from payments.usecases import facts

service = Service(
    name="payments",
    summary="Payments, refunds and receipts: one payment or ten thousand, recorded once.",
    blueprints=blueprints,
    handlers=HANDLERS,
    timers=TIMERS,
    measures=[facts.measure],
    metadata=[directory.DirectoryModel.metadata, PaymentsModel.metadata],
    migrations=[directory.MIGRATIONS, Path(__file__).parents[1] / "migrations"],
)
