"""Probable duplicates: new payments that look like money that is recorded already."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from common.db import IN_CHUNK, is_one_of
from common.errors import Conflict
from payments.domain import payment as rules
from payments.domain.payment import NewPayment
from payments.models import Payment
from payments.usecases import locks


def refuse_probable(
    session: Session,
    business_id: str,
    new: Sequence[NewPayment],
    client_ids: Sequence[str],
    today: date,
    *,
    check_repeats: bool,
) -> None:
    """Raise Conflict `probable_duplicates` with each new payment that resembles a recorded one, and with
    `check_repeats` each that resembles one before it."""
    locks.hold_recording(session, business_id)
    duplicates = probable(session, business_id, new, client_ids, today)
    if check_repeats:
        twice = repeats(new, client_ids, today)
        duplicates += [
            {"row": place + 1, "why": f"same as row {before + 1}", "repeats_row": before + 1}
            for place, before in twice.items()
        ]
        duplicates.sort(key=lambda found: found["row"])
    rows = len({found["row"] for found in duplicates})
    if duplicates:
        raise Conflict(
            "probable_duplicates",
            f"{rows} of these payments look recorded already. Nothing was recorded; look at them, and send"
            " allow_duplicates if they are new money.",
            duplicates=duplicates[:500],
            duplicates_found=len(duplicates),
        )


def repeats(new: Sequence[NewPayment], client_ids: Sequence[str], today: date) -> dict[int, int]:
    """Place from 0 → the place before it that looks like the same money."""
    pairs = zip(new, client_ids, strict=True)
    return rules.repeats([(payment, client_id, payment.received_on or today) for payment, client_id in pairs])


def probable(
    session: Session, business_id: str, new: Sequence[NewPayment], client_ids: Sequence[str], today: date
) -> list[dict[str, Any]]:
    """Each new payment that resembles a recorded one, by its place from 1 as `row`."""
    if not new:
        return []
    days = [payment.received_on or today for payment in new]
    recorded = _like(session, business_id, new, client_ids, min(days), max(days))
    by_key: dict[tuple[str, Any], list[Any]] = {}
    for other in recorded:
        by_key.setdefault((other.client_id, other.amount_minor), []).append(other)
        if other.reference:
            by_key.setdefault(("reference", other.reference), []).append(other)
    duplicates = []
    for row, (payment, client_id, day) in enumerate(zip(new, client_ids, days, strict=True), start=1):
        near = by_key.get((client_id, payment.amount_minor), []) + by_key.get(("reference", payment.reference), [])
        for other in near:
            why = rules.resembles(payment, client_id, day, other)
            if why is not None:
                duplicates.append(
                    {"row": row, "why": why, "payment_id": other.payment_id, "client_id": other.client_id,
                     "amount_minor": other.amount_minor, "received_on": other.received_on, "reference": other.reference}
                )  # fmt: skip
                break
    return duplicates


def _like(
    session: Session,
    business_id: str,
    new: Sequence[NewPayment],
    client_ids: Sequence[str],
    first: date,
    last: date,
) -> list[Any]:
    """Recorded payments of these clients around these days, or with one of these references; voided ones left out."""
    clients = sorted(set(client_ids))
    references = sorted({payment.reference for payment in new if payment.reference})
    columns = (
        Payment.payment_id, Payment.client_id, Payment.amount_minor, Payment.received_on, Payment.reference,
    )  # fmt: skip
    span = timedelta(days=rules.DUPLICATE_DAYS)
    found: dict[str, Any] = {}
    for start in range(0, max(len(clients), len(references)), IN_CHUNK):
        query = select(*columns).where(
            Payment.business_id == business_id,
            Payment.voided_at.is_(None),
            or_(
                is_one_of(session, Payment.client_id, clients[start : start + IN_CHUNK])
                & Payment.received_on.between(first - span, last + span),
                is_one_of(session, Payment.reference, references[start : start + IN_CHUNK]),
            ),
        )
        found |= {row.payment_id: row for row in session.execute(query)}
    return list(found.values())
