"""Stripe: the one place that knows its SDK. Answers are plain dictionaries; what went wrong is an exception of ours."""

import functools
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NoReturn

import stripe

from common.gateway.calls import Refused, Unknown, timed
from common.jobs import TryLater

stripe.enable_telemetry = False
GATEWAY = "Stripe"
API_VERSION = stripe.api_version
RETRIES = 2
CONFLICT = 409
CONNECT_SECONDS = 3.0
PAGE = 100


@functools.cache
def _http(timeout_seconds: float) -> stripe.RequestsClient:
    """One for all accounts: each thread keeps one connection alive. With one for each account a call left its own open
    until the garbage was collected, and Stripe in a box took no more."""
    return stripe.RequestsClient(timeout=(CONNECT_SECONDS, timeout_seconds))


class Declined(Exception):
    """The card was declined, or its bank wants the client to authenticate (`authentication_required`)."""

    def __init__(self, code: str, decline_code: str | None, message: str, intent: dict[str, Any] | None) -> None:
        super().__init__(message)
        self.code, self.decline_code, self.message, self.intent = code, decline_code, message, intent


class Stripe:
    """One Stripe account, by its secret key. Every call has a timeout, and a key of its own where it creates."""

    def __init__(self, api_base: str, secret_key: str, timeout_seconds: float) -> None:
        self._client = stripe.StripeClient(
            secret_key,
            base_addresses={"api": api_base},
            max_network_retries=RETRIES,
            http_client=_http(timeout_seconds),
        )

    def account(self) -> dict[str, Any]:
        return self._call(self._client.v1.accounts.retrieve_current)

    def create_intent(self, params: dict[str, Any], key: str) -> dict[str, Any]:
        return self._call(lambda: self._client.v1.payment_intents.create(params, {"idempotency_key": key}))  # type: ignore[arg-type]

    def confirm(self, intent_id: str, payment_method: str, key: str) -> dict[str, Any]:
        params: Any = {"payment_method": payment_method}
        return self._call(lambda: self._client.v1.payment_intents.confirm(intent_id, params, {"idempotency_key": key}))

    def intent_for_browser(self, intent_id: str, client_secret: str) -> dict[str, Any]:
        """An intent as a page with the publishable key sees it."""
        return self._call(lambda: self._client.v1.payment_intents.retrieve(intent_id, {"client_secret": client_secret}))

    def intent(self, intent_id: str) -> dict[str, Any]:
        params: Any = {"expand": ["latest_charge.balance_transaction"]}
        return self._call(lambda: self._client.v1.payment_intents.retrieve(intent_id, params))

    def intents_since(self, since: datetime) -> Iterator[dict[str, Any]]:
        """PaymentIntents created since a time, the newest first."""
        params: Any = {
            "created": {"gte": int(since.timestamp())},
            "limit": PAGE,
            "expand": ["data.latest_charge.balance_transaction"],
        }
        while True:
            page = self._call(lambda: self._client.v1.payment_intents.list(params))
            yield from page["data"]
            if not page["has_more"]:
                return
            params["starting_after"] = page["data"][-1]["id"]

    def events_since(self, since: datetime, types: list[str]) -> list[dict[str, Any]]:
        """Events of these types since a time, the oldest first; Stripe keeps them for 30 days."""
        params: Any = {"created": {"gte": int(since.timestamp())}, "types": types, "limit": PAGE}
        found: list[dict[str, Any]] = []
        while True:
            page = self._call(lambda: self._client.v1.events.list(params))
            found += page["data"]
            if not page["has_more"]:
                return found[::-1]
            params["starting_after"] = page["data"][-1]["id"]

    def create_customer(self, params: dict[str, Any], key: str) -> dict[str, Any]:
        return self._call(lambda: self._client.v1.customers.create(params, {"idempotency_key": key}))  # type: ignore[arg-type]

    def create_setup_intent(self, params: dict[str, Any], key: str) -> dict[str, Any]:
        return self._call(lambda: self._client.v1.setup_intents.create(params, {"idempotency_key": key}))  # type: ignore[arg-type]

    def cards(self, customer_id: str) -> list[dict[str, Any]]:
        page = self._call(lambda: self._client.v1.payment_methods.list({"customer": customer_id, "type": "card"}))
        return list(page["data"])

    def detach(self, payment_method_id: str) -> dict[str, Any]:
        return self._call(lambda: self._client.v1.payment_methods.detach(payment_method_id))

    def refund(self, params: dict[str, Any], key: str) -> dict[str, Any]:
        return self._call(lambda: self._client.v1.refunds.create(params, {"idempotency_key": key}))  # type: ignore[arg-type]

    def refunds_of(self, intent_id: str) -> list[dict[str, Any]]:
        page = self._call(lambda: self._client.v1.refunds.list({"payment_intent": intent_id, "limit": PAGE}))
        return list(page["data"])

    def charge(self, charge_id: str) -> dict[str, Any]:
        params: Any = {"expand": ["balance_transaction"]}
        return self._call(lambda: self._client.v1.charges.retrieve(charge_id, params))

    def webhooks(self) -> list[dict[str, Any]]:
        page = self._call(lambda: self._client.v1.webhook_endpoints.list({"limit": PAGE}))
        return list(page["data"])

    def create_webhook(self, url: str, events: list[str], key: str) -> dict[str, Any]:
        params: Any = {"url": url, "enabled_events": events, "api_version": API_VERSION}
        return self._call(lambda: self._client.v1.webhook_endpoints.create(params, {"idempotency_key": key}))

    def delete_webhook(self, webhook_id: str) -> dict[str, Any]:
        return self._call(lambda: self._client.v1.webhook_endpoints.delete(webhook_id))

    @timed("stripe")
    def _call(self, act: Any) -> dict[str, Any]:
        try:
            found: dict[str, Any] = act().to_dict(for_json=True)
            return found
        except stripe.CardError as error:
            _declined(error)
        except (stripe.InvalidRequestError, stripe.IdempotencyError) as error:
            if error.http_status == CONFLICT:  # another request under this key is under way there, and may succeed
                raise Unknown(f"{type(error).__name__}: {_words(error)}") from error
            raise Refused(error.code or "invalid_request", _words(error), getattr(error, "param", None)) from error
        except (stripe.AuthenticationError, stripe.PermissionError) as error:
            raise Refused("key_refused", _words(error)) from error
        except stripe.RateLimitError as error:
            raise TryLater("Stripe asks to wait") from error
        except stripe.StripeError as error:  # no connection, a timeout, 5xx, an answer that is none
            raise Unknown(f"{type(error).__name__}: {_words(error)}") from error


def _declined(error: stripe.CardError) -> NoReturn:
    body: Any = (error.json_body or {}).get("error", {}) if isinstance(error.json_body, dict) else {}
    intent = body.get("payment_intent")
    raise Declined(error.code or "card_declined", body.get("decline_code"), _words(error), intent) from error


def _words(error: stripe.StripeError) -> str:
    return str(error.user_message or error)[:500]
