"""What operators can do with gateway-stripe besides what every service has: `remit gateway-stripe do <name>`."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from common.gateway import reconciling, seals
from common.gateway.seals import Sealed
from gateway_stripe.models import Keys
from gateway_stripe.usecases import reconcile
from gateway_stripe.usecases.accounts import place

# Column → the field it is sealed for.
SEALED = {
    "secret_key": "secret_key",
    "webhook_secret": "webhook_secret",
    "previous_webhook_secret": "webhook_secret",
}


def sealed(session: Session) -> Iterator[Sealed]:
    for keys in session.scalars(select(Keys).with_for_update()):
        for column, field in SEALED.items():
            yield Sealed(keys, column, place(keys.business_id, keys.mode, field))


COMMANDS = {
    "rotate-seals": seals.rotation("gateway-stripe", sealed),
    "reconcile": reconciling.command("gateway-stripe", reconcile.ready, reconcile.reconcile),
}
