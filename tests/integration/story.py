"""The main story, told to any running Remit: payments become balances, receipts and mails."""

import csv
import io
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import requests
from pypdf import PdfReader

from common.ids import new_id
from common.testing import eventually
from tests.integration import paypal
from tests.integration.remit import Remit

EXAMPLES = Path(__file__).parents[2] / "examples"


def example_clients() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads((EXAMPLES / "clients.json").read_bytes())["clients"]
    return found


def example_balances() -> Counter[str]:
    """external_ref → minor units, added up from the example file by other means than Remit's."""
    by_any = {
        client[name]: client["external_ref"]
        for client in example_clients()
        for name in ("name", "email", "external_ref")
    }
    found: Counter[str] = Counter()
    for row in csv.DictReader(io.StringIO((EXAMPLES / "payments.csv").read_text())):
        found[by_any[row["client"]]] += int(Decimal(row["amount"]) * 100)
    return found


def add_example_clients(remit: Remit) -> None:
    answer = remit.call("POST", "billing", "/clients/batch", json={"clients": example_clients()})
    assert answer.status_code == 201, answer.text


def upload_example(remit: Remit, **params: Any) -> dict[str, Any]:
    body = (EXAMPLES / "payments.csv").read_bytes()
    headers = {"Content-Type": "text/csv"}
    answer = remit.call("POST", "payments", "/payments/batch", data=body, headers=headers, params=params)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def balances(remit: Remit) -> Counter[str]:
    """external_ref → balance, of those that are not zero."""
    refs = {client["id"]: client["external_ref"] for client in pages(remit, "billing", "/clients")}
    lines = pages(remit, "billing", "/balances")
    return Counter({refs[line["client_id"]]: line["balance_minor"] for line in lines if line["balance_minor"]})


def pages(remit: Remit, service: str, path: str) -> list[dict[str, Any]]:
    found, cursor = [], None
    while True:
        answer = remit.call("GET", service, path, params={"limit": 200, "cursor": cursor}).json()
        found += answer["items"]
        cursor = answer["next_cursor"]
        if cursor is None:
            return found


def check_example(remit: Remit, made: dict[str, Any], times: int = 1, seconds: float = 120) -> None:
    """Every row a payment, every balance right to the cent, one receipt per payment, and a PDF that says so."""
    assert (made["count"], len(made["payments"])) == (200, 200)
    expected = Counter({ref: amount * times for ref, amount in example_balances().items()})
    eventually(lambda: balances(remit) == expected, "every balance to be right", seconds)
    numbers = sorted(payment["receipt_number"] for payment in made["payments"])
    assert numbers == list(range(numbers[0], numbers[0] + 200))
    ids = {payment["id"] for payment in made["payments"]}

    def mailed() -> set[str]:
        sent = [mail for mail in pages(remit, "notifications", "/emails") if mail["status"] == "sent"]
        abouts = [mail["about"] for mail in sent]
        assert len(abouts) == len(set(abouts))
        return {about.split(":")[1] for about in abouts} & ids

    eventually(lambda: mailed() == ids, "one receipt mail for each payment", seconds)
    check_pdf(remit, next(payment for payment in made["payments"] if not payment["client_name"].isascii()))


def check_pdf(remit: Remit, payment: dict[str, Any]) -> None:
    answer = remit.call("GET", "payments", f"/payments/{payment['id']}/receipt.pdf")
    text = PdfReader(io.BytesIO(answer.content)).pages[0].extract_text()
    squeezed = "".join(text.split()).replace("\u2060", "")
    assert f"Receiptno.{payment['receipt_number']}" in squeezed
    assert f"${payment['amount_minor'] / 100:,.2f}" in squeezed
    assert set("".join(payment["client_name"].split())) <= set(squeezed)
    assert str(int(payment["received_on"][8:])) in squeezed
    assert payment["method"].split("_")[0].capitalize() in squeezed


def tell_of_an_invoice(remit: Remit) -> None:
    """A session is held and invoiced; the invoice is mailed with its PDF, paid by its number, and the mail says so."""
    ida = remit.call("POST", "billing", "/clients", json={"name": "Ida", "email": "ida@story.example"}).json()
    service = {"name": "Lesson", "price_minor": 2500, "duration_minutes": 45}
    service_id = remit.call("POST", "billing", "/services", json=service).json()["id"]
    new = {"client_id": ida["id"], "service_id": service_id, "starts_at": "2026-03-02T15:00:00Z"}
    session_id = remit.call("POST", "billing", "/sessions", json=new).json()["id"]
    assert remit.call("POST", "billing", f"/sessions/{session_id}/complete").status_code == 200
    asked = {"client_id": ida["id"], "session_ids": [session_id]}
    number = remit.call("POST", "billing", "/invoices", json=asked).json()["number"]
    assert remit.call("POST", "billing", f"/invoices/{number}/email").status_code == 202
    sandbox = f"{remit.url('sandbox')}/mail/messages"
    (mail,) = eventually(
        lambda: requests.get(sandbox, params={"to": "ida@story.example"}, timeout=10).json()["items"], "the invoice"
    )
    assert [attachment["name"] for attachment in mail["attachments"]] == [f"{number}.pdf"]
    money = {"client_id": ida["id"], "amount_minor": 2500, "method": "check", "invoice_number": number}
    assert remit.call("POST", "payments", "/payments", json=money).status_code == 201

    def is_paid() -> bool:
        return bool(remit.call("GET", "billing", f"/invoices/{number}").json()["status"] == "paid")

    eventually(is_paid, "the invoice to be paid")


TEST_KEYS = {"test_publishable_key": "pk_test_story000000000000", "test_secret_key": "sk_test_story000000000000"}


def tell_of_a_card(remit: Remit) -> None:
    """Keys are saved and proved; a card pays an invoice on the page; part is refunded; one click charges the saved
    card. Balance, receipts and invoice follow."""
    email = f"cora-{new_id()}@story.example"  # the story may be told twice to one mail box
    cora = remit.call("POST", "billing", "/clients", json={"name": "Cora", "email": email}).json()
    lines = {"client_id": cora["id"], "lines": [{"description": "Course", "amount_minor": 4500}]}
    number = remit.call("POST", "billing", "/invoices", json=lines).json()["number"]
    assert remit.call("PUT", "gateway-stripe", "/stripe", json={"mode": "test", **TEST_KEYS}).status_code == 200

    def is_registered() -> bool:
        return bool(remit.call("GET", "gateway-stripe", "/stripe").json()["test_webhook"]["state"] == "ready")

    eventually(is_registered, "the webhook to be registered")
    proved = remit.call("POST", "gateway-stripe", "/stripe/test-transaction").json()
    assert proved["ok"], proved
    asked = {"client_id": cora["id"], "amount_minor": 4500, "invoice_number": number, "save_card": True}
    begun = remit.call("POST", "gateway-stripe", "/stripe/payment-intents", json=asked).json()
    confirm_as_browser(remit, begun)

    def figures() -> tuple[int, str]:
        balance = remit.call("GET", "billing", f"/clients/{cora['id']}/balance").json()
        return balance["balance_minor"], remit.call("GET", "billing", f"/invoices/{number}").json()["status"]

    eventually(lambda: figures() == (0, "paid"), "the card payment to be booked")
    (paid,) = remit.call("GET", "payments", "/payments", params={"client_id": cora["id"]}).json()["items"]
    assert (paid["method"], paid["source"], paid["gateway"]) == ("card", "pay_assist", "stripe")
    back = {"amount_minor": 1500, "reason": "half a course"}
    refund = remit.call("POST", "payments", f"/payments/{paid['id']}/refunds", json=back)
    assert (refund.status_code, refund.json()["status"]) == (202, "pending")
    eventually(lambda: figures() == (-1500, "pending"), "the refund to be booked")
    click = {"client_id": cora["id"], "amount_minor": 1500}
    answer = remit.call("POST", "gateway-stripe", "/stripe/charges", json=click).json()
    assert answer["status"] == "succeeded"
    eventually(lambda: figures()[0] == 0, "the one click to be booked")
    sandbox = f"{remit.url('sandbox')}/mail/messages"

    def mails() -> int:
        return len(requests.get(sandbox, params={"to": email}, timeout=10).json()["items"])

    eventually(lambda: mails() == 3, "a receipt for each: paid, refunded, paid")
    asked_of_bank(remit, cora["id"])
    eventually(lambda: mails() == 4, "the mail with the link to confirm")


def asked_of_bank(remit: Remit, client_id: str) -> None:
    """A saved card whose bank wants the client: nothing is charged, and the answer carries the link that was mailed."""
    card_id = save_card(remit, client_id, "pm_card_authenticationRequired")
    click = {"client_id": client_id, "amount_minor": 700, "payment_method_id": card_id}
    answer = remit.call("POST", "gateway-stripe", "/stripe/charges", json=click).json()
    assert answer["status"] == "authentication_required", answer
    assert "amount_minor=700" in answer["authenticate_url"]


def save_card(remit: Remit, client_id: str, token: str) -> str:
    """Save one of Stripe's test cards for a client who has paid by card; answers the payment method's id."""
    stripe_url = f"{remit.url('sandbox')}/stripe/v1"
    headers = {"Authorization": f"Bearer {TEST_KEYS['test_secret_key']}"}
    customers = requests.get(f"{stripe_url}/customers", headers=headers, timeout=20).json()["data"]
    customer = next(found["id"] for found in customers if found["metadata"].get("remit_client") == client_id)
    attach = f"{stripe_url}/payment_methods/{token}/attach"
    card = requests.post(attach, headers=headers, data={"customer": customer}, timeout=20).json()
    return str(card["id"])


def confirm_as_browser(remit: Remit, begun: dict[str, Any]) -> None:
    """What Stripe.js does with a typed card."""
    card = {"number": "4242424242424242", "exp_month": "12", "exp_year": "2040", "cvc": "123"}
    answer = requests.post(
        f"{remit.url('sandbox')}/stripe/v1/payment_intents/{begun['payment_intent_id']}/confirm",
        headers={"Authorization": f"Bearer {begun['publishable_key']}"},
        data={
            "client_secret": begun["client_secret"], "payment_method_data[type]": "card",
            **{f"payment_method_data[card][{name}]": value for name, value in card.items()},
        },
        timeout=20,
    )  # fmt: skip
    assert answer.json()["status"] == "succeeded", answer.text


def tell(remit: Remit) -> None:
    """One payment, its refund and its void, seen in every service; an invoice; a card; then the example file."""
    ada = remit.call("POST", "billing", "/clients", json={"name": "Ada", "email": "ada@story.example"}).json()
    path = f"/clients/{ada['id']}/balance"

    def balance() -> int:
        return int(remit.call("GET", "billing", path).json()["balance_minor"])

    def pay(amount_minor: int) -> dict[str, Any]:
        body = {"client_id": ada["id"], "amount_minor": amount_minor, "method": "cash"}
        answer = remit.call("POST", "payments", "/payments", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    first, second = pay(5000), pay(700)  # at once: the copy of the client may not be there yet
    eventually(lambda: balance() == 5700, "both payments to be booked")
    refund = {"amount_minor": 1500, "reason": "came late"}
    assert remit.call("POST", "payments", f"/payments/{first['id']}/refunds", json=refund).status_code == 201
    assert remit.call("POST", "payments", f"/payments/{second['id']}/void", json={"reason": "twice"}).status_code == 200
    eventually(lambda: balance() == 3500, "refund and void to be booked")

    def mails() -> Counter[str]:
        found = pages(remit, "notifications", "/emails")
        return Counter(
            mail["about"].split(":")[1] for mail in found if mail["client_id"] == ada["id"] and mail["status"] == "sent"
        )

    eventually(lambda: mails() == Counter({first["id"]: 2, second["id"]: 2}), "a mail for each revision")
    boss = remit.call("POST", "payments", f"/payments/{first['id']}/receipt/email", json={"to": "boss@story.example"})
    assert boss.status_code == 202, boss.text
    sandbox = f"{remit.url('sandbox')}/mail/messages"
    (mail,) = eventually(
        lambda: requests.get(sandbox, params={"to": "boss@story.example"}, timeout=10).json()["items"],
        "the boss's mail",
    )
    assert mail["attachments"][0]["content_type"] == "application/pdf"
    tell_of_an_invoice(remit)
    tell_of_a_card(remit)
    paypal.tell(remit)
    remit.call("PATCH", "billing", f"/clients/{ada['id']}", json={"external_ref": "none", "status": "inactive"})
    debit = {"kind": "debit", "amount_minor": 3500, "reason": "settled, so that the sums below are the file's alone"}
    assert remit.call("POST", "billing", f"/clients/{ada['id']}/adjustments", json=debit).status_code == 201
    add_example_clients(remit)
    check_example(remit, upload_example(remit))
    events = remit.call("GET", "payments", "/events", params={"types": "PaymentRecorded", "limit": 200}).json()["items"]
    assert len(events) == 200
