"""From PayPal's messages to ledger, receipts and mails: the whole life of a payment, in any order, with duplicates."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

import sandbox
from billing.models import Transfer
from common.testing import ServiceUnderTest, free_port_base
from tests.contracts.passed_on import Chain, assert_books_prove, meant_for

SERVICES = ("billing", "gateway-paypal", "payments", "notifications")
EMAIL = "studio@business.example"
# 100.00 announced and paid for an invoice of 100.00, 20.00 given back, the rest reversed, and the reversal undone.
STORY = (
    {"txn_id": "T1", "payment_status": "Pending", "pending_reason": "echeck", "mc_gross": "100.00"},
    {"txn_id": "T1", "payment_status": "Completed", "mc_gross": "100.00", "mc_fee": "3.20"},
    {"txn_id": "R1", "parent_txn_id": "T1", "payment_status": "Refunded", "mc_gross": "-20.00"},
    {"txn_id": "V1", "parent_txn_id": "T1", "payment_status": "Reversed", "mc_gross": "-80.00"},
    {"txn_id": "C1", "parent_txn_id": "T1", "payment_status": "Canceled_Reversal", "mc_gross": "80.00"},
)


class Shop(Chain):
    """Four services that hear of each other only what the test passes on, before one PayPal."""

    def __init__(self, folder: Path) -> None:
        self.box = sandbox.start("127.0.0.1", free_port_base(), folder / "box")
        url = f"{self.box.web_url}/paypal"
        environ = {
            "PAYPAL_API_BASE": url, "PAYPAL_IPN_VERIFY_URL": f"{url}/cgi-bin/webscr",
            "CALLBACK_BASE_URL": "http://127.0.0.1:9",
        }  # fmt: skip
        super().__init__({name: ServiceUnderTest(name, folder / name, **environ) for name in SERVICES})

        # PayPal's own deliveries have no way: the test makes them.
        requests.put(f"{self.box.web_url}/faults", json={"paypal": {"drop_next": "all"}}, timeout=10)

    def make(self, body: bytes) -> None:
        """A message that PayPal will own up to."""
        wanted = {"url": "http://127.0.0.1:9/", "body_base64": base64.b64encode(body).decode()}
        answer = requests.post(f"{self.box.web_url}/paypal/_control/ipns", json=wanted, timeout=10)
        assert answer.ok, answer.text

    def close(self) -> None:
        super().close()
        self.box.stop()


class Paid:
    """One business with one client and one invoice, and everything that PayPal has to tell of its payment."""

    def __init__(self, chain: Shop) -> None:
        self._chain = chain
        billing, gateway = chain.services["billing"], chain.services["gateway-paypal"]
        body = {"name": "Studio", "currency": "USD", "time_zone": "UTC"}
        self.business_id: str = billing.call("POST", "/v1/businesses", body).json["id"]
        self.path = f"/v1/businesses/{self.business_id}"
        client = {"name": "Ada", "email": "ada@example.com"}
        self.client_id: str = billing.call("POST", f"{self.path}/clients", client).json["id"]
        lines = {"client_id": self.client_id, "lines": [{"description": "Course", "amount_minor": 10000}]}
        self.number: str = billing.call("POST", f"{self.path}/invoices", lines).json["number"]
        for name in ("gateway-paypal", "payments", "notifications"):
            chain.services[name].take(*meant_for(name, billing, self.business_id))
        settings_ = {"mode": "sandbox", "checkout": "standard", "business_email": EMAIL}
        assert gateway.call("PUT", f"{self.path}/paypal", settings_).status_code == 200
        typed = f" {self.number.lower().replace('-', ' ')} "
        common = {"mc_currency": "USD", "business": EMAIL, "test_ipn": "1", "txn_type": "virtual_terminal"}
        self.bodies = [urlencode({**common, "invoice": typed, "custom": "", **step}).encode() for step in STORY]
        for text in self.bodies:
            chain.make(text)

    def deliver(self, body: bytes) -> None:
        answer = self._chain.services["gateway-paypal"].app.test_client().post(
            f"/ipn/paypal/{self.business_id}", data=body, content_type="application/x-www-form-urlencoded"
        )  # fmt: skip
        assert (answer.status_code, answer.data) == (200, b"")

    def state(self) -> dict[str, Any]:
        """Everything that must not depend on the order."""
        payments, billing = self._chain.services["payments"], self._chain.services["billing"]
        shown = payments.call("GET", f"{self.path}/payments/by-gateway/paypal/T1").json
        with billing.runtime.database.read() as session:
            posted = session.execute(
                select(Transfer.kind, Transfer.amount_minor).where(Transfer.business_id == self.business_id)
            ).all()
        mails = self._chain.services["notifications"].call("GET", f"{self.path}/emails?kind=receipt&limit=200").json
        figures = ("amount_minor", "refunded_minor", "disputed_minor", "fee_minor", "invoice_number", "client_id")
        return {
            "payment": {name: shown[name] for name in figures},
            "posted": sorted((kind, amount_minor) for kind, amount_minor in posted),
            "balance": billing.call("GET", f"{self.path}/clients/{self.client_id}/balance").json["balance_minor"],
            "announced": payments.call("GET", f"{self.path}/payments/pending").json["items"],
            "tray": payments.call("GET", f"{self.path}/unmatched").json["items"],
            "mails": len(mails["items"]),
        }


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Shop]:
    found = Shop(tmp_path)
    yield found
    found.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_same_payment_ledger_receipts_and_mails(chain: Shop, data: st.DataObject) -> None:
    paid = Paid(chain)
    again = data.draw(st.lists(st.sampled_from(range(len(STORY))), max_size=3))
    for place in data.draw(st.permutations([*range(len(STORY)), *again])):
        paid.deliver(paid.bodies[place])
        if data.draw(st.booleans()):
            chain.work("gateway-paypal")
            chain.pass_on("gateway-paypal", "payments", paid.business_id, data)
    chain.work("gateway-paypal")
    chain.pass_on("gateway-paypal", "payments", paid.business_id, data)
    chain.pass_on("payments", "billing", paid.business_id, data)
    chain.pass_on("payments", "notifications", paid.business_id, data)
    assert paid.state() == {
        "payment": {
            "amount_minor": 10000, "refunded_minor": 2000, "disputed_minor": 0, "fee_minor": 320,
            "invoice_number": paid.number, "client_id": paid.client_id,
        },
        "posted": [
            ("funds_reinstated", 8000), ("funds_withdrawn", 8000), ("invoice", 10000), ("payment", 10000),
            ("refund", 2000),
        ],
        "balance": 8000 - 10000,
        "announced": [],
        "tray": [],
        "mails": 4,
    }  # fmt: skip
    assert_books_prove(chain.services["billing"], paid.business_id)
