"""Recording one payment."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from common import clock
from common.events.payments import PaymentRecorded
from common.testing import ServiceUnderTest

B = "/v1/businesses/b1"
PAYMENT = {"client_id": "ada", "amount_minor": 4500, "method": "cash"}


def test_a_payment_gets_a_receipt_number_and_is_told_of(payments: ServiceUnderTest) -> None:
    with payments.emits(PaymentRecorded) as emitted:
        answer = payments.call("POST", f"{B}/payments", {**PAYMENT, "reference": "R1", "memo": "two\nlines"})
    assert answer.status_code == 201, answer.text
    made = answer.json
    assert (made["receipt_number"], made["receipt_revision"], made["status"], made["source"]) == (
        1,
        1,
        "recorded",
        "manual",
    )
    assert made["client_name"] == "Ada Byron"
    assert made["recorded_by"] == {"type": "staff", "id": "s1", "name": "Sam Staff"}
    assert made["received_on"] == clock.today("Pacific/Auckland").isoformat()
    (event,) = emitted
    assert isinstance(event, PaymentRecorded)
    assert (event.payment_id, event.amount_minor, event.receipt_number) == (made["id"], 4500, 1)
    assert payments.call("GET", f"{B}/payments/{made['id']}").json == made


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount_minor": 0}, "amount_minor"),
        ({"amount_minor": -5}, "amount_minor"),
        ({"amount_minor": 45.5}, "amount_minor"),
        ({"amount_minor": "4500"}, "amount_minor"),
        ({"amount_minor": 10**15}, "amount_minor"),
        ({"method": "barter"}, "method"),
        ({"currency": "EUR"}, "currency"),
        ({"currency": "XXX"}, "currency"),
        ({"client_id": ""}, "client_id"),
        ({"received_on": "2099-01-01"}, "received_on"),
        ({"received_on": "1901-01-01"}, "received_on"),
        ({"received_on": "14.3.2026"}, "received_on"),
        ({"memo": "card 4242424242424242"}, "memo"),
        ({"reference": "a\x00b"}, "reference"),
        ({"amount": 45}, "amount"),
    ],
)
def test_bad_input_names_its_field_and_records_nothing(
    payments: ServiceUnderTest, change: dict[str, Any], field: str
) -> None:
    with payments.emits():
        answer = payments.call("POST", f"{B}/payments", {**PAYMENT, **change})
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert payments.call("GET", f"{B}/payments").json["items"] == []


@pytest.mark.parametrize("body", [None, [], "x", {"client_id": "ada"}])
def test_a_body_that_is_no_payment_is_refused(payments: ServiceUnderTest, body: Any) -> None:
    assert payments.call("POST", f"{B}/payments", body).status_code == 422


def test_tomorrow_is_taken_and_the_day_after_is_not(payments: ServiceUnderTest) -> None:
    today = clock.today("Pacific/Auckland")
    answers = [
        payments.call(
            "POST", f"{B}/payments", {**PAYMENT, "received_on": str(today + timedelta(days=days))}
        ).status_code
        for days in (0, 1, 2)
    ]
    assert answers == [201, 201, 422]


def test_an_unknown_client_is_asked_for_and_503_while_billing_is_away(payments: ServiceUnderTest) -> None:
    answer = payments.call("POST", f"{B}/payments", {**PAYMENT, "client_id": "nobody"})
    assert (answer.status_code, answer.json["code"]) == (503, "billing_unavailable")
    assert answer.headers["Retry-After"]


def test_a_client_id_is_an_id_and_no_name(payments: ServiceUnderTest) -> None:
    for named in ("C-1", "Ada Byron"):
        answer = payments.call("POST", f"{B}/payments", {**PAYMENT, "client_id": named})
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "client_id")


def test_one_key_one_payment(payments: ServiceUnderTest) -> None:
    first = payments.call("POST", f"{B}/payments", PAYMENT, key="k1")
    again = payments.call("POST", f"{B}/payments", PAYMENT, key="k1")
    assert (again.status_code, again.data) == (201, first.data)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    other = payments.call("POST", f"{B}/payments", {**PAYMENT, "amount_minor": 1}, key="k1")
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")
    assert len(payments.call("GET", f"{B}/payments").json["items"]) == 1


def test_a_refused_request_does_not_use_up_its_key(payments: ServiceUnderTest) -> None:
    assert payments.call("POST", f"{B}/payments", {**PAYMENT, "amount_minor": 0}, key="k1").status_code == 422
    assert payments.call("POST", f"{B}/payments", PAYMENT, key="k1").status_code == 201


def test_keys_of_other_businesses_and_callers_do_not_meet(payments: ServiceUnderTest) -> None:
    payments.call("POST", f"{B}/payments", PAYMENT, key="k1")
    other = payments.call("POST", "/v1/businesses/b2/payments", {**PAYMENT, "client_id": "eve"}, key="k1")
    assert (other.status_code, other.json["receipt_number"]) == (201, 1)


def test_fifty_at_once_with_one_key_are_one_payment(payments: ServiceUnderTest) -> None:
    token = payments.token()
    with payments.emits(PaymentRecorded), ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(
            lambda _: payments.call("POST", f"{B}/payments", PAYMENT, key="k1", token=token), range(50)
        ))  # fmt: skip
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.data for answer in answers}) == 1


def test_many_at_once_number_without_gaps(payments: ServiceUnderTest) -> None:
    token = payments.token()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: payments.call("POST", f"{B}/payments", PAYMENT, token=token), range(100)))
    assert sorted(answer.json["receipt_number"] for answer in answers) == list(range(1, 101))
