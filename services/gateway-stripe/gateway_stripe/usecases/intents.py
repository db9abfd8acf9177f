"""PaymentIntents: a payment on the page, a charge of a saved card by one click, and what became of either."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy.orm import Session

from common import clock
from common.auth import Caller
from common.directory import BusinessFacts, ClientFacts, Directory
from common.errors import Conflict, FieldError, Invalid, NotFound, Unavailable
from common.events.payments import Source
from common.gateway import facts, operations
from common.gateway.calls import Refused, plainly
from common.gateway.models import Operation
from common.runtime import Runtime
from gateway_stripe.client import GATEWAY, Declined, Stripe
from gateway_stripe.domain import amounts, translate
from gateway_stripe.models import Intent
from gateway_stripe.usecases import accounts, cards, confirmations
from gateway_stripe.usecases.accounts import Opened

# What Stripe's clock and ours may differ by.
CLOCKS_APART = timedelta(minutes=10)


@dataclass(frozen=True)
class Wanted:
    """A payment to take. `payment_method_id`: the card to charge now, saved or, as a mail or telephone order, typed."""

    client_id: str
    amount_minor: int
    source: Source
    currency: str | None = None
    invoice_number: str | None = None
    save_card: bool = False
    payment_method_id: str | None = None

    def as_request(self) -> dict[str, Any]:
        return dict(vars(self))


def start(
    runtime: Runtime, business_id: str, wanted: Wanted, caller: Caller, request_key: str | None
) -> tuple[dict[str, Any], bool]:
    """Make a PaymentIntent for a card to be typed on the page. Raises NotFound, Forbidden, Conflict, Invalid,
    Unavailable."""
    opened, business = _prepare(runtime, business_id, wanted, caller, "intent", request_key)

    def act(operation: Operation) -> dict[str, Any]:
        params = _params(business, wanted, operation, caller)
        params["automatic_payment_methods"] = {"enabled": True}
        if wanted.save_card:
            params["customer"] = cards.customer_of(runtime, opened, wanted.client_id)
            params["setup_future_usage"] = "off_session"
        return _create(opened.stripe, params, operations.idempotency_key(operation, "intent"))

    def record(session: Session, operation: Operation, intent: dict[str, Any]) -> dict[str, Any]:
        _keep(session, opened, operation, intent, wanted, business.currency, caller)
        settings: Any = runtime.settings
        return {
            "payment_intent_id": intent["id"],
            "client_secret": intent["client_secret"],
            "publishable_key": opened.publishable_key,
            "stripe_js_url": settings.js_url,
        }

    answer, is_repeat = operations.run(
        GATEWAY, runtime.database, business_id, "intent", caller.sub, request_key, wanted.as_request(), opened.mode,
        act, lambda operation: _look_for(opened, operation), record,
    )  # fmt: skip
    if operations.HANDED_OUT not in answer:
        with plainly(GATEWAY):
            answer[operations.HANDED_OUT] = opened.stripe.intent(answer["payment_intent_id"])[operations.HANDED_OUT]
    return answer, is_repeat


def charge_saved_card(
    runtime: Runtime, business_id: str, wanted: Wanted, caller: Caller, request_key: str | None
) -> tuple[dict[str, Any], bool]:
    """Charge a saved card off session. A decline, and a bank that wants the client, are answers. Raises as `start`."""
    opened, business = _prepare(runtime, business_id, wanted, caller, "charge", request_key)

    def card() -> dict[str, Any]:
        card_id, customer_id = _saved_card(runtime, opened, wanted)
        return {"customer": customer_id, "payment_method": card_id, "off_session": True}

    return _charge(runtime, opened, business, wanted, caller, request_key, "charge", card)


def take_order(
    runtime: Runtime, business_id: str, wanted: Wanted, caller: Caller, request_key: str | None
) -> tuple[dict[str, Any], bool]:
    """Charge a card that staff typed for a client who is not there, marked as a mail or telephone order (MOTO): its
    bank asks nobody to confirm. Answers and raises as `charge_saved_card`, and Forbidden, Conflict where the account
    does not take them."""
    opened, business = _prepare(runtime, business_id, wanted, caller, "order", request_key)

    def card() -> dict[str, Any]:
        typed: dict[str, Any] = {
            "payment_method": wanted.payment_method_id,
            "payment_method_options": {"card": {"moto": True}},
            # A bank that asks all the same is an answer, not an intent that waits for a client who is not there.
            "error_on_requires_action": True,
        }
        if wanted.save_card:
            typed["customer"] = cards.customer_of(runtime, opened, wanted.client_id)
            typed["setup_future_usage"] = "off_session"
        return typed

    return _charge(runtime, opened, business, wanted, caller, request_key, "order", card)


def _charge(
    runtime: Runtime, opened: Opened, business: BusinessFacts, wanted: Wanted, caller: Caller,
    request_key: str | None, kind: str, card: Callable[[], dict[str, Any]],
) -> tuple[dict[str, Any], bool]:  # fmt: skip
    """Make a PaymentIntent and confirm it at once with the card that `card` tells of."""
    business_id = opened.business_id

    def act(operation: Operation) -> dict[str, Any]:
        params = _params(business, wanted, operation, caller) | card() | {
            "confirm": True, "payment_method_types": ["card"], "expand": ["latest_charge.balance_transaction"],
        }  # fmt: skip
        try:
            return _create(opened.stripe, params, operations.idempotency_key(operation, kind))
        except Declined as declined:
            return {"declined": vars(declined)}

    def record(session: Session, operation: Operation, outcome: dict[str, Any]) -> dict[str, Any]:
        declined = outcome.get("declined") or _decline_of(outcome)
        intent = declined["intent"] if declined else outcome
        if intent is not None:
            _keep(session, opened, operation, intent, wanted, business.currency, caller)
            facts.tell(session, translate.of_intent(opened.context, intent))
        answer = _charged(intent, declined)
        if answer["status"] == "authentication_required":
            answer["authenticate_url"] = runtime.pay_links.to(
                business_id, wanted.client_id, wanted.amount_minor, wanted.invoice_number
            )
            confirmations.ask(
                session, business_id, operation.operation_id, wanted.client_id, wanted.amount_minor,
                answer["authenticate_url"],
            )  # fmt: skip
        return answer

    try:
        return operations.run(
            GATEWAY, runtime.database, business_id, kind, caller.sub, request_key, wanted.as_request(), opened.mode,
            act, lambda operation: _look_for(opened, operation), record,
        )  # fmt: skip
    except Unavailable as silence:
        if silence.code != operations.UNKNOWN:
            raise
        return {"status": "unknown", "detail": silence.detail, **silence.extra}, False


def _decline_of(intent: dict[str, Any]) -> dict[str, Any] | None:
    """The decline that an intent found afterwards shows, as the call would have answered it."""
    error = intent.get("last_payment_error")
    if intent["status"] != "requires_payment_method" or not error:
        return None
    return {
        "code": error.get("code") or "card_declined",
        "decline_code": error.get("decline_code"),
        "message": error.get("message") or "The card was declined.",
        "intent": intent,
    }


def _charged(intent: dict[str, Any] | None, declined: dict[str, Any] | None) -> dict[str, Any]:
    """The answer of one click."""
    intent_id = intent["id"] if intent else None
    if declined is None:
        assert intent is not None
        return {"status": _status(intent), "payment_intent_id": intent_id}
    needs_client = declined["code"] == "authentication_required"
    return {
        "status": "authentication_required" if needs_client else "declined",
        "decline_code": declined["decline_code"] or declined["code"],
        "detail": declined["message"],
        "payment_intent_id": intent_id,
    }


def sync(runtime: Runtime, business_id: str, intent_id: str) -> dict[str, Any]:
    """Ask Stripe what became of an intent, instead of waiting for its notice. Raises NotFound."""
    with runtime.database.read() as session:
        held = session.get(Intent, (business_id, intent_id))
        if held is None:
            raise NotFound("not_found", "There is no such payment under way.")
        opened = accounts.open_account(runtime, session, business_id, held.mode)
    with plainly(GATEWAY):
        intent = opened.stripe.intent(intent_id)
    with runtime.database.write() as session:
        facts.tell(session, translate.of_intent(opened.context, intent))
    return {"status": _status(intent), "payment_recorded": intent["status"] == "succeeded"}


def client_of(session: Session, business_id: str, intent_id: str) -> str:
    """Whose an intent is. Raises NotFound."""
    held = session.get(Intent, (business_id, intent_id))
    if held is None:
        raise NotFound("not_found", "There is no such payment under way.")
    return held.client_id


def _prepare(
    runtime: Runtime, business_id: str, wanted: Wanted, caller: Caller, kind: str, request_key: str | None
) -> tuple[Opened, BusinessFacts]:
    """Everything that can refuse a payment before Stripe is asked; a repeat goes on in the mode that it began in."""
    with runtime.database.read() as session:
        directory = Directory(runtime, session, business_id)
        business = directory.business()
        begun = operations.begun(session, business_id, kind, caller.sub, request_key)
        if begun is None:
            _require_allowed(session, business, directory.client(wanted.client_id), wanted, caller, kind)
        return accounts.open_account(runtime, session, business_id, begun.mode if begun else None), business


def _require_allowed(
    session: Session, business: BusinessFacts, client: ClientFacts | None, wanted: Wanted, caller: Caller, kind: str
) -> None:
    if client is None:
        raise NotFound("not_found", "There is no such client.")
    if caller.client_id is not None:
        accounts.require_client_payments(session, business.business_id)
    if client.is_inactive(clock.today(business.time_zone)):
        raise Conflict("client_inactive", f"{client.name} is inactive and cannot start a payment.")
    errors = amounts.problems(wanted.amount_minor, wanted.currency, business.currency)
    if errors:
        raise Invalid(errors[0].code or "validation_failed", f"{errors[0].message}.", errors)
    if kind == "order":
        accounts.require_mail_and_telephone_orders(session, business.business_id)


def _params(business: BusinessFacts, wanted: Wanted, operation: Operation, caller: Caller) -> dict[str, Any]:
    for_invoice = f", invoice {wanted.invoice_number}" if wanted.invoice_number else ""
    return {
        "amount": wanted.amount_minor,
        "currency": business.currency.lower(),
        "description": f"{business.name}{for_invoice}"[:500],
        "metadata": translate.metadata(
            business.business_id, wanted.client_id, operation.operation_id, wanted.source, wanted.invoice_number,
            caller.actor,
        ),
    }  # fmt: skip


def _create(stripe: Stripe, params: dict[str, Any], key: str) -> dict[str, Any]:
    try:
        return stripe.create_intent(params, key)
    except Refused as refused:
        if refused.param is not None and "moto" in refused.param:
            raise Conflict(
                "moto_not_allowed",
                f"Stripe does not take mail and telephone orders for this account: {refused.message} Ask Stripe's"
                " support to enable them, or turn them off under Account, Online Payments.",
            ) from refused
        field = "amount_minor" if refused.code in amounts.AMOUNT_CODES else refused.param or "payment"
        raise Invalid(
            refused.code, refused.message, [FieldError(field, refused.message, code=refused.code)]
        ) from refused


def _look_for(opened: Opened, operation: Operation) -> dict[str, Any] | None:
    """The intent that Stripe made of an operation, if it did."""
    since = operation.started_at - CLOCKS_APART
    mark = f"{translate.METADATA}operation"
    for intent in opened.stripe.intents_since(since):
        if (intent.get("metadata") or {}).get(mark) == operation.operation_id:
            return intent
    return None


def _keep(
    session: Session, opened: Opened, operation: Operation, intent: dict[str, Any], wanted: Wanted, currency: str,
    caller: Caller,
) -> None:  # fmt: skip
    session.merge(
        Intent(
            business_id=opened.business_id,
            intent_id=intent["id"],
            mode=opened.mode,
            client_id=wanted.client_id,
            operation_id=operation.operation_id,
            amount_minor=wanted.amount_minor,
            currency=currency,
            invoice_number=wanted.invoice_number,
            source=wanted.source,
            actor=orjson.dumps(caller.actor).decode(),
            created_at=clock.now(),
        )
    )
    session.flush()


def _saved_card(runtime: Runtime, opened: Opened, wanted: Wanted) -> tuple[str, str]:
    """(card, customer): the card that is named, or the newest. Raises NotFound."""
    with runtime.database.read() as session:
        customer_id = cards.held_customer(session, opened, wanted.client_id)
    saved = opened.stripe.cards(customer_id) if customer_id else []
    fits = [card for card in saved if wanted.payment_method_id in (None, card["id"])]
    if customer_id is None or not fits:
        raise NotFound(
            "card_not_found", "This client has no such saved card. Take the payment with Pay Assist instead."
        )
    return str(fits[0]["id"]), customer_id


def _status(intent: dict[str, Any]) -> str:
    """An intent's state as it is answered."""
    status = str(intent["status"])
    return "authentication_required" if status == "requires_action" else status
