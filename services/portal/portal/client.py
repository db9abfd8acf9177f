"""The other services' APIs, asked for one person: what they answer is what that person may see."""

import re
from dataclasses import dataclass
from typing import Any

import requests

from common.errors import Conflict, Forbidden, Invalid, NotFound, Refused, Unauthenticated, Unavailable
from common.runtime import PEER_TIMEOUT_SECONDS, Runtime

_ID = re.compile(r"[\w-]{1,100}", re.ASCII)
_REFUSALS: dict[int, type[Refused]] = {
    401: Unauthenticated, 403: Forbidden, 404: NotFound, 409: Conflict, 503: Unavailable,
}  # fmt: skip

Actor = dict[str, str]


@dataclass(frozen=True)
class Remit:
    """One business, as `actor` sees it; without one, as the portal itself does. Refusals are raised as they were
    answered, Unavailable when a service is away."""

    runtime: Runtime
    business_id: str
    actor: Actor | None = None

    # --- billing ---

    def business(self) -> dict[str, Any]:
        return self._json("billing", "GET", "", "billing:read")

    def client(self, client_id: str) -> dict[str, Any]:
        return self._json("billing", "GET", f"/clients/{_safe(client_id)}", "billing:read")

    def clients_like(self, words: str, limit: int) -> list[dict[str, Any]]:
        found = self._json("billing", "GET", "/clients", "billing:read", params={"q": words, "limit": limit})
        return list(found["items"])

    def balance(self, client_id: str) -> dict[str, Any]:
        return self._json("billing", "GET", f"/clients/{_safe(client_id)}/balance", "billing:read")

    def pending_invoices(self, client_id: str, limit: int) -> list[dict[str, Any]]:
        params = {"client_id": client_id, "status": "pending", "limit": limit}
        return list(self._json("billing", "GET", "/invoices", "billing:read", params=params)["items"])

    def invoice(self, number: str) -> dict[str, Any]:
        return self._json("billing", "GET", f"/invoices/{_safe(number)}", "billing:read")

    # --- payments ---

    def last_payments(self, client_id: str, limit: int) -> list[dict[str, Any]]:
        params = {"client_id": client_id, "limit": limit}
        return list(self._json("payments", "GET", "/payments", "payments:read", params=params)["items"])

    def payment_of(self, gateway_payment_id: str, gateway: str = "stripe") -> dict[str, Any] | None:
        """The payment that was recorded of a gateway's, once it is."""
        path = f"/payments/by-gateway/{gateway}/{_safe(gateway_payment_id)}"
        try:
            return self._json("payments", "GET", path, "payments:read")
        except NotFound:
            return None

    def receipt_pdf(self, payment_id: str) -> requests.Response:
        return self._ask("payments", "GET", f"/payments/{_safe(payment_id)}/receipt.pdf", "payments:read")

    # --- gateway-stripe ---

    def card_settings(self) -> dict[str, Any]:
        return self._json("gateway-stripe", "GET", "/stripe", "gateway:read")

    def saved_cards(self, client_id: str) -> list[dict[str, Any]]:
        path = f"/clients/{_safe(client_id)}/payment-methods"
        return list(self._json("gateway-stripe", "GET", path, "gateway:read")["items"])

    def start_payment(self, body: dict[str, Any], key: str) -> tuple[dict[str, Any], bool]:
        """A payment to be made on the page, and whether it had been started before."""
        answer = self._ask("gateway-stripe", "POST", "/stripe/payment-intents", "gateway:charge", body, key)
        return dict(answer.json()), answer.headers.get("Idempotent-Replayed") == "true"

    def charge_saved_card(self, body: dict[str, Any], key: str) -> dict[str, Any]:
        return dict(self._ask("gateway-stripe", "POST", "/stripe/charges", "gateway:charge", body, key).json())

    def take_order(self, body: dict[str, Any], key: str) -> dict[str, Any]:
        path = "/stripe/mail-and-telephone-orders"
        return dict(self._ask("gateway-stripe", "POST", path, "gateway:charge", body, key).json())

    def sync(self, intent_id: str) -> dict[str, Any]:
        """What Stripe says of a payment now."""
        path = f"/stripe/payment-intents/{_safe(intent_id)}/sync"
        return self._json("gateway-stripe", "POST", path, "gateway:charge")

    # --- gateway-paypal ---

    def paypal_settings(self) -> dict[str, Any]:
        return self._json("gateway-paypal", "GET", "/paypal", "gateway:read")

    def start_checkout(self, body: dict[str, Any], key: str) -> tuple[dict[str, Any], bool]:
        """A payment to be made at PayPal, and whether it had been started before."""
        answer = self._ask("gateway-paypal", "POST", "/paypal/checkouts", "gateway:charge", body, key)
        return dict(answer.json()), answer.headers.get("Idempotent-Replayed") == "true"

    def paypal_checkout(self, checkout_id: str) -> dict[str, Any]:
        """What became of a checkout; what its payer has approved is taken now."""
        path = f"/paypal/checkouts/{_safe(checkout_id)}"
        try:
            return self._json("gateway-paypal", "POST", f"{path}/capture", "gateway:charge")
        except (Conflict, Unavailable):  # not approved, or PayPal is silent: what is known here
            return self._json("gateway-paypal", "GET", path, "gateway:charge")

    # --- how ---

    def _json(self, peer: str, method: str, path: str, scope: str, **options: Any) -> dict[str, Any]:
        return dict(self._ask(peer, method, path, scope, **options).json())

    def _ask(
        self, peer: str, method: str, path: str, scope: str, body: Any = None, key: str | None = None, **options: Any
    ) -> requests.Response:
        settings: Any = self.runtime.settings
        if peer.startswith("gateway"):
            options["timeout"] = (PEER_TIMEOUT_SECONDS[0], settings.gateway_timeout_seconds)
        if body is not None:
            options["json"] = body
        if key is not None:
            options["headers"] = {"Idempotency-Key": key}
        answer = self.runtime.ask(
            peer, method, f"/v1/businesses/{_safe(self.business_id)}{path}", scope=scope,
            business_id=self.business_id, actor=self.actor, **options,
        )  # fmt: skip
        if not answer.ok:
            raise _refusal(answer)
        return answer


def _safe(part: str) -> str:
    """An id that may stand in a path. What was typed into an address and is none is answered as not there."""
    if not _ID.fullmatch(part):
        raise NotFound("not_found", "There is no such thing here.")
    return part


def _refusal(answer: requests.Response) -> Refused:
    try:
        problem = dict(answer.json())
    except (ValueError, TypeError):
        problem = {}
    detail = str(problem.get("detail") or "It was refused, without a reason.")
    return _REFUSALS.get(answer.status_code, Invalid)(str(problem.get("code") or "refused"), detail)
