"""What happens to a payment afterwards: void, refund, receipts, history, revenue."""

from typing import Any

import pytest

from common.events.payments import PaymentRefunded, PaymentVoided, ReceiptRequested
from common.testing import ServiceUnderTest

B = "/v1/businesses/b1"
CLIENT = {"type": "client", "id": "ada", "name": "Ada"}


@pytest.fixture
def paid(payments: ServiceUnderTest) -> dict[str, Any]:
    body = {"client_id": "ada", "amount_minor": 4500, "method": "cash", "received_on": "2026-03-01", "memo": "=1+1"}
    return dict(payments.call("POST", f"{B}/payments", body).json)


def test_a_void_takes_everything_back_and_revises_the_receipt(payments: ServiceUnderTest, paid: dict[str, Any]) -> None:
    with payments.emits(PaymentVoided) as emitted:
        answer = payments.call("POST", f"{B}/payments/{paid['id']}/void", {"reason": "typed twice"})
    assert (answer.status_code, answer.json["status"], answer.json["receipt_revision"]) == (200, "voided", 2)
    assert isinstance(emitted[0], PaymentVoided)
    assert (emitted[0].amount_minor, emitted[0].receipt_number) == (4500, paid["receipt_number"])
    with payments.emits():
        again = payments.call("POST", f"{B}/payments/{paid['id']}/void", {"reason": "x"})
        refund = payments.call("POST", f"{B}/payments/{paid['id']}/refunds", {"reason": "x"})
    assert [answer.json["code"] for answer in (again, refund)] == ["already_voided"] * 2
    receipts = [payments.call("GET", f"{B}/payments/{paid['id']}/receipt?revision={n}").json for n in (1, 2)]
    assert [(receipt["status"], receipt["net_minor"]) for receipt in receipts] == [("recorded", 4500), ("voided", 0)]


def test_refunds_never_exceed_the_payment(payments: ServiceUnderTest, paid: dict[str, Any]) -> None:
    def refund(amount_minor: int | None = None) -> Any:
        body = {"reason": "sick"} | ({"amount_minor": amount_minor} if amount_minor else {})
        return payments.call("POST", f"{B}/payments/{paid['id']}/refunds", body)

    with payments.emits(PaymentRefunded) as emitted:
        first = refund(1500)
    assert (first.status_code, first.json["status"], first.json["payment"]["status"]) == (
        201,
        "succeeded",
        "partially_refunded",
    )
    assert isinstance(emitted[0], PaymentRefunded)
    assert emitted[0].refunded_total_minor == 1500
    with payments.emits():
        too_much = refund(3001)
    assert (too_much.status_code, too_much.json["code"]) == (422, "refund_exceeds_payment")
    rest = refund()
    assert (rest.json["amount_minor"], rest.json["payment"]["status"]) == (3000, "refunded")
    assert rest.json["payment"]["receipt_revision"] == 3
    assert refund().json["code"] == "refund_exceeds_payment"
    void = payments.call("POST", f"{B}/payments/{paid['id']}/void", {"reason": "x"})
    assert (void.status_code, void.json["code"]) == (409, "payment_refunded")


def test_a_receipt_is_json_and_pdf(payments: ServiceUnderTest, paid: dict[str, Any]) -> None:
    receipt = payments.call("GET", f"{B}/payments/{paid['id']}/receipt").json
    assert (receipt["business_name"], receipt["client_name"], receipt["amount_text"]) == (
        "Studio",
        "Ada Byron",
        "$45.00",
    )
    pdf = payments.call("GET", f"{B}/payments/{paid['id']}/receipt.pdf")
    assert pdf.content_type == "application/pdf"
    assert pdf.data.startswith(b"%PDF")
    assert payments.call("GET", f"{B}/payments/{paid['id']}/receipt?revision=9").status_code == 404


def test_a_receipt_is_mailed_again_when_asked(payments: ServiceUnderTest, paid: dict[str, Any]) -> None:
    with payments.emits(ReceiptRequested):
        assert payments.call("POST", f"{B}/payments/{paid['id']}/receipt/email", {}).status_code == 202
    with payments.emits():  # another address goes to notifications itself, which is away here
        answer = payments.call("POST", f"{B}/payments/{paid['id']}/receipt/email", {"to": "x@example.com"})
    assert (answer.status_code, answer.json["code"]) == (503, "notifications_unavailable")
    assert payments.call("POST", f"{B}/payments/{paid['id']}/receipt/email", {"to": "a\nb@x.de"}).status_code == 422


def test_a_client_sees_its_own_and_changes_nothing(payments: ServiceUnderTest, paid: dict[str, Any]) -> None:
    payments.call("POST", f"{B}/payments", {"client_id": "sam1", "amount_minor": 100, "method": "cash"})
    token = payments.token("payments:read payments:write payments:refund", "b1", CLIENT)
    other = payments.token("payments:read", "b1", {**CLIENT, "id": "sam1"})
    assert [p["id"] for p in payments.call("GET", f"{B}/payments", token=token).json["items"]] == [paid["id"]]
    assert payments.call("GET", f"{B}/payments?client_id=sam1", token=token).status_code == 404
    for path in ("", "/receipt", "/receipt.pdf"):
        assert payments.call("GET", f"{B}/payments/{paid['id']}{path}", token=token).status_code == 200
        assert payments.call("GET", f"{B}/payments/{paid['id']}{path}", token=other).status_code == 404
    assert payments.call("GET", f"{B}/revenue", token=token).status_code == 404
    body = {"client_id": "ada", "amount_minor": 100, "method": "cash"}
    assert payments.call("POST", f"{B}/payments", body, token=token).status_code == 404
    for path, sent in (("void", {"reason": "x"}), ("refunds", {"reason": "x"})):
        assert payments.call("POST", f"{B}/payments/{paid['id']}/{path}", sent, token=token).status_code == 404


def test_history_filters_and_pages(payments: ServiceUnderTest) -> None:
    for n in range(1, 8):
        body = {
            "client_id": "ada" if n % 2 else "sam1",
            "amount_minor": n * 100,
            "method": "cash" if n < 5 else "check",
        }
        payments.call("POST", f"{B}/payments", {**body, "received_on": f"2026-03-0{n}", "reference": f"REF {n}"})

    def amounts(query: str) -> list[int]:
        return [p["amount_minor"] // 100 for p in payments.call("GET", f"{B}/payments?{query}").json["items"]]

    assert amounts("") == [7, 6, 5, 4, 3, 2, 1]
    assert amounts("client_id=ada&method=cash") == [3, 1]
    assert amounts("from=2026-03-03&to=2026-03-05") == [5, 4, 3]
    assert amounts("min_minor=200&max_minor=300") == [3, 2]
    assert amounts("q=ref%206") == [6]
    assert amounts("q=byron") == [7, 5, 3, 1]
    assert amounts("recorded_by=s1&status=recorded&source=manual&limit=2") == [7, 6]
    assert amounts("status=voided") == []
    seen, cursor = [], ""
    while True:
        answer = payments.call("GET", f"{B}/payments?limit=3{cursor}").json
        seen += [payment["amount_minor"] // 100 for payment in answer["items"]]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    for bad in ("limit=201", "limit=0", "cursor=xyz", "method=barter", "from=soon"):
        assert payments.call("GET", f"{B}/payments?{bad}").status_code == 422, bad


def test_history_is_streamed_as_csv_that_no_spreadsheet_runs(payments: ServiceUnderTest, paid: dict[str, Any]) -> None:
    answer = payments.call("GET", f"{B}/payments", headers={"Accept": "text/csv"})
    assert answer.content_type.startswith("text/csv")
    lines = answer.text.splitlines()
    assert len(lines) == 2
    assert "45.00" in lines[1]
    assert ",'=1+1," in lines[1]


def test_revenue_counts_payments_and_refunds_on_their_days(payments: ServiceUnderTest, paid: dict[str, Any]) -> None:
    payments.call("POST", f"{B}/payments/{paid['id']}/refunds", {"amount_minor": 500, "reason": "x"})
    voided = payments.call("POST", f"{B}/payments", {"client_id": "ada", "amount_minor": 900, "method": "cash"}).json
    payments.call("POST", f"{B}/payments/{voided['id']}/void", {"reason": "x"})
    by_month = payments.call("GET", f"{B}/revenue?from=2026-03-01&to=2026-12-31&by=month").json
    assert by_month["rows"][0] == {
        "group": "2026-03", "starts_on": "2026-03-01", "gross_minor": 4500, "refunded_minor": 0,
        "withdrawn_minor": 0, "net_minor": 4500, "payments": 1,
    }  # fmt: skip
    assert by_month["totals"] == {
        "gross_minor": 4500, "refunded_minor": 500, "withdrawn_minor": 0, "net_minor": 4000, "payments": 1,
    }  # fmt: skip
    by_method = payments.call("GET", f"{B}/revenue?from=2026-03-01&to=2026-12-31&by=method").json
    assert [(row["group"], row["net_minor"]) for row in by_method["rows"]] == [("cash", 4000)]
    by_week = payments.call("GET", f"{B}/revenue?from=2026-03-01&to=2026-03-01&by=week").json
    assert [(row["group"], row["starts_on"]) for row in by_week["rows"]] == [("2026-W09", "2026-02-23")]
    assert payments.call("GET", f"{B}/revenue?from=2026-03-02&to=2026-03-01").status_code == 422


def test_revenue_as_csv(payments: ServiceUnderTest, paid: dict[str, Any]) -> None:
    payments.call("POST", f"{B}/payments/{paid['id']}/refunds", {"amount_minor": 500, "reason": "x"})
    query = "from=2026-03-01&to=2026-12-31&by=method"
    answer = payments.call("GET", f"{B}/revenue?{query}", headers={"Accept": "text/csv"})
    assert answer.content_type.startswith("text/csv")
    assert 'filename="revenue-by-method-2026-03-01-2026-12-31.csv"' in answer.headers["Content-Disposition"]
    assert answer.text.splitlines() == [
        "method,payments,gross,refunded,withdrawn,net,currency", "cash,1,45.00,5.00,0.00,40.00,USD",
    ]  # fmt: skip


def test_the_feed_shows_what_was_relayed(payments: ServiceUnderTest, paid: dict[str, Any]) -> None:
    from common import relay
    from common.bus.embedded import EmbeddedBus

    assert payments.call("GET", f"{B}/events").json["items"] == []
    relay.publish_once("payments", payments.runtime.database, EmbeddedBus(list))
    found = payments.call("GET", f"{B}/events?types=PaymentRecorded,PaymentVoided").json
    assert [event["type"] for event in found["items"]] == ["PaymentRecorded"]
    assert found["items"][0]["data"]["payment_id"] == paid["id"]
    after = payments.call("GET", f"{B}/events?cursor={found['resume_cursor']}").json
    assert (after["items"], after["next_cursor"]) == ([], None)
