"""Send Test: a charge in Stripe's test mode, and its callback back through the bus. Never touches the ledger.

Each step is green, or red with what to do about it; what comes after a red one is not tried.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from common import clock
from common.errors import Conflict
from common.ids import new_id
from common.jobs import TryLater
from common.runtime import Runtime
from gateway_stripe.client import Declined, Refused, Stripe, Unknown
from gateway_stripe.domain import keys as rules
from gateway_stripe.domain.translate import METADATA
from gateway_stripe.models import Account, Keys, TestRun
from gateway_stripe.usecases import accounts, polling

AMOUNT_MINOR = 100
WAIT_SECONDS = 12.0
LOOK_SECONDS = 0.1
ASK_SECONDS = 1.0
Step = dict[str, Any]


class _Red(Exception):
    """A step that failed: what was seen, and what to do."""

    def __init__(self, detail: str, fix: str) -> None:
        super().__init__(detail)
        self.detail, self.fix = detail, fix


def run(runtime: Runtime, business_id: str, currency: str) -> dict[str, Any]:
    """{"ok", "steps": [{"name", "ok", "detail", "fix"?, "contact"?}]}. Raises Conflict outside test mode."""
    with runtime.database.read() as session:
        account = session.get(Account, business_id)
        keys = session.get(Keys, (business_id, "test"))
    if account is not None and account.mode == "live":
        raise Conflict("not_in_test_mode", "Send Test works in test mode only: it must never touch real money.")
    steps = list(_steps(runtime, business_id, currency, keys))
    settings: Any = runtime.settings
    for step in steps:
        if not step["ok"]:
            step["contact"] = settings.support_contact
    return {"ok": all(step["ok"] for step in steps), "steps": steps}


def _steps(runtime: Runtime, business_id: str, currency: str, keys: Keys | None) -> Iterator[Step]:
    test = _Test(runtime, business_id, currency, keys)
    for name, act in (
        ("Both test keys are saved, and look right", test.check_shapes),
        ("Stripe knows the secret key", test.check_secret),
        ("Both keys belong to the same Stripe account", test.check_account),
        ("A test card is charged", test.charge),
        ("Stripe's answer came back to Remit", test.wait_for_notice),
    ):
        step = _step(name, act)
        yield step
        if not step["ok"]:
            return


def _step(name: str, act: Callable[[], str]) -> Step:
    try:
        return {"name": name, "ok": True, "detail": act()}
    except _Red as red:
        return {"name": name, "ok": False, "detail": red.detail, "fix": red.fix}
    except (Unknown, TryLater) as silence:
        return {
            "name": name,
            "ok": False,
            "detail": str(silence),
            "fix": "Stripe did not answer. Try again in a minute.",
        }


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
            raise _Red(f"the test {missing} key is missing", f"Enter the test {missing} key and save.")
        return f"{rules.shown(keys.publishable_key)} and …{keys.secret_key_end}"

    def check_secret(self) -> str:
        try:
            account = self._stripe.account()
        except Refused as refused:
            raise _Red(
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
            raise _Red(
                "the publishable key does not see what the secret key made",
                "The two keys are of different accounts. Copy both from the same account's page in Stripe's Dashboard.",
            ) from refused
        return "they do"

    def charge(self) -> str:
        self._wait_until_registered()
        with self._runtime.database.write() as session:
            session.add(
                TestRun(business_id=self._business_id, test_id=self._test_id, started_at=clock.now(), noticed_at=None)
            )
        try:
            done = self._asked(
                lambda: self._stripe.confirm(self._intent["id"], "pm_card_visa", f"remit-test-{self._test_id}-confirm")
            )
        except Declined as declined:
            raise _Red(
                declined.message, "Test cards always pay; look at the account's restrictions at Stripe."
            ) from declined
        if done["status"] != "succeeded":
            raise _Red(f"Stripe says {done['status']}", "Look at the payment in Stripe's Dashboard, test mode.")
        return f"{done['id']}, in test mode: no money moved"

    def wait_for_notice(self) -> str:
        """Stripe's callback, kept, translated, told on the bus, and heard of here. Where no callback can come, its
        event is asked for."""
        assert self._keys is not None
        is_polled = self._keys.webhook_id is None
        began = asked = time.monotonic()
        while time.monotonic() - began < WAIT_SECONDS:
            if is_polled and time.monotonic() - asked > ASK_SECONDS:
                polling.poll_account(self._runtime, self._business_id, "test")
                asked = time.monotonic()
            with self._runtime.database.read() as session:
                run = session.get_one(TestRun, (self._business_id, self._test_id))
                if run.noticed_at is not None:
                    how = "asked for, as Stripe cannot call here" if is_polled else "called back"
                    return f"{how}, after {time.monotonic() - began:.1f} s"
            time.sleep(LOOK_SECONDS)
        reason = self._keys.reason or "it did not come"
        raise _Red(
            f"nothing came within {WAIT_SECONDS:.0f} s: {reason}",
            "Look at the worker, which translates what comes, and at Stripe's list of webhooks: this system must be"
            " reachable at CALLBACK_BASE_URL over HTTPS. Until it is, leave that empty, and events are asked for.",
        )

    def _wait_until_registered(self) -> None:
        """Keys that were saved a moment ago: the callback of this test shall find its webhook."""
        began = time.monotonic()
        while True:
            with self._runtime.database.read() as session:
                self._keys = session.get_one(Keys, (self._business_id, "test"))
            if self._keys.state != "registering" or time.monotonic() - began > WAIT_SECONDS:
                break
            time.sleep(LOOK_SECONDS)
        if self._keys.state != "ready":
            raise _Red(
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
            raise _Red(
                f"Stripe refused it: {refused.message}",
                "A restricted key needs to write PaymentIntents. Give it that right, or use the secret key.",
            ) from refused
