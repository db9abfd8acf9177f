"""Send Test: a charge in Stripe's test mode, and its callback back through the bus. Never touches the ledger.

Each step is green, or red with what to do about it; what comes after a red one is not tried.
"""

import time
from collections.abc import Callable
from typing import Any

from common.errors import Conflict
from common.gateway import proof
from common.gateway.calls import Refused
from common.ids import new_id
from common.runtime import Runtime
from gateway_stripe.client import GATEWAY, Declined, Stripe
from gateway_stripe.domain import keys as rules
from gateway_stripe.domain.translate import METADATA
from gateway_stripe.models import Account, Keys
from gateway_stripe.usecases import accounts, polling

AMOUNT_MINOR = 100
POLL_SECONDS = 1.0


def run(runtime: Runtime, business_id: str, currency: str) -> dict[str, Any]:
    """{"ok", "steps": [{"name", "ok", "detail", "fix"?, "contact"?}]}. Raises Conflict outside test mode."""
    with runtime.database.read() as session:
        account = session.get(Account, business_id)
        keys = session.get(Keys, (business_id, "test"))
    if account is not None and account.mode == "live":
        raise Conflict("not_in_test_mode", "Send Test works in test mode only: it must never touch real money.")
    test = _Test(runtime, business_id, currency, keys)
    settings: Any = runtime.settings
    return proof.prove(GATEWAY, settings.support_contact, [
        ("Both test keys are saved, and look right", test.check_shapes),
        ("Stripe knows the secret key", test.check_secret),
        ("Both keys belong to the same Stripe account", test.check_account),
        ("A test card is charged", test.charge),
        ("Stripe's answer came back to Remit", test.wait_for_notice),
    ])  # fmt: skip


class _Test:
    """What the steps hand on to each other."""

    def __init__(self, runtime: Runtime, business_id: str, currency: str, keys: Keys | None) -> None:
        self._runtime, self._business_id, self._currency, self._keys = runtime, business_id, currency, keys
        self._test_id = new_id()
        self._intent: dict[str, Any] = {}

    def check_shapes(self) -> str:
        """Keys are checked when they are saved; here they must be there."""
        keys = self._keys
        if keys is None or not keys.publishable_key or not keys.secret_key:
            missing = "publishable" if keys is not None and keys.secret_key else "secret"
            raise proof.Red(f"the test {missing} key is missing", f"Enter the test {missing} key and save.")
        return f"{rules.shown(keys.publishable_key)} and …{keys.secret_key_end}"

    def check_secret(self) -> str:
        try:
            account = self._stripe.account()
        except Refused as refused:
            raise proof.Red(
                f"Stripe refused it: {refused.message}",
                "Copy the secret key again from Stripe's Dashboard (Developers, API keys), or make a new one there.",
            ) from refused
        return f"account {account['id']}"

    def check_account(self) -> str:
        """The secret key makes a payment; the publishable key must see it, as the browser will."""
        params: dict[str, Any] = {
            "amount": AMOUNT_MINOR * (100 if self._currency in ("HUF", "CZK") else 10),
            "currency": self._currency.lower(),
            "payment_method_types": ["card"],
            "metadata": {f"{METADATA}business": self._business_id, f"{METADATA}test": self._test_id},
        }
        self._intent = self._asked(lambda: self._stripe.create_intent(params, f"remit-test-{self._test_id}"))
        assert self._keys is not None
        assert self._keys.publishable_key is not None
        settings: Any = self._runtime.settings
        browser = Stripe(settings.api_base, self._keys.publishable_key, settings.stripe_timeout_seconds)
        try:
            browser.intent_for_browser(self._intent["id"], self._intent["client_secret"])
        except Refused as refused:
            raise proof.Red(
                "the publishable key does not see what the secret key made",
                "The two keys are of different accounts. Copy both from the same account's page in Stripe's Dashboard.",
            ) from refused
        return "they do"

    def charge(self) -> str:
        self._wait_until_registered()
        proof.begin(self._runtime.database, self._business_id, self._test_id)
        try:
            done = self._asked(
                lambda: self._stripe.confirm(self._intent["id"], "pm_card_visa", f"remit-test-{self._test_id}-confirm")
            )
        except Declined as declined:
            raise proof.Red(
                declined.message, "Test cards always pay; look at the account's restrictions at Stripe."
            ) from declined
        if done["status"] != "succeeded":
            raise proof.Red(f"Stripe says {done['status']}", "Look at the payment in Stripe's Dashboard, test mode.")
        return f"{done['id']}, in test mode: no money moved"

    def wait_for_notice(self) -> str:
        """Stripe's callback, kept, translated, told on the bus, and heard of here. Where no callback can come, its
        event is asked for."""
        assert self._keys is not None
        is_polled = self._keys.webhook_id is None
        polls = 0

        def poll(waited_seconds: float) -> None:
            nonlocal polls
            if is_polled and waited_seconds > (polls + 1) * POLL_SECONDS:
                polls += 1
                polling.poll_account(self._runtime, self._business_id, "test")

        seconds = proof.wait(self._runtime.database, self._business_id, self._test_id, poll)
        if seconds is not None:
            how = "asked for, as Stripe cannot call here" if is_polled else "called back"
            return f"{how}, after {seconds:.1f} s"
        reason = self._keys.reason or "it did not come"
        raise proof.Red(
            f"nothing came within {proof.WAIT_SECONDS:.0f} s: {reason}",
            "Look at the worker, which translates what comes, and at Stripe's list of webhooks: this system must be"
            " reachable at CALLBACK_BASE_URL over HTTPS. Until it is, leave that empty, and events are asked for.",
        )

    def _wait_until_registered(self) -> None:
        """Keys that were saved a moment ago: the callback of this test shall find its webhook."""
        began = time.monotonic()
        while True:
            with self._runtime.database.read() as session:
                self._keys = session.get_one(Keys, (self._business_id, "test"))
            if self._keys.state != "registering" or time.monotonic() - began > proof.WAIT_SECONDS:
                break
            time.sleep(proof.LOOK_SECONDS)
        if self._keys.state != "ready":
            raise proof.Red(
                f"the webhook is not registered at Stripe: {self._keys.reason or 'that is still under way'}",
                "A restricted key needs to write webhook endpoints. Give it that right, then save the keys again.",
            )

    @property
    def _stripe(self) -> Stripe:
        assert self._keys is not None
        return accounts.stripe_of(self._runtime, self._keys)

    def _asked(self, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return act()
        except Refused as refused:
            raise proof.Red(
                f"Stripe refused it: {refused.message}",
                "A restricted key needs to write PaymentIntents. Give it that right, or use the secret key.",
            ) from refused
