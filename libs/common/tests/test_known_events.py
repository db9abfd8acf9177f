"""Events that are made without looking at each value."""

from datetime import UTC, date, datetime

import orjson

from common.events.payments import Actor, PaymentRecorded


def test_what_has_a_default_travels_as_if_it_had_been_looked_at() -> None:
    """Also a field that a later version adds, which the many places that make events need not name."""
    given = {
        "business_id": "b1", "event_id": "01a2132c-cb2f-7451-8051-545954d360d9", "sequence": 1,
        "occurred_at": datetime(2026, 11, 25, 16, 20, tzinfo=UTC), "payment_id": "p1", "client_id": "c1",
        "amount_minor": 4_500, "currency": "EUR", "method": "cash", "receipt_number": 1, "receipt_revision": 1,
        "recorded_by": Actor(type="staff", id="s1", name="Ann Example"), "source": "manual",
        "received_on": date(2026, 11, 25),
    }  # fmt: skip
    assert "gateway" not in given
    known, checked = PaymentRecorded.known(**given), PaymentRecorded(**given)
    assert known == checked
    assert set(known.__dict__) == set(checked.__dict__)
    assert orjson.loads(known.to_wire("payments")) == orjson.loads(checked.to_wire("payments"))
