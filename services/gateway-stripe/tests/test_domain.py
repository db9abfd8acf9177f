"""Keys by their shape, amounts that Stripe takes, signatures, and what Stripe's objects mean in any order."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from common.events import Event
from common.events.gateways import (
    GatewayDisputeClosed,
    GatewayDisputeOpened,
    GatewayFeeKnown,
    GatewayFundsReinstated,
    GatewayFundsWithdrawn,
    GatewayPaymentFailed,
    GatewayPaymentPending,
    GatewayPaymentSucceeded,
    GatewayRefundFailed,
    GatewayRefundSucceeded,
    GatewayTestNoticed,
)
from gateway_stripe import webhooks
from gateway_stripe.domain import amounts, keys, translate
from gateway_stripe.domain.translate import Context

CONTEXT = Context("b1", "acct_1")
ACTOR = {"type": "staff", "id": "s1", "name": "Sam"}
SECRET = "whsec_" + "x" * 24


def intent(status: str, **more: Any) -> dict[str, Any]:
    marks = translate.metadata("b1", "c1", "o1", "pay_assist", "INV-000012", ACTOR)
    return {
        "id": "pi_1", "object": "payment_intent", "status": status, "amount": 4500, "amount_received": 4500,
        "currency": "usd", "created": 1_772_000_000, "metadata": marks, "latest_charge": None, **more,
    }  # fmt: skip


def charge(fee: int | None) -> dict[str, Any]:
    transaction = None if fee is None else {"id": "txn_1", "fee": fee, "currency": "usd"}
    return {"id": "ch_1", "payment_intent": "pi_1", "balance_transaction": transaction}


def refund(status: str, refund_id: str = "re_1", **more: Any) -> dict[str, Any]:
    return {
        "id": refund_id, "payment_intent": "pi_1", "status": status, "amount": 1500, "currency": "usd",
        "created": 1_772_000_100, "metadata": {}, "reason": None, **more,
    }  # fmt: skip


def dispute(status: str, *movements: int, currency: str = "usd") -> dict[str, Any]:
    """`currency` is that of the account's balance; the payment is in USD."""
    return {
        "id": "dp_1", "payment_intent": "pi_1", "status": status, "amount": 4500, "currency": "usd",
        "reason": "fraudulent",
        "created": 1_772_000_200, "balance_transactions": [
            {"id": f"txn_{n}", "amount": amount, "currency": currency, "created": 1_772_000_300 + n}
            for n, amount in enumerate(movements)
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("field", "key", "words"),
    [
        ("test_secret_key", "pk_test_" + "a" * 20, "belongs in the field test_publishable_key"),
        ("test_secret_key", "sk_live_" + "a" * 20, "belongs in the field live_secret_key"),
        ("live_publishable_key", "pk_test_" + "a" * 20, "belongs in the field test_publishable_key"),
        ("test_secret_key", "sk_org_test_" + "a" * 20, "organisation"),
        ("test_secret_key", "whsec_" + "a" * 20, "webhook"),
        ("test_secret_key", "sk_test_ab cd" + "a" * 20, "blanks"),
        ("test_secret_key", "sk_test_", "not whole"),
        ("test_secret_key", "hello", "no Stripe API key"),
    ],
)
def test_a_wrong_key_says_what_to_do(field: str, key: str, words: str) -> None:
    assert words in (keys.problem(field, key) or "")


@pytest.mark.parametrize("prefix", ["sk_test_", "rk_test_"])
def test_secret_and_restricted_keys_are_welcome(prefix: str) -> None:
    assert keys.problem("test_secret_key", prefix + "a" * 24) is None
    assert keys.problem("live_secret_key", prefix.replace("test", "live") + "a" * 24) is None


@pytest.mark.parametrize(
    ("amount_minor", "currency", "code"),
    [
        (49, "USD", "amount_too_small"), (50, "USD", None), (29, "GBP", "amount_too_small"), (500, "ISK", None),
        (550, "ISK", "amount_has_decimals"), (501, "UGX", "amount_has_decimals"), (1001, "KWD", "amount_has_decimals"),
        (1010, "KWD", None), (50, "JPY", None), (1, "XOF", None),
    ],
)  # fmt: skip
def test_what_stripe_takes(amount_minor: int, currency: str, code: str | None) -> None:
    found = amounts.problems(amount_minor, None, currency)
    assert [error.code for error in found] == ([code] if code else [])


def test_another_currency_is_refused() -> None:
    assert [error.field for error in amounts.problems(5000, "EUR", "USD")] == ["currency"]


def signed(body: bytes, at: float, secret: str = SECRET) -> str:
    return str(stripe.WebhookSignature.generate_signature_header(body.decode(), secret, int(at)))


def test_a_good_signature_names_its_secret() -> None:
    body = b'{"id": "evt_1"}'
    assert webhooks.verify(body, signed(body, time.time()), ["whsec_other" + "y" * 20, SECRET]) == 1


@pytest.mark.parametrize(
    ("body", "header", "words"),
    [
        (b"{}", lambda now: "", "missing"),
        (b"{}", lambda now: "t=abc,v1=00", "garbled"),
        (b"{}", lambda now: f"t={int(now)},v1=00", "signature"),
        (b"{}", lambda now: signed(b"{}", now - 400), "tolerance"),
        (b"{}", lambda now: signed(b"{}", now + 4_000), "future"),
        (b'{"amount": 2}', lambda now: signed(b'{"amount": 1}', now), "signature"),
        (b"{}", lambda now: signed(b"{}", now, "whsec_stranger" + "z" * 20), "signature"),
        (b"\xff\xfe", lambda now: f"t={int(now)},v1=00", "UTF-8"),
    ],
    ids=["none", "garbled", "made up", "late", "early", "of another body", "by a stranger", "no text"],
)
def test_a_forgery_is_told_apart(body: bytes, header: Callable[[float], str], words: str) -> None:
    with pytest.raises(webhooks.NotSigned) as raised:
        webhooks.verify(body, header(time.time()), [SECRET])
    assert words.casefold() in str(raised.value).casefold()


@pytest.mark.parametrize(
    ("facts", "kinds"),
    [
        (translate.of_intent(CONTEXT, intent("succeeded")), [GatewayPaymentSucceeded]),
        (
            translate.of_intent(CONTEXT, intent("succeeded", latest_charge=charge(161))),
            [GatewayPaymentSucceeded, GatewayFeeKnown],
        ),
        (translate.of_intent(CONTEXT, intent("processing")), [GatewayPaymentPending]),
        (translate.of_intent(CONTEXT, intent("canceled")), [GatewayPaymentFailed]),
        (translate.of_intent(CONTEXT, intent("requires_payment_method")), []),
        (
            translate.of_intent(
                CONTEXT,
                intent("requires_payment_method", last_payment_error={"code": "card_declined", "charge": "ch_9"}),
            ),
            [GatewayPaymentFailed],
        ),
        (translate.of_intent(CONTEXT, intent("requires_action")), []),
        (translate.of_intent(CONTEXT, intent("succeeded", metadata={"remit_test": "t1"})), [GatewayTestNoticed]),
        (translate.of_charge(CONTEXT, charge(161)), [GatewayFeeKnown]),
        (translate.of_charge(CONTEXT, charge(None)), []),
        (translate.of_refund(CONTEXT, refund("pending")), []),
        (translate.of_refund(CONTEXT, refund("succeeded")), [GatewayRefundSucceeded]),
        (translate.of_refund(CONTEXT, refund("failed")), [GatewayRefundFailed]),
        (translate.of_dispute(CONTEXT, dispute("needs_response")), [GatewayDisputeOpened]),
        (
            translate.of_dispute(CONTEXT, dispute("won", -4500, 4500)),
            [GatewayDisputeOpened, GatewayFundsWithdrawn, GatewayFundsReinstated, GatewayDisputeClosed],
        ),
    ],
)
def test_what_an_object_means(facts: list[translate.Fact], kinds: list[type[Event]]) -> None:
    assert [type(fact.event) for fact in facts] == kinds


def test_a_dispute_is_told_in_the_currency_of_its_payment() -> None:
    events = [fact.event for fact in translate.of_dispute(CONTEXT, dispute("lost", -4100, currency="eur"))]
    (moved,) = (event for event in events if isinstance(event, GatewayFundsWithdrawn))
    assert (moved.amount_minor, moved.currency) == (4500, "USD")


def test_a_payment_says_whose_it_is_and_who_took_it() -> None:
    (fact,) = translate.of_intent(CONTEXT, intent("succeeded"))
    event = fact.event
    assert isinstance(event, GatewayPaymentSucceeded)
    assert (event.client_id, event.invoice_number, event.source) == ("c1", "INV-000012", "pay_assist")
    assert event.recorded_by is not None
    assert (event.recorded_by.name, event.currency, event.gateway_account) == ("Sam", "USD", "acct_1")
    assert translate.is_ours(CONTEXT, intent("succeeded"))
    assert not translate.is_ours(Context("b2", "acct_1"), intent("succeeded"))


HISTORY = [
    (translate.of_intent, intent("processing")),
    (translate.of_intent, intent("succeeded")),
    (translate.of_intent, intent("succeeded", latest_charge=charge(161))),
    (translate.of_charge, charge(161)),
    (translate.of_refund, refund("succeeded")),
    (translate.of_refund, refund("succeeded", "re_2", metadata={"remit_refund": "r2"})),
    (translate.of_refund, refund("failed", "re_2", metadata={"remit_refund": "r2"})),
    (translate.of_dispute, dispute("needs_response")),
    (translate.of_dispute, dispute("under_review", -4500)),
    (translate.of_dispute, dispute("won", -4500, 4500)),
]


@given(order=st.permutations(range(len(HISTORY))), again=st.lists(st.integers(0, len(HISTORY) - 1), max_size=4))
def test_any_order_with_duplicates_tells_the_same_facts(order: list[int], again: list[int]) -> None:
    def told(places: list[int]) -> set[str]:
        return {fact.key for place in places for fact in HISTORY[place][0](CONTEXT, HISTORY[place][1])}

    assert told([*order, *again]) == told(list(range(len(HISTORY))))
