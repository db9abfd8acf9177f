"""Many payments at once: all or nothing, and every bad row is named."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from common.directory import Directory
from common.events.payments import PaymentRecorded, PaymentVoided
from common.testing import ServiceUnderTest
from common.web.idempotency import IdempotencyRow
from payments.models import Batch
from services.payments.tests.invoices import Asked

B = "/v1/businesses/b1"
BATCH = f"{B}/payments/batch"
HEADER = "client,amount,method,received_on,currency,invoice_number,reference,memo"
GOOD = "C-1,45.00,cash,2026-03-01,USD,INV-1,R-{n},hello"


@pytest.fixture
def payments(payments: ServiceUnderTest, monkeypatch: pytest.MonkeyPatch) -> ServiceUnderTest:
    """Billing answers, and knows nobody else."""
    monkeypatch.setattr(Directory, "_remote", lambda *_: {})
    return payments


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


def test_exported_cells_are_read_as_they_were(payments: ServiceUnderTest) -> None:
    answer = payments.call("POST", BATCH, csv=csv("ada,10.00,cash,2026-03-01,USD,'-7,'=R-1,'+ two lessons"))
    assert answer.status_code == 201, answer.text
    (payment,) = answer.json["payments"]
    assert [payment[name] for name in ("invoice_number", "reference", "memo")] == ["-7", "=R-1", "+ two lessons"]
    exported = payments.call("GET", f"{B}/payments", headers={"Accept": "text/csv"}).text
    assert "'-7,'=R-1,'+ two lessons" in exported


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


# --- preview ---


PREVIEW = f"{BATCH}/preview"
EMPTY = {"errors": [], "doubts": [], "duplicates": [], "repeats_row": None}


def preview(payments: ServiceUnderTest, *rows: str) -> list[dict[str, Any]]:
    answer = payments.call("POST", PREVIEW, csv=csv(*rows))
    assert answer.status_code == 200, answer.text
    return list(answer.json["rows"])


def test_a_preview_says_whose_each_row_is_and_records_nothing(payments: ServiceUnderTest) -> None:
    body = csv("C-1,45.00,cash,,,,,", "ada@example.com,5.00,check,,,,,")
    with payments.emits():
        answer = payments.call("POST", PREVIEW, csv=body, key="k1")
        again = payments.call("POST", PREVIEW, csv=csv("C-1,1.00,cash,,,,,"), key="k1")
    assert (answer.status_code, again.status_code) == (200, 200)  # a key means nothing to it
    assert (answer.json["count"], answer.json["total_minor"], answer.json["currency"]) == (2, 5000, "USD")
    assert answer.json["rows"][0] == {
        "row": 1, "client_id": "ada", "client_name": "Ada Byron", "amount_minor": 4500, **EMPTY,
    }  # fmt: skip
    assert history(payments) == []
    with payments.runtime.database.read() as session:
        assert session.scalars(select(Batch)).all() == []
        assert session.scalars(select(IdempotencyRow)).all() == []


def test_a_preview_names_all_that_is_wrong_with_a_row(payments: ServiceUnderTest) -> None:
    rows = preview(
        payments, "nobody,2.005,barter,1.3.2026,EUR,,,", "Sam Twin,10.00,cash,2099-01-01,,,,", "C-1,x,cash,,,,,"
    )
    assert {error["field"] for error in rows[0]["errors"]} == {"client", "amount", "method", "received_on", "currency"}
    assert (rows[0]["client_id"], rows[0]["amount_minor"]) == (None, None)
    assert {error["field"] for error in rows[1]["errors"]} == {"client", "received_on"}
    assert {one["client_id"] for one in rows[1]["errors"][0]["candidates"]} == {"sam1", "sam2"}
    assert (rows[2]["client_name"], [error["field"] for error in rows[2]["errors"]]) == ("Ada Byron", ["amount"])


def test_a_preview_of_json_names_all_rows(payments: ServiceUnderTest) -> None:
    good = {"client_id": "ada", "amount_minor": 100, "method": "cash"}
    sent = [good, {**good, "amount_minor": "x", "method": "?"}, {**good, "client_id": "C-1"}, "nonsense"]
    answer = payments.call("POST", PREVIEW, {"payments": sent})
    rows = answer.json["rows"]
    assert [sorted(error["field"] for error in row["errors"]) for row in rows] == [
        [], ["amount_minor", "method"], ["client_id"], ["body"],
    ]  # fmt: skip
    assert [row["client_name"] for row in rows] == ["Ada Byron", "Ada Byron", None, None]
    refused = payments.call("POST", BATCH, {"payments": sent})
    assert [(error["row"], error["field"]) for error in refused.json["errors"]] == [
        (row["row"], error["field"]) for row in rows for error in row["errors"]
    ]


def test_a_preview_finds_money_that_looks_recorded_and_rows_that_look_twice(payments: ServiceUnderTest) -> None:
    assert payments.call("POST", BATCH, csv=csv("C-1,45.00,cash,2026-03-01,,,R-1,")).status_code == 201
    rows = preview(
        payments,
        "nobody,1.00,cash,,,,,",
        "C-1,45.00,cash,2026-03-03,,,,",  # recorded two days before
        "ada,45.00,check,2026-03-03,,,,",  # and twice here
        "C-1,20.00,cash,2026-03-03,,,X-1,",
        "C-1,20.00,cash,2026-03-03,,,X-2,",  # another transfer
        "sam1,7.00,cash,2026-03-09,,,X-1,",
        "C-1,20.00,cash,2026-03-04,,,,",  # another day
    )
    assert [[found["row"] for found in row["duplicates"]] for row in rows] == [[], [2], [3], [], [], [], []]
    assert [row["repeats_row"] for row in rows] == [None, None, 2, None, None, 4, None]
    assert rows[1]["duplicates"][0]["why"] == "same client and amount within 3 days"


def test_rows_that_look_twice_are_refused_when_that_is_asked_for(payments: ServiceUnderTest) -> None:
    body = csv("C-1,45.00,cash,2026-03-03,,,,", "ada,45.00,check,2026-03-03,,,,")
    refused = payments.call("POST", f"{BATCH}?check_repeats=true", csv=body)
    assert (refused.status_code, refused.json["code"]) == (409, "probable_duplicates")
    assert [(found["row"], found["repeats_row"]) for found in refused.json["duplicates"]] == [(2, 1)]
    allowed = f"{BATCH}?check_repeats=true&allow_duplicates=true"
    assert payments.call("POST", allowed, csv=body).status_code == 201
    other = csv("C-1,46.00,cash,2026-03-03,,,,", "ada,46.00,check,2026-03-03,,,,")
    assert payments.call("POST", BATCH, csv=other).status_code == 201


def test_a_preview_doubts_invoices_that_will_not_be_paid(payments: ServiceUnderTest) -> None:
    payments.take(Asked(1).issued(), Asked(2, "sam1").issued(), Asked(3).issued(), Asked(3).paid(), Asked(4).voided())
    rows = preview(payments, *[f"C-1,10.00,cash,,,{typed},," for typed in ("inv 1", "2", "INV-000003", "4", "99", "")])
    assert [[doubt["code"] for doubt in row["doubts"]] for row in rows] == [
        [], ["invoice_of_another_client"], ["invoice_paid"], ["invoice_void"], ["invoice_unknown"], [],
    ]  # fmt: skip
    assert all(row["errors"] == [] for row in rows)


CELLS = {
    "client": ["C-1", "ada", "ADA@example.com", "Sam Twin", "nobody", ""],
    "amount": ["45.00", "45", "0", "x", ""],
    "method": ["cash", "Bank transfer", "barter", ""],
    "received_on": ["", "2026-03-01", "2099-01-01", "1.3.2026"],
    "currency": ["", "USD", "EUR"],
    "invoice_number": ["", "INV-1", "i" * 51],
    "reference": ["", "R-1", "R-2"],
    "memo": ["", "hello", "4242 4242 4242 4242"],
}
ROW = st.tuples(*[st.sampled_from(cells) for cells in CELLS.values()]).map(",".join)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=1, max_size=6))
def test_a_preview_and_the_batch_agree(payments: ServiceUnderTest, rows: list[str]) -> None:
    payments.call("POST", f"{BATCH}?allow_duplicates=true", csv=csv("C-1,45.00,cash,2026-03-01,,,R-1,"))
    body = csv(*rows)
    recorded_before = len(history(payments))
    seen = payments.call("POST", PREVIEW, csv=body)
    assert len(history(payments)) == recorded_before
    taken = payments.call("POST", BATCH, csv=body)
    if seen.status_code != 200:  # nothing but blank rows
        assert (taken.status_code, taken.json["errors"]) == (seen.status_code, seen.json["errors"])
        return
    found = seen.json["rows"]
    errors = [error for row in found for error in row["errors"]]
    duplicates = [duplicate for row in found for duplicate in row["duplicates"]]
    if errors:
        assert (taken.status_code, taken.json["errors"]) == (422, errors)
        return
    if duplicates:
        assert (taken.status_code, taken.json["duplicates"]) == (409, duplicates)
        taken = payments.call("POST", f"{BATCH}?allow_duplicates=true", csv=body)
    assert (taken.status_code, taken.json["total_minor"]) == (201, seen.json["total_minor"])
    assert [(row["client_id"], row["client_name"], row["amount_minor"]) for row in found] == [
        (payment["client_id"], payment["client_name"], payment["amount_minor"]) for payment in taken.json["payments"]
    ]
    payments.call("POST", f"{BATCH}/{taken.json['batch_id']}/undo")


def test_a_preview_is_the_staffs_and_takes_no_more_than_a_batch(payments: ServiceUnderTest) -> None:
    client = payments.token("payments:read", "b1", {"type": "client", "id": "ada", "name": "Ada"})
    assert payments.call("POST", PREVIEW, csv=csv(GOOD.format(n=1)), token=client).status_code == 404
    assert payments.call("POST", PREVIEW, csv=csv("C-1,10.00", header="client,amount")).status_code == 422
    rows = [GOOD.format(n=n) for n in range(10_001)]
    assert payments.call("POST", PREVIEW, csv=csv(*rows)).status_code == 422
    assert payments.call("POST", PREVIEW, csv=csv(*rows[:-1])).json["count"] == 10_000


def test_a_batch_says_what_became_of_it(payments: ServiceUnderTest) -> None:
    made = payments.call("POST", f"{BATCH}?batch_reference=Slip+7", csv=csv(*[GOOD.format(n=n) for n in range(3)])).json
    kept = made["payments"][1]["id"]
    payments.call("POST", f"{B}/payments/{kept}/refunds", {"amount_minor": 100, "reason": "came late"})
    path = f"{BATCH}/{made['batch_id']}"
    batch = payments.call("GET", path).json
    assert (batch["count"], batch["total_minor"], batch["batch_reference"], batch["currency"]) == (
        3,
        13500,
        "Slip 7",
        "USD",
    )
    assert (batch["recorded_by"], batch["voided"], batch["left_count"]) == ("Sam Staff", 0, 1)
    assert [(one["payment_id"], one["client_name"], one["code"]) for one in batch["left"]] == [
        (kept, "Ada Byron", "payment_refunded")
    ]
    payments.call("POST", f"{path}/undo")
    batch = payments.call("GET", path).json
    assert (batch["voided"], batch["voided_minor"], batch["left_count"]) == (2, 9000, 1)
    assert payments.call("GET", f"{BATCH}/unknown").status_code == 404
    client = payments.token("payments:read", "b1", {"type": "client", "id": "ada", "name": "Ada"})
    assert payments.call("GET", path, token=client).status_code == 404
    assert payments.call("GET", path.replace("/b1/", "/b2/")).status_code == 404
