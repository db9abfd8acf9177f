"""gateway-paypal against a PayPal in a box: settings, both checkouts, callbacks, refunds, reconciling, forgeries."""

import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
import requests
from paypal_shop import CLIENT, EMAIL, KEYS, Shop, query_of
from sqlalchemy import select, update

from common import clock
from common.events.gateways import (
    GatewayDisputeClosed,
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
from common.events.payments import RefundRequested
from common.gateway import facts
from common.gateway.models import Notice
from common.jobs import Call, JobRow
from common.testing import eventually
from gateway_paypal import commands
from gateway_paypal.domain import translate
from gateway_paypal.models import Account, Checkout
from gateway_paypal.usecases import reconcile, refunds

# --- settings and the test ---


def test_settings_are_sealed_and_shown_without_the_secret(shop: Shop) -> None:
    shown = shop.set_up(checkout="orders", **KEYS)
    assert (shown["mode"], shown["checkout"], shown["is_ready"]) == ("sandbox", "orders", True)
    assert shown["client_secret"] == "…1234"
    assert shown["webhook"] == {"state": "ready", "reason": None}
    assert shown["checkout_notice"] is None
    with shop.gateway.runtime.database.read() as session:
        assert KEYS["client_secret"] not in str(vars(session.get_one(Account, "b1")))
    shop.set_up(client_secret="another-secret-9999")  # again: the webhook is replaced, the rest stays
    assert shop.call("GET", "/paypal").json["client_secret"] == "…9999"


def test_a_secret_that_does_not_open_any_more_is_entered_anew(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.set_up(checkout="orders", **KEYS)
    shop.gateway.lose_seal_key()
    shown = shop.call("GET", "/paypal").json
    assert (shown["keys_open"], shown["is_ready"]) == (False, False)
    assert commands.COMMANDS["reconcile"](shop.gateway.runtime, []) == 2
    assert "Enter them anew" in capsys.readouterr().out
    refused = shop.begin()
    assert (refused.status_code, refused.json["code"]) == (409, "keys_do_not_open")
    reconcile.capture_approved(shop.gateway.runtime)
    shown = shop.set_up(checkout="orders", **KEYS)
    assert (shown["keys_open"], shown["is_ready"]) == (True, True)
    assert commands.COMMANDS["reconcile"](shop.gateway.runtime, []) == 0
    assert shop.begin().status_code == 201


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"checkout": "orders"}, "client_id"),
        ({"checkout": "orders", "client_id": "x"}, "client_secret"),
        ({"merchant_id": "short"}, "merchant_id"),
        ({"business_email": "nobody"}, "business_email"),
        ({"client_id": "with blank"}, "client_id"),
    ],
)
def test_wrong_settings_change_nothing(shop: Shop, settings: dict[str, Any], field: str) -> None:
    refused = shop.save(**settings)
    assert refused.status_code == 422
    assert field in [error["field"] for error in refused.json["errors"]]
    assert shop.call("GET", "/paypal").json["business_email"] is None
    assert shop.begin().json["code"] == "paypal_not_set_up"


def test_the_standard_checkout_says_that_it_is_retiring(shop: Shop) -> None:
    assert "retiring" in shop.set_up()["checkout_notice"]
    steps = shop.call("GET", "/paypal/ipn-instructions").json
    assert steps["notify_url"].endswith("/ipn/paypal/b1")
    assert steps["reachable"] is True
    assert any("Invoice" in step["text"] for step in steps["steps"])


@pytest.mark.parametrize("checkout", ["standard", "orders"])
def test_the_test_notification_is_green(shop: Shop, checkout: str) -> None:
    shop.set_up(checkout=checkout, **(KEYS if checkout == "orders" else {}))
    answer = shop.call("POST", "/paypal/test-notification").json
    assert answer["ok"], answer
    assert len(answer["steps"]) == (5 if checkout == "orders" else 4)
    assert len(shop.told(GatewayTestNoticed)) == 1
    assert shop.told(GatewayPaymentSucceeded) == []


def test_the_test_notification_says_what_to_do(shop: Shop) -> None:
    nothing = shop.call("POST", "/paypal/test-notification").json
    assert [step["ok"] for step in nothing["steps"]] == [False]
    shop.save(checkout="orders", client_id="refused-one", client_secret="x")
    wrong = shop.call("POST", "/paypal/test-notification").json
    assert [step["ok"] for step in wrong["steps"]] == [True, False]
    assert "client id and secret" in wrong["steps"][1]["fix"]
    shop.set_up()
    shop.save(checkout="standard", client_id="studio", client_secret="right")
    shop.faults(verifier="away")
    away = shop.call("POST", "/paypal/test-notification").json
    assert [step["ok"] for step in away["steps"]] == [True, True, False]
    assert away["steps"][2]["contact"]


# --- paying ---


def test_a_payer_pays_by_the_form(shop: Shop) -> None:
    shop.set_up()
    begun = shop.begin(actor=CLIENT, invoice_number="INV-000012").json
    assert begun["method"] == "POST"
    assert begun["fields"]["amount"] == "45.00"
    assert len(begun["fields"]["custom"]) <= 255
    assert shop.status(begun["checkout_id"]) == "waiting"
    assert shop.approve(begun).startswith("http://127.0.0.1:1/back")
    (event,) = shop.wait_for(GatewayPaymentSucceeded)
    assert (event.amount_minor, event.currency, event.client_id, event.method) == (4500, "USD", "c1", "paypal")
    assert (event.invoice_number, event.recorded_by.id, event.source) == ("INV-000012", "c1", "paypal")
    assert [fee.fee_minor for fee in shop.wait_for(GatewayFeeKnown)] == [161]
    assert shop.status(begun["checkout_id"]) == "paid"
    shown = shop.call("GET", f"/paypal/checkouts/{begun['checkout_id']}").json
    assert shown["gateway_payment_id"] == event.gateway_payment_id
    assert {notice["status"] for notice in shop.settled()} == {"done"}


def test_a_payer_pays_an_order(shop: Shop) -> None:
    shop.set_up(checkout="orders", **KEYS)
    begun = shop.begin(invoice_number="INV-000012", key="one").json
    assert (begun["method"], begun["fields"]) == ("GET", {})
    again = shop.begin(invoice_number="INV-000012", key="one")
    assert (again.json, again.headers["Idempotent-Replayed"]) == (begun, "true")
    path = f"/paypal/checkouts/{begun['checkout_id']}"
    early = shop.call("POST", f"{path}/capture")
    assert (early.status_code, early.json["code"]) == (409, "order_not_approved")
    back = query_of(shop.approve(begun))
    assert back["token"]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: shop.call("POST", f"{path}/capture").json, range(4)))
    assert {answer["status"] for answer in answers} == {"paid"}
    (event,) = shop.wait_for(GatewayPaymentSucceeded)
    assert (event.amount_minor, event.client_id, event.invoice_number) == (4500, "c1", "INV-000012")
    eventually(lambda: len(shop.settled()) >= 2, "its webhooks")
    assert {notice["status"] for notice in shop.settled()} <= {"done", "ignored"}
    assert len(shop.told(GatewayPaymentSucceeded)) == 1


def test_an_order_that_is_declined_can_be_paid_otherwise(shop: Shop) -> None:
    shop.set_up(checkout="orders", **KEYS)
    begun = shop.begin().json
    shop.approve(begun, pay_with="declined")
    answer = shop.call("POST", f"/paypal/checkouts/{begun['checkout_id']}/capture")
    assert (answer.status_code, answer.json["status"]) == (200, "declined")
    # Whoever was told so may pay otherwise: from here on only the payer's coming back takes it.
    assert shop.status(begun["checkout_id"]) == "failed"
    shop.faults(drop_next="all")
    shop.approve(begun)
    age(shop, begun)
    reconcile.capture_approved(shop.gateway.runtime)
    assert shop.told(GatewayPaymentSucceeded) == []
    assert shop.call("POST", f"/paypal/checkouts/{begun['checkout_id']}/capture").json["status"] == "paid"
    assert len(shop.wait_for(GatewayPaymentSucceeded)) == 1


@pytest.mark.parametrize("kind", ["act_then_hang", "act_then_500", "act_then_reset"])
def test_a_capture_that_paypal_does_not_answer_is_one(shop: Shop, kind: str) -> None:
    shop.set_up(checkout="orders", **KEYS)
    begun = shop.begin().json
    shop.approve(begun)
    shop.faults(fail_next=50, fail_with=kind, fail_at="capture", seconds=3)
    answer = shop.call("POST", f"/paypal/checkouts/{begun['checkout_id']}/capture")
    assert answer.json["status"] == "paid", answer.text
    shop.faults()
    assert len(shop.wait_for(GatewayPaymentSucceeded)) == 1
    captured = [row for row in shop.control("transactions", method="GET")["data"] if row["kind"] == "capture"]
    assert len(captured) == 1


def test_a_closed_page_loses_nothing(shop: Shop) -> None:
    """The payer approves and never comes back: the webhook captures."""
    shop.set_up(checkout="orders", **KEYS)
    begun = shop.begin().json
    shop.approve(begun)
    (event,) = shop.wait_for(GatewayPaymentSucceeded)
    assert event.client_id == "c1"
    eventually(lambda: shop.status(begun["checkout_id"]) == "paid", "the checkout to be paid")


def test_a_cancelled_checkout_is_nothing(shop: Shop) -> None:
    shop.set_up()
    begun = shop.begin().json
    assert shop.approve(begun, action="cancel").startswith("http://127.0.0.1:1/back")
    assert shop.status(begun["checkout_id"]) == "waiting"
    assert shop.notices() == []


def test_who_may_not_pay(shop: Shop) -> None:
    shop.set_up(allow_client_initiated_payments=False)
    assert shop.begin(actor=CLIENT).json["code"] == "client_payments_not_allowed"
    assert shop.begin().status_code == 201  # staff may
    assert shop.begin(client_id="gone").json["code"] == "client_inactive"
    assert shop.begin(currency="EUR").json["code"] == "currency_mismatch"
    assert shop.begin(return_url="javascript:alert(1)").status_code == 422
    other = shop.gateway.token("gateway:charge", actor={"type": "client", "id": "c2", "name": "Eve"})
    begun = shop.begin().json
    for method, path in (("GET", ""), ("POST", "/capture")):
        found = shop.call(method, f"/paypal/checkouts/{begun['checkout_id']}{path}", token=other)
        assert found.status_code == 404


# --- what IPN means ---


def pay(shop: Shop, **more: Any) -> str:
    """A payment at the Virtual Terminal."""
    body = {"business": EMAIL, "amount": "45.00", "currency": "USD", "invoice": "INV-000012", **more}
    return str(shop.control("payments", body)["txn_id"])


def test_the_virtual_terminals_payment_names_its_invoice_as_typed(shop: Shop) -> None:
    shop.set_up()
    txn_id = pay(shop, invoice=" inv 12 ", payer_email="ADA@example.com")
    (event,) = shop.wait_for(GatewayPaymentSucceeded)
    assert (event.client_id, event.invoice_number, event.source) == (None, " inv 12 ", "virtual_terminal")
    assert event.gateway_payment_id == txn_id
    assert event.payer_client_ids == ["c1"]
    assert event.payer_id


@pytest.mark.parametrize(("end", "kind"), [("clear", GatewayPaymentSucceeded), ("bounce", GatewayPaymentFailed)])
def test_an_echeck_is_provisional_until_it_clears(shop: Shop, end: str, kind: Any) -> None:
    shop.set_up()
    begun = shop.begin().json
    shop.approve(begun, pay_with="echeck")
    (pending,) = shop.wait_for(GatewayPaymentPending)
    assert pending.reason == "echeck"
    assert shop.told(GatewayPaymentSucceeded) == []
    eventually(lambda: shop.status(begun["checkout_id"]) == "pending", "the checkout to be pending")
    shop.control(f"transactions/{pending.gateway_payment_id}/{end}")
    (event,) = shop.wait_for(kind)
    assert event.gateway_payment_id == pending.gateway_payment_id
    eventually(lambda: shop.status(begun["checkout_id"]) == ("paid" if end == "clear" else "failed"), "the end")


def test_refunds_reversals_and_their_end(shop: Shop) -> None:
    shop.set_up()
    txn_id = pay(shop)
    shop.wait_for(GatewayPaymentSucceeded)
    shop.control(f"transactions/{txn_id}/refund", {"amount": "10.00"})
    (refund,) = shop.wait_for(GatewayRefundSucceeded)
    assert (refund.gateway_payment_id, refund.amount_minor) == (txn_id, 1000)
    shop.control(f"transactions/{txn_id}/reverse")
    (taken,) = shop.wait_for(GatewayFundsWithdrawn)
    shop.control(f"transactions/{txn_id}/cancel_reversal")
    (restored,) = shop.wait_for(GatewayFundsReinstated)
    assert taken.gateway_dispute_id == restored.gateway_dispute_id
    assert taken.amount_minor == restored.amount_minor == 3500
    assert [event.outcome for event in shop.wait_for(GatewayDisputeClosed)] == ["won"]
    shop.control(f"transactions/{txn_id}/case", {"type": "complaint"})
    cases = eventually(lambda: [n for n in shop.settled() if "new_case" in n["type"]], "the case")
    assert "no money moved" in cases[0]["reason"]


def test_a_reversal_of_an_order_and_its_end(shop: Shop) -> None:
    shop.set_up(checkout="orders", **KEYS)
    shop.approve(shop.begin().json)
    (paid,) = shop.wait_for(GatewayPaymentSucceeded)
    shop.control(f"transactions/{paid.gateway_payment_id}/reverse")
    (taken,) = shop.wait_for(GatewayFundsWithdrawn)
    shop.control(f"transactions/{paid.gateway_payment_id}/cancel_reversal")
    (restored,) = shop.wait_for(GatewayFundsReinstated)
    assert (taken.amount_minor, restored.amount_minor) == (4500, 4500)
    assert {taken.gateway_payment_id, restored.gateway_payment_id} == {paid.gateway_payment_id}
    report = shop.call("POST", "/reconcile", {"since_hours": 2}).json  # under the same ids: nothing is told twice
    assert (report["compared"], report["healed"], report["drift"]) == (3, [], [])


def test_what_is_not_known_is_kept_and_shown(shop: Shop) -> None:
    shop.set_up()
    fields = {"txn_id": "T1", "payment_status": "Reticulated", "mc_gross": "5.00", "mc_currency": "USD",
              "business": EMAIL, "test_ipn": "1"}  # fmt: skip
    url = shop.call("GET", "/paypal/ipn-instructions").json["notify_url"]
    shop.control("ipns", {"url": url, "fields": fields})
    (notice,) = eventually(shop.settled, "the notice")
    assert (notice["status"], notice["reason"]) == ("ignored", "nothing is done for payment_status 'Reticulated'")
    shown = shop.call("GET", f"/notices/{notice['id']}").json
    assert shown["fields"]["payment_status"] == "Reticulated"


NAME = "J\u00f6rg"
BODIES = {
    "windows-1252": (NAME, "cp1252"),
    "UTF-8": ("\u041b\u0435\u0432 \u4e2d", "utf-8"),
    "Shift_JIS": ("\u7530\u4e2d\u592a\u90ce\u8868", "cp932"),
    "Big5": ("\u738b\u5c0f\u660e", "big5"),
    "x-unheard-of": (NAME, "cp1252"),
    None: (NAME, "cp1252"),
}


@pytest.mark.parametrize("charset", BODIES)
def test_any_charset_posts_back_byte_for_byte(shop: Shop, charset: str | None) -> None:
    shop.set_up()
    name, codec = BODIES[charset]
    fields = {
        "txn_id": "T1", "payment_status": "Completed", "mc_gross": "45.00", "mc_currency": "USD", "test_ipn": "1",
        "receiver_email": EMAIL.upper(), "memo": "", "payment_date": "23:04:06 Feb. 02, 2026 PST", "invoice": "12",
    }  # fmt: skip
    if charset is not None:
        fields["charset"] = charset
    body = "&".join(f"{key}={quote_from_bytes(value.encode(), safe='')}" for key, value in fields.items())
    body += f"&first_name={quote_from_bytes(name.encode(codec), safe='')}&txn_id=T2"
    url = shop.call("GET", "/paypal/ipn-instructions").json["notify_url"]
    shop.control("ipns", {"url": url, "body_base64": base64.b64encode(body.encode()).decode()})
    (event,) = shop.wait_for(GatewayPaymentSucceeded)
    assert event.gateway_payment_id == "T1"
    assert event.happened_at.isoformat() == "2026-02-03T07:04:06+00:00"
    (notice,) = shop.settled()
    assert "txn_id came twice" in notice["reason"]
    assert ("not known" in notice["reason"]) is (charset == "x-unheard-of")
    shown = shop.call("GET", f"/notices/{notice['id']}").json
    assert (shown["fields"]["first_name"], shown["fields"]["memo"], shown["body"]) == (name, "", body)


# --- PayPal's verification ---


@pytest.mark.parametrize("fault", ["away", "html", "redirect"])
def test_nothing_is_recorded_before_it_is_verified(shop: Shop, fault: str) -> None:
    shop.set_up()
    shop.faults(verifier=fault)
    pay(shop)
    (waiting,) = eventually(lambda: [n for n in shop.notices() if n["reason"]], "a first try")
    assert waiting["status"] == "received"
    assert "verification" in waiting["reason"]
    assert shop.told(GatewayPaymentSucceeded) == []
    shop.faults()
    due_now(shop)
    assert len(shop.wait_for(GatewayPaymentSucceeded)) == 1


def due_now(shop: Shop) -> None:
    """What waits for its next try is tried now."""
    with shop.gateway.runtime.database.write() as session:
        session.execute(update(JobRow).where(JobRow.state == "due").values(next_at=clock.now()))
    shop.gateway.runtime.wake_jobs.set()


def test_a_slow_verification_is_waited_for(shop: Shop) -> None:
    shop.set_up()
    shop.faults(verifier="slow", seconds=1)
    pay(shop)
    assert len(shop.wait_for(GatewayPaymentSucceeded)) == 1


def test_copies_are_one(shop: Shop) -> None:
    shop.set_up()
    pay(shop)
    shop.wait_for(GatewayPaymentSucceeded)
    with shop.gateway.runtime.database.read() as session:
        body = session.scalars(select(Notice.body)).one()

    def send(_: int) -> tuple[int, bytes]:
        answer = shop.ipn(body)
        return answer.status_code, answer.content

    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(send, range(100))) == {(200, b"")}
    assert len(shop.settled()) == 1
    assert len(shop.told(GatewayPaymentSucceeded)) == 1


# --- forgeries ---

GOOD = {"txn_id": "T1", "payment_status": "Completed", "mc_gross": "45.00", "mc_currency": "USD", "test_ipn": "1",
        "business": EMAIL}  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"business": "thief@business.example"}, "another account"),
        ({"business": "", "receiver_email": ""}, "who received it"),
        ({"test_ipn": "0"}, "live money"),
        ({"custom": "remit:01a21107-0000-7000-8000-000000000000.AAAA"}, "not signed for this business"),
        ({"mc_gross": "-0.00"}, "without a transaction and an amount"),
    ],
)
def test_what_paypal_sent_and_is_not_ours(shop: Shop, fields: dict[str, str], words: str) -> None:
    shop.set_up()
    url = shop.call("GET", "/paypal/ipn-instructions").json["notify_url"]
    shop.control("ipns", {"url": url, "fields": {**GOOD, **fields}})
    (notice,) = eventually(shop.settled, "the notice")
    assert notice["status"] in ("refused", "ignored")
    assert words in notice["reason"]
    assert shop.told(GatewayPaymentSucceeded) == []


EDITS = [(b"45.00", b"95.00"), (b"USD", b"JPY"), (b"Completed", b"completed"), (b"=", b"%3D")]


@pytest.mark.parametrize("change", EDITS)
def test_an_edited_message_is_not_paypals(shop: Shop, change: tuple[bytes, bytes]) -> None:
    shop.set_up()
    shop.faults(drop_next="all")
    pay(shop)
    (made,) = shop.control("ipns", method="GET")["data"]
    body = base64.b64decode(made["body_base64"]).replace(*change, 1)
    assert shop.ipn(body).status_code == 200
    (notice,) = eventually(shop.settled, "the notice")
    assert (notice["status"], "INVALID" in notice["reason"]) == ("refused", True)
    assert shop.told(GatewayPaymentSucceeded) == []


def test_a_business_in_live_mode_takes_no_sandbox_message(shop: Shop) -> None:
    shop.set_up()
    shop.save(mode="live")
    pay(shop)
    (notice,) = eventually(shop.settled, "the notice")
    assert (notice["status"], "test money" in notice["reason"]) == ("refused", True)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff\xfe\0", b"a=b&" * 2000, b"x" * 70_000])
def test_garbage_does_no_harm(shop: Shop, body: bytes) -> None:
    shop.set_up()
    answer = shop.ipn(body)
    assert answer.status_code == (200 if len(body) < 64 * 1024 else 413)
    (notice,) = eventually(shop.settled, "the notice")
    assert notice["status"] == "refused"
    assert shop.call("GET", f"/notices/{notice['id']}").status_code == 200


def test_another_businesses_url_and_nobodys(shop: Shop) -> None:
    url = shop.call("GET", "/paypal/ipn-instructions").json["notify_url"]
    assert requests.post(url, data="a=b", timeout=10).status_code == 404  # not set up: PayPal comes again
    shop.set_up()
    assert requests.post(url.replace("b1", "unheard-of"), data="a=b", timeout=10).status_code == 404


def test_forged_webhooks(shop: Shop) -> None:
    shop.set_up(checkout="orders", **KEYS)
    shop.approve(shop.begin().json)
    told = len(shop.wait_for(GatewayPaymentSucceeded))
    (real,) = eventually(
        lambda: [notice for notice in shop.settled() if notice["type"].startswith("PAYMENT")], "PayPal's own message"
    )
    certificate = shop.call("GET", f"/notices/{real['id']}").json["headers"]["cert-url"]
    url = shop.call("GET", "/paypal/ipn-instructions").json["notify_url"].replace("/ipn/", "/webhooks/")
    good = {
        "PAYPAL-TRANSMISSION-ID": "t1", "PAYPAL-TRANSMISSION-TIME": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "PAYPAL-TRANSMISSION-SIG": "AAAA", "PAYPAL-CERT-URL": certificate,
        "PAYPAL-AUTH-ALGO": "SHA256withRSA",
    }  # fmt: skip
    body = b'{"id":"WH-1","event_type":"PAYMENT.CAPTURE.COMPLETED","resource":{"id":"C1"}}'
    for change, words in (
        ({"PAYPAL-CERT-URL": "https://paypal.com.evil.example/cert"}, "not at PayPal"),
        ({"PAYPAL-AUTH-ALGO": "none"}, "algorithm"),
        ({"PAYPAL-TRANSMISSION-TIME": "2020-01-01T00:00:00Z"}, "tolerance"),
        ({"PAYPAL-TRANSMISSION-TIME": "yesterday"}, "garbled"),
        ({}, "signature"),
    ):
        before = len(shop.notices())
        assert requests.post(url, data=body, headers={**good, **change}, timeout=10).status_code == 200
        notice = eventually(lambda n=before: len(shop.settled()) > n and shop.settled()[0], "the notice")
        assert notice["status"] == "refused", notice
        assert words in notice["reason"], (words, notice["reason"])
    assert len(shop.told(GatewayPaymentSucceeded)) == told


# --- refunds and reconciling ---


def ask_refund(shop: Shop, txn_id: str, amount_minor: int = 1000) -> None:
    shop.gateway.take(
        RefundRequested(
            business_id="b1", client_id="c1", payment_id="p1", refund_id="r1", gateway="paypal", gateway_account=EMAIL,
            gateway_payment_id=txn_id, amount_minor=amount_minor, currency="USD", reason="late",
        )
    )  # fmt: skip
    shop.gateway.runtime.wake_jobs.set()


@pytest.mark.parametrize("kind", ["act_then_hang", "act_then_500"])
def test_a_refund_is_made_once(shop: Shop, kind: str) -> None:
    shop.set_up(checkout="orders", **KEYS)
    begun = shop.begin().json
    shop.approve(begun)
    (paid,) = shop.wait_for(GatewayPaymentSucceeded)
    shop.faults(fail_next=1, fail_with=kind, fail_at="refunds", seconds=3)
    ask_refund(shop, paid.gateway_payment_id)
    eventually(lambda: due_now(shop) or shop.told(GatewayRefundSucceeded), "the refund")
    rows = shop.control("transactions", method="GET")["data"]
    assert len([row for row in rows if row["kind"] == "refund"]) == 1
    assert shop.told(GatewayRefundSucceeded)[0].refund_id == "r1"


def test_a_refund_whose_message_came_first_is_told_with_our_id_too(shop: Shop) -> None:
    said = translate.Movement("R-1", translate.REFUNDED, 4500, "USD", clock.now(), parent_id="T-1")
    context, call = translate.Context("b1", EMAIL), Call("b1", "r1", {}, 1)
    by_message = translate.facts_of(context, said, translate.Who())
    answered = translate.facts_of(context, replace(said, refund_id="r1"), translate.Who())
    with shop.gateway.runtime.database.write() as session:
        assert facts.tell(session, by_message) == 1  # a message of PayPal's cannot say which of ours it is
        for _ in range(2):
            refunds.done(session, call, answered)
    told = shop.told(GatewayRefundSucceeded)
    assert [(event.gateway_refund_id, event.refund_id) for event in told] == [("R-1", None), ("R-1", "r1")]


def test_a_refund_without_credentials_says_what_to_do(shop: Shop) -> None:
    shop.set_up()
    ask_refund(shop, pay(shop))
    (failed,) = shop.wait_for(GatewayRefundFailed)
    assert "PayPal's site" in failed.reason


def test_lost_messages_are_found_by_reconciling(shop: Shop) -> None:
    shop.set_up(checkout="orders", **KEYS)
    shop.faults(drop_next="all")
    first = pay(shop)
    pay(shop, invoice="INV-000013")
    shop.control(f"transactions/{first}/refund", {"amount": "10.00"})
    begun = shop.begin().json
    shop.approve(begun)
    assert shop.told(GatewayPaymentSucceeded) == []
    shop.call("POST", f"/paypal/checkouts/{begun['checkout_id']}/capture")
    report = shop.call("POST", "/reconcile", {"since_hours": 2}).json
    assert (report["compared"], len(report["healed"])) == (4, 3)
    assert report["drift"] == []
    assert len(shop.told(GatewayPaymentSucceeded)) == 3
    assert len(shop.told(GatewayRefundSucceeded)) == 1
    again = shop.call("POST", "/reconcile", {"since_hours": 2}).json
    assert (again["healed"], again["drift"]) == ([], [])


def test_reconciling_needs_credentials(shop: Shop) -> None:
    shop.set_up()
    assert shop.call("POST", "/reconcile", {}).json["code"] == "paypal_credentials_missing"


def test_orders_nobody_heard_of_again_are_taken_by_the_clock(shop: Shop) -> None:
    shop.set_up(checkout="orders", **KEYS)
    shop.faults(drop_next="all")
    begun = shop.begin().json
    shop.approve(begun)
    age(shop, begun)
    reconcile.capture_approved(shop.gateway.runtime)
    assert shop.status(begun["checkout_id"]) == "paid"


def test_refused_credentials_say_nothing_of_an_order(shop: Shop) -> None:
    shop.set_up(checkout="orders", **KEYS)
    shop.faults(drop_next="all")
    begun = shop.begin().json
    shop.approve(begun)
    runtime = shop.gateway.runtime
    with runtime.database.write() as session:
        session.get_one(Account, "b1").client_id = "refused"
    path = f"/paypal/checkouts/{begun['checkout_id']}"
    answer = shop.call("POST", f"{path}/capture")
    assert (answer.status_code, answer.json["status"]) == (200, "waiting")
    with runtime.database.write() as session:
        session.get_one(Account, "b1").client_id = KEYS["client_id"]
    age(shop, begun)
    reconcile.capture_approved(runtime)
    assert shop.status(begun["checkout_id"]) == "paid"


def age(shop: Shop, begun: dict[str, Any]) -> None:
    """The order was begun so long ago that the clock looks for it."""
    with shop.gateway.runtime.database.write() as session:
        checkout = session.get_one(Checkout, ("b1", begun["checkout_id"]))
        checkout.created_at = clock.now() - reconcile.ABANDONED / 2
