"""From Stripe's webhooks to ledger, receipts and mails: the whole life of a payment, in any order, with duplicates."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

import sandbox
from billing.models import Transfer
from common.testing import ServiceUnderTest, eventually, free_port_base
from gateway_stripe.models import Keys
from gateway_stripe.usecases import accounts
from payments.models import Receipt
from tests.contracts.passed_on import Chain, assert_books_prove, meant_for

KEYS = {"test_secret_key": "sk_test_orders0000000000000", "test_publishable_key": "pk_test_orders0000000000000"}
SERVICES = ("billing", "gateway-stripe", "payments", "notifications")
# The story at Stripe: 100.00 paid, two partial refunds, a dispute whose money goes and, as it is won, comes back.
AMOUNT, REFUNDS, DISPUTED = 10_000, (1_000, 2_000), 5_000
TYPES = Counter({
    "payment_intent.succeeded": 1, "charge.updated": 2, "refund.created": 2, "charge.dispute.created": 1,
    "charge.dispute.funds_withdrawn": 1, "charge.dispute.funds_reinstated": 1, "charge.dispute.closed": 1,
})  # fmt: skip


class Shop(Chain):
    """Four services that hear of each other only what the test passes on, before one Stripe."""

    def __init__(self, folder: Path) -> None:
        self._box = sandbox.start("127.0.0.1", free_port_base(), folder / "box")
        self._stripe_url = f"{self._box.web_url}/stripe"
        environ = {"STRIPE_API_BASE": self._stripe_url, "CALLBACK_BASE_URL": "http://127.0.0.1:9"}
        super().__init__({name: ServiceUnderTest(name, folder / name, **environ) for name in SERVICES})
        self.stripe = stripe.StripeClient(KEYS["test_secret_key"], base_addresses={"api": self._stripe_url})
        # Stripe's own deliveries have no way: the test makes them.
        requests.put(f"{self._box.web_url}/faults", json={"stripe": {"drop_next": "all"}}, timeout=10)

    def close(self) -> None:
        super().close()
        self._box.stop()

    def control(self, path: str, **wanted: Any) -> Any:
        answer = requests.post(f"{self._stripe_url}/_control/{path}", json=wanted, timeout=10)
        assert answer.ok, answer.text
        return answer.json()


class Paid:
    """One business with one client who paid; everything that Stripe has to tell of it."""

    def __init__(self, chain: Shop) -> None:
        self._chain = chain
        billing, gateway = chain.services["billing"], chain.services["gateway-stripe"]
        body = {"name": "Studio", "currency": "USD", "time_zone": "UTC"}
        self.business_id: str = billing.call("POST", "/v1/businesses", body).json["id"]
        self.path = f"/v1/businesses/{self.business_id}"
        client = {"name": "Ada", "email": "ada@example.com"}
        self.client_id: str = billing.call("POST", f"{self.path}/clients", client).json["id"]
        for name in ("gateway-stripe", "payments", "notifications"):
            chain.services[name].take(*meant_for(name, billing, self.business_id))
        for webhook in chain.stripe.v1.webhook_endpoints.list().data:  # an account has room for 16
            chain.stripe.v1.webhook_endpoints.delete(webhook.id)
        assert gateway.call("PUT", f"{self.path}/stripe", {"mode": "test", **KEYS}).status_code == 200
        chain.work("gateway-stripe")
        asked = {"client_id": self.client_id, "amount_minor": AMOUNT}
        begun = gateway.call("POST", f"{self.path}/stripe/payment-intents", asked)
        assert begun.status_code == 201, begun.text
        self.intent_id: str = begun.json["payment_intent_id"]
        confirmed = chain.stripe.v1.payment_intents.confirm(
            self.intent_id, {"payment_method": "pm_card_visa", "return_url": "https://portal.example/"}
        )
        for amount in REFUNDS:
            chain.control("refunds", charge=confirmed.latest_charge, amount=amount)
        dispute = chain.control("disputes", charge=confirmed.latest_charge, amount=DISPUTED)["id"]
        chain.control(f"disputes/{dispute}/close", status="won")
        self.events: list[str] = eventually(self._told, "Stripe to know of everything")

    def _told(self) -> list[str] | None:
        page = self._chain.stripe.v1.events.list({"limit": 100, "types": list(TYPES)})
        mine = [event for event in page.data if self.intent_id in str(event.data.object)]
        found = Counter(event.type for event in mine)
        return [str(event) for event in mine] if found == TYPES else None

    def deliver(self, text: str) -> None:
        """As Stripe would: signed with the secret of this business's webhook."""
        gateway = self._chain.services["gateway-stripe"]
        with gateway.runtime.database.read() as session:
            sealed = session.get_one(Keys, (self.business_id, "test")).webhook_secret
        assert sealed is not None
        secret = gateway.runtime.sealer.open(sealed, accounts.place(self.business_id, "test", "webhook_secret"))
        header = stripe.WebhookSignature.generate_signature_header(text, secret, int(time.time()))
        answer = gateway.app.test_client().post(
            f"/webhooks/stripe/{self.business_id}", data=text.encode(), headers={"Stripe-Signature": str(header)}
        )
        assert answer.status_code == 200, answer.text

    def state(self) -> dict[str, Any]:
        """Everything that must not depend on the order."""
        payments, billing = self._chain.services["payments"], self._chain.services["billing"]
        shown = payments.call("GET", f"{self.path}/payments/by-gateway/stripe/{self.intent_id}").json
        with payments.runtime.database.read() as session:
            last = session.scalars(
                select(Receipt).where(Receipt.business_id == self.business_id).order_by(Receipt.revision.desc())
            ).first()
        with billing.runtime.database.read() as session:
            posted = session.execute(
                select(Transfer.kind, Transfer.amount_minor).where(Transfer.business_id == self.business_id)
            ).all()
        mails = self._chain.services["notifications"].call("GET", f"{self.path}/emails?kind=receipt&limit=200").json
        printed = ("number", "revision", "refunded_minor", "withdrawn_minor", "is_void")
        figures = ("amount_minor", "refunded_minor", "disputed_minor", "refund_pending_minor", "fee_minor", "status")
        return {
            "payment": {name: shown[name] for name in figures},
            "receipt": {name: getattr(last, name) for name in printed},
            "posted": sorted((kind, amount_minor) for kind, amount_minor in posted),
            "balance": billing.call("GET", f"{self.path}/clients/{self.client_id}/balance").json["balance_minor"],
            "mails": len(mails["items"]),
        }


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Shop]:
    found = Shop(tmp_path)
    yield found
    found.close()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_same_payment_ledger_receipts_and_mails(chain: Shop, data: st.DataObject) -> None:
    paid = Paid(chain)
    succeeded = [n for n, text in enumerate(paid.events) if json.loads(text)["type"] == "payment_intent.succeeded"]
    places = range(len(paid.events))
    again = data.draw(st.lists(st.sampled_from(places), max_size=3))
    for place in data.draw(st.permutations([*places, *succeeded, *again])):
        paid.deliver(paid.events[place])
        if data.draw(st.booleans()):
            chain.work("gateway-stripe")
            chain.pass_on("gateway-stripe", "payments", paid.business_id, data)
    chain.work("gateway-stripe")
    chain.pass_on("gateway-stripe", "payments", paid.business_id, data)
    chain.pass_on("payments", "billing", paid.business_id, data)
    chain.pass_on("payments", "notifications", paid.business_id, data)
    assert paid.state() == {
        "payment": {
            "amount_minor": AMOUNT, "refunded_minor": sum(REFUNDS), "disputed_minor": 0, "refund_pending_minor": 0,
            "fee_minor": 320, "status": "partially_refunded",
        },
        "receipt": {
            "number": 1, "revision": 5, "refunded_minor": sum(REFUNDS), "withdrawn_minor": 0, "is_void": False
        },
        "posted": [
            ("funds_reinstated", DISPUTED), ("funds_withdrawn", DISPUTED), ("payment", AMOUNT),
            *(("refund", amount) for amount in REFUNDS),
        ],
        "balance": AMOUNT - sum(REFUNDS),
        "mails": 5,
    }  # fmt: skip
    assert_books_prove(chain.services["billing"], paid.business_id)
