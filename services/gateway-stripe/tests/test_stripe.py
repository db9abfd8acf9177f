"""gateway-stripe against a Stripe in a box: keys, payments, one click, callbacks, refunds, unknown outcomes."""

import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
import requests
import stripe
from sqlalchemy import select, update
from stripe_shop import CLIENT, TEST_PUBLIC, TEST_SECRET, B, Shop

from common import clock
from common.errors import Unavailable
from common.events.billing import ClientUpdated
from common.events.gateways import (
    GatewayFeeKnown,
    GatewayPaymentFailed,
    GatewayPaymentPending,
    GatewayPaymentSucceeded,
    GatewayRefundFailed,
    GatewayRefundSucceeded,
    GatewayTestNoticed,
)
from common.events.payments import RefundRequested
from common.gateway import notices as kept
from common.gateway import operations, proof
from common.gateway.calls import Refused, Unknown
from common.gateway.models import Notice, Operation, Told
from common.ids import new_id
from common.jobs import JobRow
from common.testing import eventually
from gateway_stripe import commands
from gateway_stripe.models import Keys
from gateway_stripe.settings import StripeServiceSettings
from gateway_stripe.usecases import accounts, polling, reconcile


def _succeeded(intent_id: str, *, business: str = "b1", livemode: bool = False) -> bytes:
    thing = {
        "id": intent_id, "object": "payment_intent", "status": "succeeded", "amount": 4500, "amount_received": 4500,
        "currency": "usd", "metadata": {"remit_business": business, "remit_client": "c1"},
    }  # fmt: skip
    event = {"id": "evt_?", "object": "event", "type": "payment_intent.succeeded", "livemode": livemode}
    return json.dumps({**event, "data": {"object": thing}}).encode()


def _signed(body: bytes, late_seconds: int = 0, secret: str = "whsec_nobodys000000000000") -> str:
    at = int(time.time()) + late_seconds
    return str(stripe.WebhookSignature.generate_signature_header(body.decode(), secret, at))


def _own_secret(shop: Shop) -> str:
    with shop.gateway.runtime.database.read() as session:
        sealed = session.get_one(Keys, ("b1", "test")).webhook_secret
    assert sealed is not None
    return shop.gateway.runtime.sealer.open(sealed, accounts.place("b1", "test", "webhook_secret"))


def _secret_of_another(shop: Shop) -> str:
    """Of a webhook for another business on the same account."""
    made = shop.stripe.v1.webhook_endpoints.create(
        {"url": "https://remit.example/webhooks/stripe/b2", "enabled_events": ["payment_intent.succeeded"]}
    )
    assert made.secret
    return made.secret


def test_keys_are_sealed_registered_and_never_shown(shop: Shop) -> None:
    shown = shop.set_up()
    assert shown["test_webhook"] == {"state": "ready", "reason": None}
    assert (shown["test_secret_key"], shown["test_publishable_key"]) == ("…0000", TEST_PUBLIC)
    assert shown["live_secret_key"] is None
    (webhook,) = shop.stripe.v1.webhook_endpoints.list().data
    assert webhook.url.endswith("/webhooks/stripe/b1")
    with shop.gateway.runtime.database.read() as session:
        row = session.get_one(Keys, ("b1", "test"))
        assert TEST_SECRET not in str(vars(row))
        assert row.webhook_secret is not None
        assert "whsec_" not in row.webhook_secret
    shop.set_up()  # again: the former webhook is replaced, not doubled
    assert len(shop.stripe.v1.webhook_endpoints.list().data) == 1


def test_without_a_way_back_events_are_asked_for(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = shop.gateway.runtime.settings.model_copy(update={"callback_base_url": ""})
    monkeypatch.setattr(shop.gateway.runtime, "settings", settings)
    shown = shop.set_up()
    assert "asked for" in shown["test_webhook"]["reason"]
    for _ in range(3):
        shop.type_card(shop.begin().json)
    for _ in range(2):
        polling.poll(shop.gateway.runtime)
    assert len(shop.wait_for(GatewayPaymentSucceeded, 3)) == 3
    ids = [notice["event_id"] for notice in shop.call("GET", "/notices?limit=200").json["items"]]
    assert len(ids) == len(set(ids)) >= 3
    proved = shop.call("POST", "/stripe/test-transaction").json
    assert proved["ok"], proved
    assert "asked for" in proved["steps"][-1]["detail"]


@pytest.mark.parametrize(
    ("base", "sandbox", "reaches"),
    [
        ("https://pay.studio.example", "", True),
        ("http://pay.studio.example", "", False),
        ("https://localhost:8003", "", False),
        ("https://10.1.2.3", "", False),
        ("https://gateway.internal", "", False),
        ("", "", False),
        ("http://127.0.0.1:8003", "http://127.0.0.1:8009/stripe", True),
        ("", "http://127.0.0.1:8009/stripe", False),
    ],
)
def test_who_can_be_called_back(base: str, sandbox: str, reaches: bool) -> None:
    settings = StripeServiceSettings.model_construct(callback_base_url=base, stripe_api_base=sandbox)
    assert settings.callbacks_reach_us is reaches


def test_another_account_gets_a_customer_of_its_own(shop: Shop) -> None:
    shop.set_up()
    shop.save_card()
    shop.set_up(test_secret_key="sk_test_other000000000000000", test_publishable_key="pk_test_other000000000000000")
    assert shop.call("GET", "/clients/c1/payment-methods").json["items"] == []
    assert shop.begin(save_card=True).status_code == 201
    shop.set_up()  # and back: the card is still there
    assert len(shop.call("GET", "/clients/c1/payment-methods").json["items"]) == 1


def test_seals_are_rotated_and_the_keys_still_work(shop: Shop) -> None:
    shop.set_up()
    with shop.gateway.runtime.database.read() as session:
        before = session.get_one(Keys, ("b1", "test")).secret_key
    assert commands.COMMANDS["rotate-seals"](shop.gateway.runtime, ["--new-key"]) == 0
    with shop.gateway.runtime.database.read() as session:
        after = session.get_one(Keys, ("b1", "test")).secret_key
    assert before is not None
    assert after is not None
    assert before.split(".")[0] != after.split(".")[0]
    assert shop.begin().status_code == 201


def test_keys_that_do_not_open_any_more_are_entered_anew(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.set_up()
    assert shop.call("GET", "/stripe").json["keys_open"] is True
    shop.gateway.lose_seal_key()
    assert shop.call("GET", "/stripe").json["keys_open"] is False
    assert commands.COMMANDS["reconcile"](shop.gateway.runtime, []) == 2
    assert "Enter them anew" in capsys.readouterr().out
    refused = shop.begin()
    assert (refused.status_code, refused.json["code"]) == (409, "keys_do_not_open")
    shop.set_up()
    assert shop.call("GET", "/stripe").json["keys_open"] is True
    assert commands.COMMANDS["reconcile"](shop.gateway.runtime, []) == 0
    shop.type_card(shop.begin().json)
    shop.wait_for(GatewayPaymentSucceeded)  # by the new webhook; the former one's secret is still kept, and shut
    assert commands.COMMANDS["rotate-seals"](shop.gateway.runtime, ["--new-key"]) == 1
    assert "b1/test/webhook_secret" in capsys.readouterr().out
    assert shop.begin().status_code == 201


@pytest.mark.parametrize(
    ("field", "key"),
    [("test_secret_key", TEST_PUBLIC), ("live_secret_key", TEST_SECRET), ("test_secret_key", "sk_org_x" + "a" * 20)],
)
def test_a_key_in_the_wrong_field_changes_nothing(shop: Shop, field: str, key: str) -> None:
    refused = shop.call("PUT", "/stripe", {"mode": "test", field: key})
    assert (refused.status_code, refused.json["code"]) == (422, "key_wrong")
    assert [error["field"] for error in refused.json["errors"]] == [field]
    assert key not in refused.text
    assert shop.call("GET", "/stripe").json["test_secret_key"] is None
    assert shop.begin().json["code"] == "stripe_not_set_up"


def test_a_client_pays_on_the_page(shop: Shop) -> None:
    shop.set_up()
    begun = shop.begin(actor=CLIENT, invoice_number="INV-000012")
    assert begun.status_code == 201
    assert set(begun.json) == {"payment_intent_id", "client_secret", "publishable_key", "stripe_js_url"}
    assert shop.type_card(begun.json)["status"] == "succeeded"
    (event,) = shop.wait_for(GatewayPaymentSucceeded)
    assert (event.amount_minor, event.currency, event.client_id, event.source) == (4500, "USD", "c1", "client")
    assert (event.invoice_number, event.recorded_by.id) == ("INV-000012", "c1")
    (fee,) = shop.wait_for(GatewayFeeKnown)
    assert fee.fee_minor == 161
    synced = shop.call("POST", f"/stripe/payment-intents/{begun.json['payment_intent_id']}/sync").json
    assert synced == {"status": "succeeded", "payment_recorded": True}
    states = {notice["status"] for notice in shop.call("GET", "/notices").json["items"]}
    assert states <= {"done", "ignored", "received"}
    assert len(shop.told(GatewayPaymentSucceeded)) == 1


def test_who_may_not_pay(shop: Shop) -> None:
    shop.set_up(allow_client_initiated_payments=False)
    assert shop.begin(actor=CLIENT).json["code"] == "client_payments_not_allowed"
    assert shop.begin().status_code == 201  # staff may
    assert shop.begin(client_id="gone").json["code"] == "client_inactive"
    other = {"type": "client", "id": "c2", "name": "Eve"}
    assert shop.begin(actor=other).status_code == 404
    for body, code in (({"amount_minor": 49}, "amount_too_small"), ({"currency": "EUR"}, "currency_mismatch")):
        refused = shop.begin(**body)
        assert (refused.status_code, refused.json["code"]) == (422, code)
    assert shop.captured() == []


def test_the_same_request_begins_one_payment(shop: Shop) -> None:
    shop.set_up()
    first, again = shop.begin(key="k1"), shop.begin(key="k1")
    assert first.json == again.json
    assert again.headers["Idempotent-Replayed"] == "true"
    assert shop.begin(4600, key="k1").json["code"] == "idempotency_key_reused"
    assert len(shop.stripe.v1.payment_intents.list().data) == 1


def test_a_declined_card_on_the_page_is_told_and_may_be_followed_by_another(shop: Shop) -> None:
    shop.set_up()
    begun = shop.begin().json
    assert "error" in shop.type_card(begun, "4000000000009995")
    (failed,) = shop.wait_for(GatewayPaymentFailed)
    assert failed.code == "insufficient_funds"
    assert shop.type_card(begun)["status"] == "succeeded"
    shop.wait_for(GatewayPaymentSucceeded)


def test_one_click_charges_the_saved_card_once(shop: Shop) -> None:
    shop.set_up()
    card_id = shop.save_card()
    shop.wait_for(GatewayPaymentSucceeded)
    body = {"client_id": "c1", "amount_minor": 2500, "payment_method_id": card_id}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: shop.call("POST", "/stripe/charges", body, key="click").json, range(8)))
    assert {answer["status"] for answer in answers} == {"succeeded"}
    events = shop.wait_for(GatewayPaymentSucceeded, 2)
    assert [event.source for event in events] == ["pay_assist", "saved_card"]
    assert len(shop.captured()) == 2
    assert shop.call("DELETE", f"/clients/c1/payment-methods/{card_id}").status_code == 200
    assert shop.call("GET", "/clients/c1/payment-methods").json["items"] == []
    assert shop.call("POST", "/stripe/charges", body).json["code"] == "card_not_found"


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [
        ("pm_card_chargeCustomerFail", "declined", "generic_decline"),
        ("pm_card_authenticationRequired", "authentication_required", "authentication_required"),
    ],
)
def test_a_decline_of_one_click_is_an_answer(shop: Shop, token: str, status: str, code: str) -> None:
    shop.set_up()
    begun = shop.call("POST", "/stripe/setup-intents", {"client_id": "c1"}).json
    shop.stripe.v1.setup_intents.update(begun["setup_intent_id"], {"payment_method": token})
    customer = shop.stripe.v1.customers.list().data[0].id
    shop.stripe.v1.payment_methods.attach(token, {"customer": customer})
    answer = shop.call("POST", "/stripe/charges", {"client_id": "c1", "amount_minor": 2500})
    assert (answer.status_code, answer.json["status"], answer.json["decline_code"]) == (201, status, code)
    shop.wait_for(GatewayPaymentFailed)
    assert shop.told(GatewayPaymentSucceeded) == []


@pytest.mark.parametrize("fault", ["charge_then_hang", "charge_then_500", "charge_then_409", "charge_then_reset"])
def test_an_unknown_outcome_ends_as_one_payment(shop: Shop, fault: str) -> None:
    shop.set_up()
    shop.save_card()
    shop.wait_for(GatewayPaymentSucceeded)
    shop.faults(fail_next=3, fail_with=fault, fail_at="payment_intents", seconds=6, drop_next="all")
    body = {"client_id": "c1", "amount_minor": 2500}
    answer = shop.call("POST", "/stripe/charges", body, key="hung")
    assert (answer.status_code, answer.json["status"]) in {(201, "unknown"), (201, "succeeded")}
    shop.faults()
    again = shop.call("POST", "/stripe/charges", body, key="hung").json
    assert again["status"] == "succeeded"
    reconcile.find_unknown(shop.gateway.runtime)
    shop.wait_for(GatewayPaymentSucceeded, 2)
    assert len([charge for charge in shop.captured() if charge["amount"] == 2500]) == 1
    assert len([event for event in shop.told(GatewayPaymentSucceeded) if event.amount_minor == 2500]) == 1


def test_two_repeats_of_one_in_doubt_are_one_charge(shop: Shop) -> None:
    """Stripe was away, and has nothing; then two pages ask again at once."""
    looked, keys = Barrier(2), []

    def ask(act: Callable[[Operation], dict[str, Any]]) -> tuple[dict[str, Any], bool]:
        def look_for(_operation: Operation) -> None:
            looked.wait(10)

        return operations.run(
            "Stripe", shop.gateway.runtime.database, "b1", "charge", "staff", "one", {"amount_minor": 1}, "test", act,
            look_for, lambda _session, _operation, outcome: outcome,
        )  # fmt: skip

    def away(_operation: Operation) -> dict[str, Any]:
        raise Unknown

    def charge(operation: Operation) -> dict[str, Any]:
        keys.append(operations.idempotency_key(operation, "charge"))
        return {"id": "pi_1"}

    with pytest.raises(Unavailable):
        ask(away)
    with shop.gateway.runtime.database.write() as session:
        session.execute(update(Operation).values(started_at=clock.now() - 2 * operations.SETTLED))
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: ask(charge), range(2)))
    assert [answer for answer, _ in answers] == [{"id": "pi_1"}] * 2
    assert len(set(keys)) == 1, keys


def test_what_became_of_one_business_s_is_found_whatever_stops_another(shop: Shop) -> None:
    """Keys were withdrawn with hundreds of outcomes unknown, which are the oldest; another business has one."""
    long_ago = clock.now() - timedelta(hours=1)

    def unknown(business_id: str, number: int, started_at: datetime) -> Operation:
        return Operation(
            business_id=business_id, operation_id=f"op_{number}", kind="charge", caller="staff", mode="test",
            request_key=f"key-{number}", request="{}", state="unknown", attempt=1, started_at=started_at,
        )  # fmt: skip

    with shop.gateway.runtime.database.write() as session:
        session.add_all(unknown("b_withdrawn", number, long_ago) for number in range(300))
        session.add(unknown("b_other", 1, clock.now() - timedelta(minutes=2)))
    asked: list[tuple[str, datetime]] = []

    def reconcile(_runtime: Any, business_id: str, since: datetime) -> None:
        asked.append((business_id, since))
        if business_id == "b_withdrawn":
            raise Refused("invalid_api_key", "This key was withdrawn.")

    operations.find_unknown(shop.gateway.runtime, reconcile)

    assert [business_id for business_id, _ in asked] == ["b_withdrawn", "b_other"]
    assert asked[0][1] == long_ago
    with shop.gateway.runtime.database.read() as session:
        states = Counter(tuple(row) for row in session.execute(select(Operation.business_id, Operation.state)))
    assert states == {("b_withdrawn", "unknown"): 300, ("b_other", "resolved"): 1}


def test_a_repeat_goes_on_whatever_has_become_of_the_client(shop: Shop) -> None:
    shop.set_up()
    shop.save_card()
    shop.wait_for(GatewayPaymentSucceeded)
    shop.faults(fail_next=3, fail_with="charge_then_500", fail_at="payment_intents", drop_next="all")
    body = {"client_id": "c1", "amount_minor": 2500}
    assert shop.call("POST", "/stripe/charges", body, key="hung").json["status"] == "unknown"
    shop.faults()
    shop.gateway.take(ClientUpdated(business_id="b1", client_id="c1", name="Ada", status="inactive", sequence=2))
    assert shop.call("POST", "/stripe/charges", body, key="hung").json["status"] == "succeeded"
    assert shop.call("POST", "/stripe/charges", body, key="new").json["code"] == "client_inactive"


def test_lost_callbacks_are_healed_by_one_reconcile(shop: Shop) -> None:
    shop.set_up()
    shop.faults(drop_next="all")
    for _ in range(12):
        assert shop.type_card(shop.begin().json)["status"] == "succeeded"
    eventually(lambda: all(charge["balance_transaction"] for charge in shop.captured()), "every fee to be known")
    assert shop.told(GatewayPaymentSucceeded) == []
    report = shop.call("POST", "/reconcile", {"since_hours": 2}).json
    assert (report["compared"], len(report["healed"]), report["drift"]) == (12, 12, [])
    assert len(shop.told(GatewayPaymentSucceeded)) == 12
    assert shop.call("POST", "/reconcile", {"since_hours": 2}).json["healed"] == []


def test_what_stripe_shows_otherwise_than_it_was_told_is_drift(shop: Shop) -> None:
    shop.set_up()
    begun = shop.begin().json
    shop.type_card(begun)
    (fee,) = shop.wait_for(GatewayFeeKnown)
    intent_id = begun["payment_intent_id"]
    with shop.gateway.runtime.database.write() as session:
        session.execute(update(Told).where(Told.fact == f"fee:{intent_id}").values(amount_minor=1))
        session.execute(update(Told).where(Told.fact == f"succeeded:{intent_id}").values(amount_minor=2))
    there = shop.stripe.v1.payment_intents.retrieve(intent_id).amount
    report = shop.call("POST", "/reconcile", {"since_hours": 2}).json
    assert report["healed"] == []
    assert sorted((row["kind"], row["here"], row["there"]) for row in report["drift"]) == [
        ("amount", 2, there),
        ("fee", 1, fee.fee_minor),
    ]


def test_a_bank_debit_is_provisional_until_it_is_certain(shop: Shop) -> None:
    shop.set_up()
    begun = shop.begin().json
    shop.stripe.v1.payment_intents.confirm(
        begun["payment_intent_id"],
        {"payment_method": "pm_usBankAccount_success", "return_url": "https://portal.example/"},
    )
    shop.wait_for(GatewayPaymentPending)
    assert shop.told(GatewayPaymentSucceeded) == []


def refund_of(paid: GatewayPaymentSucceeded) -> RefundRequested:
    """payments asks for 15.00 of it back."""
    return RefundRequested(
        business_id="b1", refund_id="r1", payment_id="p1", client_id="c1", gateway="stripe",
        gateway_account=paid.gateway_account, gateway_payment_id=paid.gateway_payment_id, amount_minor=1500,
        currency="USD", reason="came late",
    )  # fmt: skip


def test_a_refund_that_payments_asked_for_is_made_once(shop: Shop) -> None:
    shop.set_up()
    begun = shop.begin().json
    shop.type_card(begun)
    (paid,) = shop.wait_for(GatewayPaymentSucceeded)
    asked = refund_of(paid)
    shop.gateway.take(asked)
    shop.gateway.runtime.wake_jobs.set()
    (done,) = shop.wait_for(GatewayRefundSucceeded)
    assert (done.refund_id, done.amount_minor) == ("r1", 1500)
    shop.gateway.take(asked.model_copy(update={"event_id": "too-much", "refund_id": "r2", "amount_minor": 9000}))
    shop.gateway.runtime.wake_jobs.set()
    (failed,) = shop.wait_for(GatewayRefundFailed)
    assert failed.refund_id == "r2"
    assert sum(refund.amount for refund in shop.stripe.v1.refunds.list().data) == 1500


def test_a_refund_that_stripe_answered_with_an_error_is_looked_for(shop: Shop) -> None:
    shop.set_up()
    shop.type_card(shop.begin().json)
    (paid,) = shop.wait_for(GatewayPaymentSucceeded)
    shop.faults(fail_next=1, fail_with="charge_then_500", fail_at="refunds", drop_next="all")
    shop.gateway.take(refund_of(paid))
    shop.gateway.runtime.wake_jobs.set()

    def is_told_once_tried_again() -> Any:
        with shop.gateway.runtime.database.write() as session:
            session.execute(update(JobRow).where(JobRow.state == "due").values(next_at=clock.now()))
        shop.gateway.runtime.wake_jobs.set()
        return shop.told(GatewayRefundSucceeded)

    (done,) = eventually(is_told_once_tried_again, "the refund")
    assert done.refund_id == "r1"
    assert sum(refund.amount for refund in shop.stripe.v1.refunds.list().data) == 1500


def test_many_copies_of_one_callback_are_one_fact(shop: Shop) -> None:
    shop.set_up()
    shop.faults(duplicate=30)
    shop.type_card(shop.begin().json)
    shop.wait_for(GatewayPaymentSucceeded)
    time.sleep(1)
    assert len(shop.told(GatewayPaymentSucceeded)) == 1
    events = [notice["event_id"] for notice in shop.call("GET", "/notices?limit=200").json["items"]]
    assert len(events) == len(set(events))


def test_fifteen_forgeries_record_nothing_and_each_says_why(shop: Shop) -> None:
    shop.set_up()
    intent_id = shop.begin().json["payment_intent_id"]
    paid = _succeeded(intent_id)
    other_business = _succeeded(intent_id, business="b2")
    forged: list[tuple[bytes, str | None, str, int]] = [
        (paid, "", "missing", 400),
        (paid, "nonsense", "garbled", 400),
        (paid, f"t={int(time.time())},v1=00", "signature", 400),
        (paid, _signed(paid, secret="whsec_stranger0000000000"), "signature", 400),
        (paid, _signed(paid, secret=_secret_of_another(shop)), "signature", 400),
        (paid, _signed(paid, -400), "tolerance", 400),
        (paid, _signed(paid, 400), "future", 400),
        (paid.replace(b"4500", b"450000"), _signed(paid), "signature", 400),
        (paid.replace(b'"usd"', b'"kwd"'), _signed(paid), "signature", 400),
        (b"\xff\xfe", f"t={int(time.time())},v1=00", "UTF-8", 400),
        (b"[]", None, "no event", 400),
        (b"null", None, "no event", 400),
        (b"{", None, "not JSON", 400),
        (b"x" * 1_000_000, None, "larger", 413),
        (_succeeded(intent_id, livemode=True), None, "does not take that", 200),
        (other_business, None, "nothing to tell", 200),  # it is this business's, whatever the notice says
        (_succeeded("pi_of_nobody"), None, "refused", 200),
        (paid, None, "nothing to tell", 200),  # signed well, and Stripe says that nothing was paid
    ]
    url = shop.gateway.runtime.settings.callback_base_url + "/webhooks/stripe/b1"  # type: ignore[attr-defined]
    secret = _own_secret(shop)
    for template, wrong, words, status in forged:
        # Signed well where nothing else is said: then each is an event of its own.
        body = template.replace(b"evt_?", f"evt_{new_id()}".encode()) if wrong is None else template
        header = _signed(body, secret=secret) if wrong is None else wrong
        answer = requests.post(url, data=body, headers={"Stripe-Signature": header}, timeout=10)
        assert answer.status_code == status, (body[:80], words, answer.text)

        def said(words: str = words) -> Any:
            items = shop.call("GET", "/notices?limit=200").json["items"]
            newest = items[0]
            return newest["status"] in ("refused", "ignored", "done") and words in (newest["reason"] or "")

        eventually(said, f"a notice that says {words}")
    assert shop.told(GatewayPaymentSucceeded) == []
    refused = [item for item in shop.call("GET", "/notices?limit=200").json["items"] if item["mode"] == "none"]
    assert len(refused) == 14
    assert shop.call("GET", f"/notices/{refused[0]['id']}").json["body"] == ""
    assert shop.call("POST", f"/notices/{refused[0]['id']}/replay").status_code == 409


def test_what_is_not_taken_does_not_fill_the_store(shop: Shop) -> None:
    shop.set_up()
    base = shop.gateway.runtime.settings.callback_base_url  # type: ignore[attr-defined]
    for number in range(kept.NOT_TAKEN_AN_HOUR + 5):
        for business_id in ("b1", "b-unheard-of"):
            url = f"{base}/webhooks/stripe/{business_id}"
            assert requests.post(url, data=f"{{{number}", timeout=10).status_code == 400
    with shop.gateway.runtime.database.read() as session:
        seen = session.scalars(select(Notice.business_id).where(Notice.mode == kept.NOT_TAKEN)).all()
    assert seen == ["b1"] * kept.NOT_TAKEN_AN_HOUR


def test_another_business_on_the_same_account_takes_only_its_own(shop: Shop) -> None:
    shop.set_up()
    intent = shop.stripe.v1.payment_intents.create(
        {"amount": 900, "currency": "usd", "metadata": {"remit_business": "b2"}, "payment_method": "pm_card_visa",
         "confirm": True, "return_url": "https://portal.example/"}
    )  # fmt: skip

    def seen() -> Any:
        items = shop.call("GET", "/notices?limit=200").json["items"]
        return [item for item in items if item["type"] == "payment_intent.succeeded" and item["status"] == "ignored"]

    assert "not this business's" in eventually(seen, "the notice")[0]["reason"]
    assert shop.told(GatewayPaymentSucceeded) == []
    assert shop.call("POST", "/reconcile", {"since_hours": 2}).json["compared"] == 0
    assert intent.status == "succeeded"


def test_send_test_is_green_and_moves_nothing(shop: Shop) -> None:
    shop.set_up()
    answer = shop.call("POST", "/stripe/test-transaction").json
    assert answer["ok"], answer
    assert [step["ok"] for step in answer["steps"]] == [True] * 5
    assert shop.told(GatewayPaymentSucceeded) == []
    assert len(shop.told(GatewayTestNoticed)) == 1


@pytest.mark.parametrize(
    ("keys", "red", "words"),
    [
        ({"test_secret_key": None}, 0, "secret key"),
        ({"test_publishable_key": "pk_test_other0000000000000000"}, 2, "different accounts"),
    ],
)
def test_send_test_says_what_to_do_about_wrong_keys(shop: Shop, keys: dict[str, Any], red: int, words: str) -> None:
    body = {"mode": "test", "test_publishable_key": TEST_PUBLIC, "test_secret_key": TEST_SECRET, **keys}
    assert shop.call("PUT", "/stripe", body).status_code == 200
    answer = shop.call("POST", "/stripe/test-transaction").json
    assert (answer["ok"], [step["ok"] for step in answer["steps"]]) == (False, [True] * red + [False])
    assert words in answer["steps"][red]["fix"]
    assert answer["steps"][red]["contact"]


def test_keys_saved_again_and_again_keep_a_way_back(shop: Shop) -> None:
    for _ in range(4):
        shop.save()
        assert shop.call("POST", "/stripe/test-transaction").json["ok"]  # at once: it waits for the webhook
        (webhook,) = shop.stripe.v1.webhook_endpoints.list().data
        assert webhook.status == "enabled"


def test_send_test_tells_a_withdrawn_key(shop: Shop) -> None:
    shop.set_up()
    shop.control("keys", {"expire": TEST_SECRET})
    answer = shop.call("POST", "/stripe/test-transaction").json
    assert [step["ok"] for step in answer["steps"]] == [True, False]
    assert "Copy the secret key again" in answer["steps"][1]["fix"]


def test_send_test_without_a_way_back_is_red_at_the_end(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.set_up()
    shop.faults(drop_next="all")
    monkeypatch.setattr(proof, "WAIT_SECONDS", 1.0)
    answer = shop.call("POST", "/stripe/test-transaction").json
    assert [step["ok"] for step in answer["steps"]] == [True] * 4 + [False]
    assert "CALLBACK_BASE_URL" in answer["steps"][4]["fix"]


def typed(shop: Shop, number: str = "4242424242424242") -> str:
    """What Stripe.js makes of a card in its field, when it is not to confirm by itself."""
    card = {"number": number, "exp_month": "12", "exp_year": "2040", "cvc": "123"}
    answer = requests.post(
        f"{shop.sandbox_url}/stripe/v1/payment_methods", timeout=20, headers={"Authorization": f"Bearer {TEST_PUBLIC}"},
        data={"type": "card", **{f"card[{name}]": value for name, value in card.items()}},
    )  # fmt: skip
    return str(answer.json()["id"])


def order(shop: Shop, card: str, **more: Any) -> Any:
    key = more.pop("key", None)
    body = {"client_id": "c1", "amount_minor": 4500, "payment_method_id": card, **more}
    return shop.call("POST", "/stripe/mail-and-telephone-orders", body, key=key)


def test_a_telephone_order_is_marked_and_asks_nobody(shop: Shop) -> None:
    shop.set_up(mail_and_telephone_orders=True)
    answer = order(shop, typed(shop, "4000002760003184"), invoice_number="INV-000012", save_card=True, key="one")
    assert (answer.status_code, answer.json["status"]) == (201, "succeeded")
    (event,) = shop.wait_for(GatewayPaymentSucceeded)
    assert (event.amount_minor, event.source, event.invoice_number) == (4500, "pay_assist", "INV-000012")
    assert (event.recorded_by.type, event.recorded_by.name) == ("staff", "Sam Staff")
    intent = shop.stripe.v1.payment_intents.retrieve(answer.json["payment_intent_id"])
    assert intent.payment_method_options is not None
    assert intent.payment_method_options.card is not None
    assert intent.payment_method_options.card["moto"] is True
    assert len(shop.call("GET", "/clients/c1/payment-methods").json["items"]) == 1
    assert len(shop.captured()) == 1


def test_a_telephone_order_that_is_repeated_charges_once(shop: Shop) -> None:
    shop.set_up(mail_and_telephone_orders=True)
    card = typed(shop)
    shop.faults(fail_next="all", fail_with="charge_then_hang", fail_at="payment_intents", seconds=3)
    assert order(shop, card, key="one").json["status"] == "unknown"
    shop.faults()
    again = order(shop, card, key="one")
    assert again.json["status"] == "succeeded"
    assert len(shop.captured()) == 1
    assert len(shop.wait_for(GatewayPaymentSucceeded)) == 1


def test_a_telephone_order_that_is_declined_is_an_answer(shop: Shop) -> None:
    shop.set_up(mail_and_telephone_orders=True)
    answer = order(shop, typed(shop, "4000000000009995"))
    assert (answer.status_code, answer.json["status"]) == (201, "declined")
    assert answer.json["decline_code"] == "insufficient_funds"
    assert order(shop, typed(shop)).json["status"] == "succeeded"


def test_telephone_orders_where_they_are_not_taken(shop: Shop) -> None:
    shop.set_up()
    refused = order(shop, "pm_card_visa")
    assert (refused.status_code, refused.json["code"]) == (403, "moto_not_enabled")
    shop.set_up(
        test_secret_key="sk_test_nomoto00000000000", test_publishable_key="pk_test_nomoto00000000000",
        mail_and_telephone_orders=True,
    )  # fmt: skip
    refused = order(shop, "pm_card_visa")
    assert (refused.status_code, refused.json["code"]) == (409, "moto_not_allowed")
    assert "turn them off" in refused.json["detail"]
    client = shop.gateway.token("gateway:charge", actor=CLIENT)
    body = {"client_id": "c1", "amount_minor": 4500, "payment_method_id": "pm_card_visa"}
    asked = shop.call("POST", "/stripe/mail-and-telephone-orders", body, token=client)
    assert asked.status_code == 404
    assert shop.captured() == []


def test_settings_that_are_left_out_stay(shop: Shop) -> None:
    shop.set_up(mail_and_telephone_orders=True)
    assert shop.call("PUT", "/stripe", {"mode": "test"}).status_code == 200
    shown = shop.call("GET", "/stripe").json
    assert (shown["allow_client_initiated_payments"], shown["mail_and_telephone_orders"]) == (True, True)
    assert shop.call("PUT", "/stripe", {"mode": "test", "mail_and_telephone_orders": False}).status_code == 200
    assert shop.call("GET", "/stripe").json["mail_and_telephone_orders"] is False


def test_a_notice_is_shown_without_secrets_and_translated_again(shop: Shop) -> None:
    shop.set_up()
    begun = shop.begin().json
    shop.type_card(begun)
    shop.wait_for(GatewayPaymentSucceeded)
    items = shop.call("GET", "/notices?limit=200").json["items"]
    notice = next(item for item in items if item["type"] == "payment_intent.succeeded")
    shown = shop.call("GET", f"/notices/{notice['id']}")
    assert begun["client_secret"] not in shown.text
    seen = shop.call("POST", f"/notices/{notice['id']}/replay?preview=true").json
    assert seen["status"] == "done"
    assert {"event": "GatewayPaymentSucceeded", "already_told": True} in seen["events"]
    assert shop.call("POST", f"/notices/{notice['id']}/replay").status_code == 202
    eventually(lambda: shop.call("GET", f"/notices/{notice['id']}").json["status"] == "done", "the replay")
    assert len(shop.told(GatewayPaymentSucceeded)) == 1
    assert shop.call("GET", f"{B}/x").status_code == 404
