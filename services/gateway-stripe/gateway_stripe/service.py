"""gateway-stripe on one page: cards through Stripe, on the page, by staff and by one click; its callbacks; refunds."""

from pathlib import Path

from common import directory
from common.gateway import operations
from common.gateway.models import GatewayModel
from common.service import Service
from gateway_stripe.api import blueprints
from gateway_stripe.commands import COMMANDS
from gateway_stripe.handlers import HANDLERS
from gateway_stripe.jobs import JOBS
from gateway_stripe.models import StripeModel
from gateway_stripe.settings import StripeServiceSettings
from gateway_stripe.timers import TIMERS

service = Service(
    name="gateway-stripe",
    summary="Cards through Stripe: keys, payments on the page, saved cards, callbacks, refunds, reconciliation.",
    blueprints=blueprints,
    handlers=HANDLERS,
    jobs=JOBS,
    timers=TIMERS,
    commands=COMMANDS,
    measures=[operations.measure],
    metadata=[directory.DirectoryModel.metadata, GatewayModel.metadata, StripeModel.metadata],
    migrations=[directory.MIGRATIONS, Path(__file__).parents[1] / "migrations"],
    settings=StripeServiceSettings,
)
