"""Many payments at once: all or nothing, and every bad row is named."""

from typing import Any

import pytest

from common.events.payments import PaymentRecorded, PaymentVoided
from common.testing import ServiceUnderTest

B = "/v1/businesses/b1"
BATCH = f"{B}/payments/batch"
HEADER = "client,amount,method,received_on,currency,invoice_number,reference,memo"
GOOD = "C-1,45.00,cash,2026-03-01,USD,INV-1,R-{n},hello"


def csv(*rows: str, header: str = HEADER) -> str:
    return "\n".join([header, *rows]) + "\n"


def history(payments: ServiceUnderTest) -> list[dict[str, Any]]:
    return list(payments.call("GET", f"{B}/payments?limit=200").json["items"])


def test_a_csv_names_clients_by_id_reference_address_or_name(payments: ServiceUnderTest) -> None:
    rows = [f"{client},10.00,bank transfer" for client in ("ada", "C-1", "ADA@example.com", "Ada Byron")]
    with payments.emits(*[PaymentRecorded] * 4):
        answer = payments.call("POST", BATCH, csv=csv(*rows, header="client,amount,method"))
    assert answer.status_code == 201, answer.text
    made = answer.json
    assert (made["count"], made["total_minor"]) == (4, 4000)
    assert {payment["client_id"] for payment in made["payments"]} == {"ada"}
    assert [payment["receipt_number"] for payment in made["payments"]] == [1, 2, 3, 4]
    assert {payment["batch_id"] for payment in history(payments)} == {made["batch_id"]}


@pytest.mark.parametrize(
    ("row", "field", "code"),
    [
        ("sam@example.com,10.00,cash,,,,,", "client", "client_ambiguous"),
        ("Sam Twin,10.00,cash,,,,,", "client", "client_ambiguous"),
        ("C-1,-10.00,cash,,,,,", "amount", None),
        ("C-1,0,cash,,,,,", "amount", None),
        ("C-1,2.005,cash,,,,,", "amount", None),
        ('C-1,"1,000.00",cash,,,,,', "amount", None),
        ("C-1,,cash,,,,,", "amount", None),
        ("C-1,10.00,barter,,,,,", "method", None),
        ("C-1,10.00,cash,2099-01-01,,,,", "received_on", None),
        ("C-1,10.00,cash,1.3.2026,,,,", "received_on", None),
        ("C-1,10.00,cash,,EUR,,,", "currency", "currency_mismatch"),
        ("C-1,10.00,cash,,,,,4242 4242 4242 4242", "memo", None),
        ("C-1,10.00,cash,,,,,\x00", "memo", None),
        ("C-1,10.00", "method", None),
        ("C-1,10.00,cash,,,,,,extra", "row", None),
    ],
)
def test_one_bad_row_refuses_all_and_is_named(
    payments: ServiceUnderTest, row: str, field: str, code: str | None
) -> None:
    with payments.emits():
        answer = payments.call("POST", BATCH, csv=csv(GOOD.format(n=1), row, GOOD.format(n=2)))
    assert answer.status_code == 422, answer.text
    (error,) = answer.json["errors"]
    assert (error["row"], error["field"]) == (2, field)
    assert answer.json["code"] == (code or "validation_failed")
    if code == "client_ambiguous":
        assert {candidate["client_id"] for candidate in error["candidates"]} == {"sam1", "sam2"}
    assert history(payments) == []


def test_bytes_that_are_no_text_are_found_in_their_cell(payments: ServiceUnderTest) -> None:
    body = csv(GOOD.format(n=1)).encode() + b"C-1,10.00,cash,2026-03-01,,,R-2,caf\xe9\n"
    answer = payments.call("POST", BATCH, csv=body)
    assert [(error["row"], error["field"]) for error in answer.json["errors"]] == [(2, "memo")]
    assert history(payments) == []


def test_a_missing_column_is_named(payments: ServiceUnderTest) -> None:
    answer = payments.call("POST", BATCH, csv=csv("C-1,10.00", header="client,amount"))
    assert (answer.status_code, [error["field"] for error in answer.json["errors"]]) == (422, ["method"])
    answer = payments.call("POST", BATCH, csv=csv("C-1,10.00,cash,x", header="client,amount,method,colour"))
    assert [error["field"] for error in answer.json["errors"]] == ["colour"]


def test_an_empty_file_is_refused(payments: ServiceUnderTest) -> None:
    for body in ("", HEADER, HEADER + "\n\n\n"):
        assert payments.call("POST", BATCH, csv=body).status_code == 422


def test_ten_thousand_rows_are_taken_and_one_more_is_not(payments: ServiceUnderTest) -> None:
    rows = [GOOD.format(n=n) for n in range(10_001)]
    answer = payments.call("POST", BATCH, csv=csv(*rows))
    assert (answer.status_code, answer.json["errors"][0]["row"]) == (422, 10_001)
    sent = [{"client_id": "ada", "amount_minor": 100, "method": "cash"}] * 10_001
    answer = payments.call("POST", BATCH, {"payments": sent})
    assert (answer.status_code, answer.json["errors"][0]["row"]) == (422, 10_001)
    assert history(payments) == []
    answer = payments.call("POST", BATCH, csv=csv(*rows[:-1]))
    assert (answer.status_code, answer.json["count"]) == (201, 10_000)
    numbers = [payment["receipt_number"] for payment in answer.json["payments"]]
    assert numbers == list(range(1, 10_001))


def test_json_rows_count_from_one_and_all_errors_are_named(payments: ServiceUnderTest) -> None:
    good = {"client_id": "ada", "amount_minor": 100, "method": "cash"}
    answer = payments.call("POST", BATCH, {"payments": [good, {**good, "amount_minor": -1}, {**good, "method": "x"}]})
    assert [(error["row"], error["field"]) for error in answer.json["errors"]] == [(2, "amount_minor"), (3, "method")]
    answer = payments.call("POST", BATCH, {"payments": []})
    assert answer.status_code == 422


def test_a_total_that_does_not_match_is_refused(payments: ServiceUnderTest) -> None:
    body = csv(GOOD.format(n=1), GOOD.format(n=2))
    answer = payments.call("POST", f"{BATCH}?expected_total_minor=8999", csv=body)
    assert (answer.status_code, answer.json["code"], answer.json["total_minor"]) == (422, "total_mismatch", 9000)
    assert payments.call("POST", f"{BATCH}?expected_total_minor=9000", csv=body).status_code == 201


def test_what_looks_recorded_already_is_asked_about(payments: ServiceUnderTest) -> None:
    body = csv("C-1,45.00,cash,2026-03-01,,,R-1,", "C-1,20.00,cash,2026-03-01,,,,")
    assert payments.call("POST", BATCH, csv=body).status_code == 201
    near = csv(
        "C-1,45.00,cash,2026-03-04,,,,",  # same client and amount, three days on
        "C-1,45.00,cash,2026-03-05,,,,",  # four days on
        "sam1,1.00,cash,2026-08-01,,,R-1,",  # same reference
    )
    answer = payments.call("POST", BATCH, csv=near)
    assert (answer.status_code, answer.json["code"]) == (409, "probable_duplicates")
    assert [found["row"] for found in answer.json["duplicates"]] == [1, 3]
    assert len(history(payments)) == 2
    assert payments.call("POST", f"{BATCH}?allow_duplicates=true", csv=near).status_code == 201


def test_a_batch_is_undone_but_for_what_was_refunded(payments: ServiceUnderTest) -> None:
    made = payments.call("POST", BATCH, csv=csv(*[GOOD.format(n=n) for n in range(3)])).json
    kept = made["payments"][1]["id"]
    payments.call("POST", f"{B}/payments/{kept}/refunds", {"amount_minor": 100, "reason": "came late"})
    with payments.emits(PaymentVoided, PaymentVoided):
        answer = payments.call("POST", f"{BATCH}/{made['batch_id']}/undo")
    assert answer.json["voided"] == 2
    assert [(left["payment_id"], left["code"]) for left in answer.json["left"]] == [(kept, "payment_refunded")]
    assert sorted(payment["status"] for payment in history(payments)) == ["partially_refunded", "voided", "voided"]
    with payments.emits():
        assert payments.call("POST", f"{BATCH}/{made['batch_id']}/undo").json["voided"] == 0
    # What was undone is no duplicate any more.
    assert payments.call("POST", BATCH, csv=csv(GOOD.format(n=0))).json.get("code") == "probable_duplicates"
    assert payments.call("POST", f"{BATCH}/unknown/undo").status_code == 404
