"""What gateway-paypal does when it hears of refunds, and of its own tests. It calls nobody."""

from common import directory
from common.events.gateways import GatewayTestNoticed
from common.events.payments import RefundRequested
from common.gateway import proof, refunds
from common.inbox import Handlers

HANDLERS: Handlers = {
    **directory.HANDLERS,
    RefundRequested: refunds.queue_for("paypal"),
    GatewayTestNoticed: proof.note,
}
