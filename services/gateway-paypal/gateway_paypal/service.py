"""gateway-paypal on one page: payments by redirect, IPN and webhooks, the Virtual Terminal's payments, refunds."""

from pathlib import Path

from common import directory
from common.gateway import operations
from common.gateway.models import GatewayModel
from common.service import Service
from gateway_paypal.api import blueprints
from gateway_paypal.commands import COMMANDS
from gateway_paypal.handlers import HANDLERS
from gateway_paypal.jobs import JOBS
from gateway_paypal.models import PayPalModel
from gateway_paypal.settings import PayPalServiceSettings
from gateway_paypal.timers import TIMERS

service = Service(
    name="gateway-paypal",
    summary="Payments through PayPal: checkouts by redirect, IPN and webhooks, the Virtual Terminal, refunds.",
    blueprints=blueprints,
    handlers=HANDLERS,
    jobs=JOBS,
    timers=TIMERS,
    commands=COMMANDS,
    measures=[operations.measure],
    metadata=[directory.DirectoryModel.metadata, GatewayModel.metadata, PayPalModel.metadata],
    migrations=[directory.MIGRATIONS, Path(__file__).parents[1] / "migrations"],
    settings=PayPalServiceSettings,
)
