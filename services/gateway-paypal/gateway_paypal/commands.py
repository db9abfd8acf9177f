"""What operators can do with gateway-paypal besides what every service has: `remit gateway-paypal do <name>`."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from common.gateway import reconciling, seals
from common.gateway.seals import Sealed
from gateway_paypal.models import Account
from gateway_paypal.usecases import reconcile
from gateway_paypal.usecases.accounts import place


def sealed(session: Session) -> Iterator[Sealed]:
    for account in session.scalars(select(Account).with_for_update()):
        yield Sealed(account, "client_secret", place(account.business_id))


COMMANDS = {
    "rotate-seals": seals.rotation("gateway-paypal", sealed),
    "reconcile": reconciling.command("gateway-paypal", reconcile.ready, reconcile.reconcile),
}
