"""gateway-stripe before the sandbox's Stripe: keys saved, its webhook registered, a client who pays."""

from typing import Any

import requests
import stripe

from common import clock
from common.bus.embedded import EmbeddedBus
from common.events import Event
from common.testing import ServiceUnderTest, eventually
from common.timers import TimerRow
from common.worker import Worker

B = "/v1/businesses/b1"
TEST_SECRET, TEST_PUBLIC = "sk_test_shop0000000000000000", "pk_test_shop0000000000000000"
CLIENT = {"type": "client", "id": "c1", "name": "Ada"}


class Shop:
    """One business that takes cards. Its worker runs in threads of the test's process."""

    def __init__(self, gateway: ServiceUnderTest, sandbox_url: str) -> None:
        self.gateway, self.sandbox_url = gateway, sandbox_url
        # What the timers heal by themselves would hide what is tested.
        with gateway.runtime.database.write() as session:
            session.add_all(TimerRow(name=timer.name, began_at=clock.now()) for timer in gateway.runtime.service.timers)
        # Its own events come back to it, as they do over a bus.
        self._worker = Worker(gateway.runtime, EmbeddedBus(lambda: [gateway.runtime.consumer]))
        self._worker.start()

    def close(self) -> None:
        self._worker.stop()
        assert self._worker.failed is None

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        return self.gateway.call(method, B + path, body, **options)

    def set_up(self, **more: Any) -> dict[str, Any]:
        """Save the test keys and wait until Stripe has them."""
        self.save(**more)
        return dict(eventually(self._ready, "the registration"))

    def save(self, **more: Any) -> None:
        body = {
            "mode": "test", "test_publishable_key": TEST_PUBLIC, "test_secret_key": TEST_SECRET,
            "allow_client_initiated_payments": True, **more,
        }  # fmt: skip
        saved = self.call("PUT", "/stripe", body)
        assert saved.status_code == 200, saved.text

    def _ready(self) -> Any:
        shown = self.call("GET", "/stripe").json
        return shown if shown["test_webhook"]["state"] != "registering" else None

    @property
    def stripe(self) -> stripe.StripeClient:
        """The account as its owner sees it."""
        return stripe.StripeClient(
            TEST_SECRET, base_addresses={"api": f"{self.sandbox_url}/stripe"}, max_network_retries=0
        )

    def begin(self, amount_minor: int = 4500, **more: Any) -> Any:
        actor = more.pop("actor", None)
        options: dict[str, Any] = {"key": more.pop("key", None)}
        if actor is not None:
            options["token"] = self.gateway.token("gateway:charge", actor=actor)
        body = {"client_id": "c1", "amount_minor": amount_minor, **more}
        return self.call("POST", "/stripe/payment-intents", body, **options)

    def type_card(self, begun: dict[str, Any], number: str = "4242424242424242") -> dict[str, Any]:
        """What the browser does with the secret that it was given: confirm with a card."""
        card = {"number": number, "exp_month": "12", "exp_year": "2040", "cvc": "123"}
        answer = requests.post(
            f"{self.sandbox_url}/stripe/v1/payment_intents/{begun['payment_intent_id']}/confirm",
            headers={"Authorization": f"Bearer {begun['publishable_key']}"},
            data={
                "client_secret": begun["client_secret"], "payment_method_data[type]": "card",
                **{f"payment_method_data[card][{name}]": value for name, value in card.items()},
            },
            timeout=20,
        )  # fmt: skip
        return dict(answer.json())

    def save_card(self, token: str = "pm_card_visa") -> str:
        """A saved card of the client's, as a payment with consent leaves one."""
        begun = self.begin(save_card=True).json
        self.stripe.v1.payment_intents.confirm(
            begun["payment_intent_id"], {"payment_method": token, "return_url": "https://portal.example/"}
        )
        found = eventually(lambda: self.call("GET", "/clients/c1/payment-methods").json["items"], "the saved card")
        return str(found[0]["id"])

    def told(self, *kinds: type[Event]) -> list[Any]:
        return [event for event in self.gateway.emitted() if isinstance(event, kinds)]

    def wait_for(self, kind: type[Event], count: int = 1) -> list[Any]:
        """Wait until so many events of a kind were told; answers them."""

        def enough() -> Any:
            found = self.told(kind)
            return found if len(found) >= count else None

        return list(eventually(enough, f"{count} {kind.__name__}"))

    def faults(self, **faults: Any) -> None:
        answer = requests.put(f"{self.sandbox_url}/faults", json={"stripe": faults}, timeout=10)
        assert answer.ok, answer.text

    def control(self, path: str, body: Any = None) -> Any:
        answer = requests.post(f"{self.sandbox_url}/stripe/_control/{path}", json=body or {}, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def captured(self) -> list[dict[str, Any]]:
        """The charges that Stripe has taken."""
        return list(requests.get(f"{self.sandbox_url}/stripe/_control/charges", timeout=10).json()["data"])
