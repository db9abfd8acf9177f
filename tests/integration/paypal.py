"""PayPal's story, told to any running Remit: the Virtual Terminal, the unmatched tray, eChecks."""

from typing import Any

import requests

from common.ids import new_id
from common.testing import eventually
from tests.integration.remit import Remit

BACK = "https://portal.example/"


class Merchant:
    """A business that takes PayPal, with one client of its own."""

    def __init__(self, remit: Remit) -> None:
        self._remit = remit
        self.mail = f"vera-{new_id()}@story.example"
        client = {"name": "Vera", "email": self.mail}
        self.client_id: str = remit.call("POST", "billing", "/clients", json=client).json()["id"]
        self.email = f"studio-{new_id()[-12:]}@business.example"
        self._control = f"{remit.url('sandbox')}/paypal/_control"

    def set_up(self) -> None:
        """Save the settings, prove them, and tell PayPal where its messages go."""
        settings = {"mode": "sandbox", "checkout": "standard", "business_email": self.email}
        assert self._remit.call("PUT", "gateway-paypal", "/paypal", json=settings).status_code == 200
        proved = self._remit.call("POST", "gateway-paypal", "/paypal/test-notification").json()
        assert proved["ok"], proved
        notify = self._remit.call("GET", "gateway-paypal", "/paypal/ipn-instructions").json()["notify_url"]
        account = f"{self._control}/accounts/{self.email}"
        assert requests.put(account, json={"notify_url": notify}, timeout=10).ok

    def invoice(self) -> str:
        lines = {"client_id": self.client_id, "lines": [{"description": "Lesson", "amount_minor": 2000}]}
        return str(self._remit.call("POST", "billing", "/invoices", json=lines).json()["number"])

    def checkout(self, number: str) -> dict[str, str]:
        """The fields that a payer takes to PayPal for an invoice."""
        wanted = {
            "client_id": self.client_id, "amount_minor": 2000, "invoice_number": number, "return_url": BACK,
            "cancel_url": BACK,
        }  # fmt: skip
        begun = self._remit.call("POST", "gateway-paypal", "/paypal/checkouts", json=wanted)
        assert begun.status_code == 201, begun.text
        return dict(begun.json()["fields"])

    def pay(self, **more: str) -> str:
        """A payment of 20.00 at PayPal, by its Virtual Terminal unless told; answers its id."""
        wanted = {"business": self.email, "amount": "20.00", "currency": "USD", **more}
        answer = requests.post(f"{self._control}/payments", json=wanted, timeout=10)
        assert answer.ok, answer.text
        return str(answer.json()["txn_id"])

    def bank(self, txn_id: str, outcome: str) -> None:
        assert requests.post(f"{self._control}/transactions/{txn_id}/{outcome}", json={}, timeout=10).ok

    def status(self, number: str) -> str:
        return str(self._remit.call("GET", "billing", f"/invoices/{number}").json()["status"])

    def figures(self) -> tuple[int, int, int]:
        """Balance, available, provisional."""
        shown = self._remit.call("GET", "billing", f"/clients/{self.client_id}/balance").json()
        return shown["balance_minor"], shown["available_minor"], shown["provisional_minor"]

    def tray_line(self, txn_id: str) -> Any:
        items = self._remit.call("GET", "payments", "/unmatched").json()["items"]
        return next((item for item in items if item["gateway_payment_id"] == txn_id), None)

    def announced(self) -> list[str]:
        items = self._remit.call("GET", "payments", "/payments/pending").json()["items"]
        return [item["gateway_payment_id"] for item in items]

    def mails(self) -> int:
        inbox = f"{self._remit.url('sandbox')}/mail/messages"
        return len(requests.get(inbox, params={"to": self.mail}, timeout=10).json()["items"])


def tell(remit: Remit) -> None:
    """PayPal is set up and proved. Payments typed at its Virtual Terminal settle their invoices however they are
    written; one that names none waits in the tray until it is assigned; an eCheck counts when it clears."""
    merchant = Merchant(remit)
    merchant.set_up()
    for written in ("inv {}", "#INV-{:06}", "INV-{:06} "):
        number = merchant.invoice()
        merchant.pay(invoice=written.format(int(number.removeprefix("INV-"))))
        eventually(lambda number=number: merchant.status(number) == "paid", f"{written} to settle {number}")
    assert merchant.figures() == (0, 0, 0)
    txn_id = merchant.pay(invoice="INV-999999")
    line = eventually(lambda: merchant.tray_line(txn_id), "the tray to have it")
    assert line["invoice_number"] == "INV-999999"
    whose = {"client_id": merchant.client_id}
    assigned = remit.call("POST", "payments", f"/unmatched/{line['id']}/assign", json=whose)
    assert assigned.status_code == 201, assigned.text
    eventually(lambda: merchant.figures() == (2000, 2000, 0), "what was assigned to be booked")
    eventually(lambda: merchant.mails() == 4, "a receipt for each")
    tell_of_echecks(merchant)
    merchant.invoice()  # settled, so that sums over all clients are others' alone
    assert merchant.figures() == (0, 0, 0)


def tell_of_echecks(merchant: Merchant) -> None:
    """One clears, one bounces; until then both are beside the balance, and in no sum."""
    number = merchant.invoice()
    fields = merchant.checkout(number)
    check = merchant.pay(invoice=fields["invoice"], custom=fields["custom"], status="Pending", pending_reason="echeck")
    eventually(lambda: merchant.figures() == (0, 0, 2000), "it to be beside the balance")
    assert merchant.status(number) == "pending"
    merchant.bank(check, "clear")
    eventually(lambda: (merchant.figures(), merchant.status(number)) == ((2000, 2000, 0), "paid"), "it to be booked")
    assert check not in merchant.announced()
    bounced = merchant.pay(invoice="", status="Pending", pending_reason="echeck")
    eventually(lambda: bounced in merchant.announced(), "the next to be announced")
    merchant.bank(bounced, "bounce")
    eventually(lambda: bounced not in merchant.announced(), "the bounced one to be closed")
    assert merchant.figures() == (2000, 2000, 0)
