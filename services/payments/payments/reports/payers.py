"""Which client is remembered for a payer."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from payments.domain.gateway import Payer
from payments.models import RememberedPayer


def remembered(session: Session, payers: Iterable[Payer | None]) -> dict[Payer, str]:
    """Payer → the client who is remembered, in one query."""
    wanted = {payer for payer in payers if payer is not None}
    if not wanted:
        return {}
    columns = (*(getattr(RememberedPayer, name) for name in Payer._fields), RememberedPayer.client_id)
    rows = session.execute(
        select(*columns).where(
            RememberedPayer.business_id.in_({payer.business_id for payer in wanted}),
            RememberedPayer.payer_id.in_({payer.payer_id for payer in wanted}),
        )
    )
    found = {Payer(*row[:-1]): row[-1] for row in rows}
    return {payer: found[payer] for payer in wanted if payer in found}
