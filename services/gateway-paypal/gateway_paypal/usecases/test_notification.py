"""The test notification: settings, credentials, PayPal's verification, and a message of our own through the notify URL,
the worker and the bus. Never touches the ledger.

PayPal cannot be asked to send a message. So this one is our own, sent the way PayPal's come; that PayPal's verification
answers that it did not send it is the proof that it can be asked.
"""

from typing import Any
from urllib.parse import urlencode

import requests

from common.errors import Conflict
from common.gateway import proof
from common.gateway.calls import Refused
from common.gateway.proof import Red
from common.ids import new_id
from common.runtime import Runtime
from gateway_paypal.client import GATEWAY, USER_AGENT, verify_ipn
from gateway_paypal.domain.ipn import Ipn
from gateway_paypal.models import Account
from gateway_paypal.usecases import accounts, customs
from gateway_paypal.usecases.accounts import Opened

TYPE = "remit_test"
SEND_SECONDS = 10.0


def run(runtime: Runtime, business_id: str) -> dict[str, Any]:
    """{"ok", "steps": [{"name", "ok", "detail", "fix"?, "contact"?}]}. Raises Conflict outside test mode."""
    with runtime.database.read() as session:
        account = session.get(Account, business_id)
        opened = accounts.open_account(runtime, session, business_id) if account else None
        webhook = (account.webhook_state, account.webhook_reason) if account else ("none", None)
    if opened is not None and opened.mode == "live":
        raise Conflict("not_in_test_mode", "The test works in sandbox mode only: it must never touch real money.")
    settings: Any = runtime.settings
    test = _Test(runtime, business_id, opened, webhook)
    steps = [("PayPal's settings are saved", test.check_settings)]
    if opened is None or opened.checkout == accounts.ORDERS or opened.api is not None:
        steps.append(("PayPal knows the client id and secret", test.check_credentials))
    steps += [
        ("PayPal's verification answers", test.check_verification),
        ("The notify URL takes messages", test.send),
        ("The message came back to Remit", test.wait),
    ]
    return proof.prove(GATEWAY, settings.support_contact, steps)


def test_of(runtime: Runtime, business_id: str, message: Ipn) -> str | None:
    """Which test a message of our own is of; None for any other."""
    if message.get("txn_type") != TYPE:
        return None
    custom = message.get("custom")
    test_id = custom.removeprefix(customs.MARK).partition(".")[0]
    return test_id if custom == customs.custom_of(runtime.signer, business_id, test_id) else None


test_of.__test__ = False  # type: ignore[attr-defined]  # not for pytest, whatever its name


class _Test:
    """What the steps hand on to each other."""

    def __init__(
        self, runtime: Runtime, business_id: str, opened: Opened | None, webhook: tuple[str, str | None]
    ) -> None:
        self._runtime, self._business_id, self._opened, self._webhook = runtime, business_id, opened, webhook
        self._settings: Any = runtime.settings
        self._test_id = new_id()

    def check_settings(self) -> str:
        if self._opened is None:
            raise Red("there are none", "Enter the business's PayPal e-mail address and save.")
        return f"{self._opened.business_email}, by {self._opened.checkout}"

    def check_credentials(self) -> str:
        assert self._opened is not None
        try:
            self._opened.called().check()
        except (Refused, Conflict) as refused:
            words = refused.message if isinstance(refused, Refused) else refused.detail
            raise Red(
                f"PayPal refused them: {words}",
                "Copy client id and secret again from the REST app at developer.paypal.com, of the same mode.",
            ) from refused
        if self._webhook[0] == "failed":
            raise Red(f"the webhook is not registered: {self._webhook[1]}", "Mend that, then save the secret again.")
        return "it does"

    def check_verification(self) -> str:
        assert self._opened is not None
        verify_ipn(self._settings, self._opened.mode, b"txn_type=remit_test")
        return f"at {self._settings.ipn_verify_url(self._opened.mode)}"

    def send(self) -> str:
        if not self._settings.callbacks_reach_us:
            raise Red(
                "PayPal cannot reach this system",
                "Whoever runs Remit must set CALLBACK_BASE_URL to its public https:// address.",
            )
        url = str(self._settings.ipn_url(self._business_id))
        proof.begin(self._runtime.database, self._business_id, self._test_id)
        custom = customs.custom_of(self._runtime.signer, self._business_id, self._test_id)
        body = urlencode({"txn_type": TYPE, "custom": custom, "test_ipn": "1", "charset": "utf-8"})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": USER_AGENT}
        try:
            answer = requests.post(url, data=body, headers=headers, timeout=SEND_SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            raise Red(f"{url} does not answer ({type(error).__name__})", "Look at the proxy in front of it.") from error
        if answer.status_code != 200 or answer.content:
            raise Red(
                f"{url} answered {answer.status_code}", "It must answer 200 with nothing; look at the proxy in front."
            )
        return url

    def wait(self) -> str:
        seconds = proof.wait(self._runtime.database, self._business_id, self._test_id)
        if seconds is None:
            raise Red(f"nothing came within {proof.WAIT_SECONDS:.0f} s", "Look at gateway-paypal's worker and the bus.")
        return f"after {seconds:.1f} s"
