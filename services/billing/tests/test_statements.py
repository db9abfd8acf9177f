"""A client's statement: its figures add up, and say the same as the business's reports."""

import io
from itertools import combinations_with_replacement

from pypdf import PdfReader

from services.billing.tests.studio import Studio


def test_what_was_received_charged_and_adjusted_adds_up_on_any_days(open_studio: Studio) -> None:
    payment_id = open_studio.pay(10000)
    open_studio.void_payment(open_studio.pay(700), 700)
    open_studio.refund(payment_id, 1000)
    open_studio.refund(payment_id, 400, "kept")
    open_studio.reverse_refund(payment_id, 1000)
    open_studio.withdraw(payment_id, 5000)
    open_studio.reinstate(payment_id, 3000)
    open_studio.done("2026-02-03T10:00:00Z")
    cancelled = open_studio.done("2026-02-04T10:00:00Z")
    assert open_studio.call("POST", f"/sessions/{cancelled}/cancel").status_code == 200
    open_studio.invoice(1100)
    void = open_studio.invoice(2100, 900).json["number"]
    assert open_studio.call("POST", f"/invoices/{void}/void", {"reason": "x"}).status_code == 200
    for kind, amount_minor in (("credit", 50), ("debit", 20)):
        body = {"kind": kind, "amount_minor": amount_minor, "reason": "x"}
        assert open_studio.call("POST", f"/clients/{open_studio.client_id}/adjustments", body).status_code == 201
    where = f"/clients/{open_studio.client_id}"
    days = sorted({entry["effective_on"] for entry in open_studio.call("GET", f"{where}/ledger").json["items"]})
    assert len(days) > 5
    for first, last in combinations_with_replacement(days, 2):
        found = open_studio.call("GET", f"{where}/statement?from={first}&to={last}").json
        received_minor, charged_minor, adjusted_minor = (
            found[f"{name}_minor"] for name in ("received", "charged", "adjusted")
        )
        assert found["closing_minor"] == found["opening_minor"] + received_minor - charged_minor + adjusted_minor
        report = open_studio.call("GET", f"/received-and-charged?from={first}&to={last}").json
        assert report["totals"] == {"received_minor": received_minor, "charged_minor": charged_minor}
        adjustments = [line for line in found["lines"] if line["kind"].startswith("adjustment")]
        assert adjusted_minor == sum(line["change_minor"] for line in adjustments)
    whole = f"from={days[0]}&to={days[-1]}"
    found = open_studio.call("GET", f"{where}/statement?{whole}").json
    figures = ("received_minor", "charged_minor", "adjusted_minor", "closing_minor")
    assert [found[name] for name in figures] == [7600, 4100, 30, 3530]
    pdf = PdfReader(io.BytesIO(open_studio.call("GET", f"{where}/statement.pdf?{whole}").data))
    assert "Adjustments $0.30" in pdf.pages[-1].extract_text()
