"""Proving the books: billing's own checks, and the ledger against payments' figures. Drift is told, never mended."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from billing.models import Business, Transfer
from billing.reports import books
from common import clock, logs
from common.errors import Unavailable
from common.events.billing import DriftFound
from common.metrics import DRIFT_FOUND
from common.outbox import emit
from common.runtime import Runtime

AGAINST_PAYMENTS = "ledger = payments' figures"
# What changed a moment ago may still be on its way here.
GRACE = timedelta(minutes=5)
PAGE = 2_000
TOLD = 100
MOST = 1_000

log = logs.get("proof")


@dataclass(frozen=True)
class Proof:
    """What was found in one business: check → sentences. `not_compared`: why payments could not be asked, if so."""

    business_id: str
    findings: dict[str, list[str]]
    not_compared: str | None

    @property
    def drift(self) -> dict[str, list[str]]:
        return {name: found for name, found in self.findings.items() if found}


def businesses(session: Session) -> Sequence[str]:
    return session.scalars(select(Business.business_id).order_by(Business.business_id)).all()


def prove(runtime: Runtime, business_id: str) -> Proof:
    """Check one business's books, and tell of drift by an event."""
    with runtime.database.snapshot() as session:
        findings = {name: _first(check(session, business_id)) for name, check in books.CHECKS.items()}
    not_compared = None
    try:
        findings[AGAINST_PAYMENTS] = _first(_against_payments(runtime, business_id))
    except Unavailable as error:
        not_compared = error.detail
    proof = Proof(business_id, findings, not_compared)
    if proof.drift:
        sentences = [sentence for found in proof.drift.values() for sentence in found]
        DRIFT_FOUND.labels(runtime.service.name).inc(len(sentences))
        log.error("the books do not agree", business_id=business_id, findings=sentences[:TOLD])
        with runtime.database.write() as session:
            emit(session, "billing", [
                DriftFound(
                    business_id=business_id,
                    checks=list(proof.drift),
                    findings=sentences[:TOLD],
                    findings_count=len(sentences),
                )
            ])  # fmt: skip
    return proof


def _first(sentences: Iterator[str]) -> list[str]:
    """As many as anybody reads: books that are wrong everywhere must not fill the memory."""
    return list(islice(sentences, MOST))


def _against_payments(runtime: Runtime, business_id: str) -> Iterator[str]:
    """Every payment is in the ledger with what was received and is kept, and the ledger has no other."""
    settled = clock.now() - GRACE
    after = ""
    while True:
        page = _page(runtime, business_id, after)
        through = page[-1]["payment_id"] if len(page) == PAGE else None
        with runtime.database.read() as session:
            booked = _booked(session, business_id, after, through)
        for row in page:
            mine = booked.pop(row["payment_id"], None)
            if datetime.fromisoformat(row["changed_at"]) < settled:
                yield from _differences(row, mine)
        for payment_id, row in booked.items():
            if row.booked_at < settled:
                yield f"transfers of payment {payment_id}: {row.net_minor} booked; payments has no such payment"
        if through is None:
            return
        after = through


def _differences(row: dict[str, Any], booked: Any) -> Iterator[str]:
    withdrawn_minor = row.get("withdrawn_minor", 0)  # payments of the release before this one names none
    kept_minor = 0 if row["voided"] else row["amount_minor"] - row["refunded_minor"] - withdrawn_minor
    if booked is None:
        yield f"payment {row['payment_id']}: {row['amount_minor']} received; it is not in the ledger"
    elif (booked.client_id, booked.received_minor, booked.net_minor) != (
        row["client_id"],
        row["amount_minor"],
        kept_minor,
    ):
        yield (
            f"payment {row['payment_id']}: client {row['client_id']}, {row['amount_minor']} received,"
            f" {kept_minor} kept;"
            " the ledger has"
            f" client {booked.client_id}, {booked.received_minor} and {booked.net_minor}"
        )


def _page(runtime: Runtime, business_id: str, after: str) -> list[dict[str, Any]]:
    answer = runtime.ask(
        "payments", "GET", f"/v1/businesses/{business_id}/payments/figures",
        scope="payments:read", business_id=business_id, params={"after": after, "limit": PAGE},
    )  # fmt: skip
    if not answer.ok:
        raise Unavailable("payments_refused", f"payments answered {answer.status_code} when asked for its figures")
    rows: list[dict[str, Any]] = answer.json()["items"]
    return rows


def _booked(session: Session, business_id: str, after: str, through: str | None) -> dict[str, Any]:
    """Payment id → what the ledger has of it, for ids later than `after` up to `through`."""
    received = case((Transfer.kind == "payment", Transfer.amount_minor), else_=0)
    query = (
        select(
            Transfer.payment_id,
            func.min(Transfer.client_id).label("client_id"),
            func.sum(received).label("received_minor"),
            func.sum(books.SIGNED_MINOR).label("net_minor"),
            func.max(Transfer.recorded_at).label("booked_at"),
        )
        .where(Transfer.business_id == business_id, Transfer.payment_id > after)
        .group_by(Transfer.payment_id)
    )
    if through is not None:
        query = query.where(Transfer.payment_id <= through)
    return {str(row.payment_id): row for row in session.execute(query)}
