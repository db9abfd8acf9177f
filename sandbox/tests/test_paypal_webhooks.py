"""Webhooks: who gets which, how they are signed, and what happens when nobody listens."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest
import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate
from paypal_driver import SECONDS, Came, Listener, Merchant
from stripe_driver import wait_for

WEBHOOKS = "/v1/notifications/webhooks"
VERIFY = "/v1/notifications/verify-webhook-signature"


def listen(own: Merchant, listener: Listener, *names: str) -> str:
    wanted = {"url": listener.url, "event_types": [{"name": name} for name in names or ("*",)]}
    made = own.ask("POST", WEBHOOKS, wanted)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def types(listener: Listener, count: int) -> list[str]:
    wait_for(lambda: len(listener.came) >= count)
    return sorted(json.loads(came.body)["event_type"] for came in listener.came)


def question(came: Came, webhook: str) -> dict[str, Any]:
    return {
        "auth_algo": came.headers["PAYPAL-AUTH-ALGO"],
        "cert_url": came.headers["PAYPAL-CERT-URL"],
        "transmission_id": came.headers["PAYPAL-TRANSMISSION-ID"],
        "transmission_sig": came.headers["PAYPAL-TRANSMISSION-SIG"],
        "transmission_time": came.headers["PAYPAL-TRANSMISSION-TIME"],
        "webhook_id": webhook,
        "webhook_event": json.loads(came.body),
    }


def check_by_certificate(came: Came, webhook: str) -> None:
    """As a merchant does it without asking."""
    pem = requests.get(came.headers["PAYPAL-CERT-URL"], timeout=SECONDS).content
    key = load_pem_x509_certificate(pem).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    asked = question(came, webhook)
    text = f"{asked['transmission_id']}|{asked['transmission_time']}|{webhook}|{zlib.crc32(came.body)}"
    key.verify(base64.b64decode(asked["transmission_sig"]), text.encode(), padding.PKCS1v15(), SHA256())


def test_signed(merchant: Merchant, listener: Listener) -> None:
    own = merchant.another()
    webhook = listen(own, listener, "PAYMENT.CAPTURE.COMPLETED")
    capture = own.captured(custom_id="tökn")
    assert types(listener, 1) == ["PAYMENT.CAPTURE.COMPLETED"]
    came = listener.came[0]
    assert came.headers["PAYPAL-AUTH-ALGO"] == "SHA256withRSA"
    assert came.headers["PAYPAL-CERT-URL"].startswith(f"{own.base}/v1/notifications/certs/CERT-")
    check_by_certificate(came, webhook)
    with pytest.raises(InvalidSignature):
        check_by_certificate(Came(came.path, came.body + b" ", came.headers), webhook)
    event = json.loads(came.body)
    assert event["id"].startswith("WH-")
    assert (event["resource_type"], event["resource"]) == ("capture", capture)
    assert own.ask("POST", VERIFY, question(came, webhook)).json() == {"verification_status": "SUCCESS"}
    changed = {**event, "resource": {**event["resource"], "status": "PENDING"}}
    for wrong in (
        {"webhook_id": "X"}, {"transmission_id": "x"}, {"transmission_sig": "eHg="}, {"webhook_event": changed},
        {"cert_url": "https://evil.test/cert"}, {"auth_algo": "none"}, {"transmission_time": "2020-01-01T00:00:00Z"},
    ):  # fmt: skip
        answer = own.ask("POST", VERIFY, {**question(came, webhook), **wrong})
        assert answer.json() == {"verification_status": "FAILURE"}, wrong
    assert merchant.another().ask("POST", VERIFY, question(came, webhook)).json()["verification_status"] == "FAILURE"
    assert own.ask("POST", VERIFY, {"webhook_id": webhook}).status_code == 400
    assert requests.get(f"{own.base}/v1/notifications/certs/CERT-X", timeout=SECONDS).status_code == 404


def test_what_is_told(merchant: Merchant, listener: Listener) -> None:
    own = merchant.another()
    listen(own, listener)
    capture = own.captured("echeck")
    own.act(capture["id"], "clear")
    expected = ["CHECKOUT.ORDER.APPROVED", "PAYMENT.CAPTURE.COMPLETED", "PAYMENT.CAPTURE.PENDING"]
    assert types(listener, 3) == expected
    listener.came.clear()
    refund = own.act(capture["id"], "refund", amount="5.00")
    assert types(listener, 1) == ["PAYMENT.CAPTURE.REFUNDED"]
    told = json.loads(listener.came[0].body)
    assert (told["resource_type"], told["resource"]["id"]) == ("refund", refund["txn_id"])
    up = next(link["href"] for link in told["resource"]["links"] if link["rel"] == "up")
    assert up == f"{own.base}/v2/payments/captures/{capture['id']}"
    listener.came.clear()
    case = own.act(capture["id"], "case", type="chargeback")["case_id"]
    own.act(capture["id"], "reverse")
    own.act(capture["id"], "cancel_reversal")
    assert types(listener, 3) == ["CUSTOMER.DISPUTE.CREATED", "CUSTOMER.DISPUTE.RESOLVED", "PAYMENT.CAPTURE.REVERSED"]
    by_type = {event["event_type"]: event["resource"] for event in (json.loads(came.body) for came in listener.came)}
    assert by_type["CUSTOMER.DISPUTE.CREATED"]["dispute_id"] == case
    resolved = by_type["CUSTOMER.DISPUTE.RESOLVED"]
    assert (resolved["dispute_id"], resolved["dispute_outcome"]["outcome_code"]) == (case, "RESOLVED_SELLER_FAVOUR")
    assert resolved["disputed_transactions"][0]["seller_transaction_id"] == capture["id"]
    assert by_type["PAYMENT.CAPTURE.REVERSED"]["amount"]["value"] == "40.00"
    assert own.control("GET", "transactions")
    # No IPNs for orders, also when the account has an address for them.
    own.settings(notify_url=listener.url)
    listener.came.clear()
    own.act(own.captured("echeck")["id"], "bounce")
    assert "PAYMENT.CAPTURE.DENIED" in types(listener, 3)


def test_the_webhooks_themselves(merchant: Merchant, listener: Listener) -> None:
    own = merchant.another()
    key = listen(own, listener, "PAYMENT.CAPTURE.REFUNDED")
    wanted = {"url": listener.url, "event_types": [{"name": "*"}]}
    twice = own.ask("POST", WEBHOOKS, wanted)
    assert (twice.status_code, twice.json()["name"]) == (400, "WEBHOOK_URL_ALREADY_EXISTS")
    for wrong in (
        {"url": "nowhere"},
        {"event_types": []},
        {"event_types": [{"name": "NO.SUCH"}]},
        {"event_types": "*"},
    ):
        assert own.ask("POST", WEBHOOKS, {**wanted, "url": f"{listener.url}/x", **wrong}).status_code == 400
    assert own.ask("GET", f"{WEBHOOKS}/{key}").json()["event_types"][0]["name"] == "PAYMENT.CAPTURE.REFUNDED"
    assert merchant.another().ask("GET", f"{WEBHOOKS}/{key}").status_code == 404
    for number in range(9):
        own.ask("POST", WEBHOOKS, {**wanted, "url": f"{listener.url}/{number}"}).raise_for_status()
    most = own.ask("POST", WEBHOOKS, {**wanted, "url": f"{listener.url}/10"})
    assert (most.status_code, most.json()["name"]) == (400, "WEBHOOK_NUMBER_LIMIT_EXCEEDED")
    for found in own.ask("GET", WEBHOOKS).json()["webhooks"]:
        assert own.ask("DELETE", f"{WEBHOOKS}/{found['id']}").status_code == 204
    assert own.ask("GET", WEBHOOKS).json() == {"webhooks": []}
    assert own.ask("DELETE", f"{WEBHOOKS}/{key}").status_code == 404


def test_told_again_and_given_up(alone: Merchant, listener: Listener) -> None:
    listener.status = 500
    webhook = listen(alone, listener, "PAYMENT.CAPTURE.COMPLETED")
    alone.captured()

    def event() -> dict[str, Any]:
        found = alone.control("GET", "events")["data"]
        return dict(next(each for each in found if each["states"]))

    offset = 0.0
    for tries in range(1, 25):
        wait_for(lambda tries=tries: event()["tries"] == tries)
        offset += min(10 * 2 ** (tries - 1), 16800) + 1
        alone.clock(offset)
    wait_for(lambda: event()["states"] == ["failed"])
    assert len(listener.came) == 25
    assert 2.5 < offset / (24 * 3600) < 3.2
    assert len({came.body for came in listener.came}) == 1
    listener.status = 204
    alone.control("POST", f"events/{event()['id']}/resend")
    wait_for(lambda: event()["delivered"])
    check_by_certificate(listener.came[-1], webhook)
