"""Billing on one page: businesses, clients, sessions, invoices, the ledger and balances."""

from pathlib import Path

from billing.api import blueprints
from billing.commands import COMMANDS
from billing.handlers import HANDLERS
from billing.models import BillingModel
from billing.settings import BillingSettings
from billing.timers import TIMERS
from common.service import Service

service = Service(
    name="billing",
    summary="Businesses, clients, sessions and invoices, the double-entry ledger and what every client's balance is.",
    blueprints=blueprints,
    handlers=HANDLERS,
    metadata=[BillingModel.metadata],
    migrations=[Path(__file__).parents[1] / "migrations"],
    settings=BillingSettings,
    timers=TIMERS,
    commands=COMMANDS,
)
