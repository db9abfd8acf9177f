"""Reconciling: what a gateway has against what was told here. What was missed is told now; what differs is named."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from common.events.gateways import GatewayFeeKnown
from common.gateway import facts
from common.gateway.calls import NOT_ASKED
from common.gateway.fact import Fact
from common.metrics import DRIFT_FOUND
from common.runtime import Runtime
from common.timers import each


@dataclass
class Report:
    """`drift` names each payment and the kind of difference: `amount` or `fee` told here otherwise than the gateway
    shows it now, or what the gateway's own part adds. Figures in minor units."""

    service: str
    since: datetime
    id_field: str
    compared: int = 0
    healed: list[str] = field(default_factory=list)
    differences: list[dict[str, Any]] = field(default_factory=list)

    def compare(self, session: Session, payment_id: str, found: Sequence[Fact], *, is_healed: bool) -> None:
        """Note figures that were told otherwise. The facts have been told by now; `is_healed`: some only just."""
        self.compared += 1
        if is_healed:
            self.healed.append(payment_id)
        told = facts.told_amounts(session, found)
        for fact in found:
            here = told.get(fact.key)
            if here is not None and here != fact.amount_minor:
                kind = "fee" if isinstance(fact.event, GatewayFeeKnown) else "amount"
                self.differs(payment_id, kind, here=here, there=fact.amount_minor)

    def differs(self, payment_id: str, kind: str, **figures: int | None) -> None:
        DRIFT_FOUND.labels(self.service).inc()
        self.differences.append({self.id_field: payment_id, "kind": kind, **figures})

    def as_json(self) -> dict[str, Any]:
        return {
            "since": self.since, "compared": self.compared, "healed": self.healed, "drift": self.differences,
        }  # fmt: skip


def heal_each(runtime: Runtime, business_ids: Sequence[str], since: datetime, reconcile: Any) -> None:
    """Reconcile each business: `reconcile(runtime, business_id, since)`. A gateway that is away is asked next time."""
    each(business_ids, lambda business_id: reconcile(runtime, business_id, since), expected=NOT_ASKED)
