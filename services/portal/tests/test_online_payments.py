"""Account, Online Payments: gateways' settings typed, kept and refused, and their tests shown. Counts of calls have the
business in them, which is remembered afterwards."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.portal.tests.others import STRIPE, Others
from services.portal.tests.support import Portal, Visitor

PAYPAL = {
    "mode": "sandbox", "checkout": "orders", "checkout_notice": None, "business_email": "harmony@business.example",
    "merchant_id": None, "allow_client_initiated_payments": True, "client_id": "AppId", "client_secret": "…9876",
    "webhook": {"state": "ready", "reason": None}, "keys_open": True, "is_ready": True,
}  # fmt: skip
KEYS = {
    **STRIPE, "currency": "USD", "test_publishable_key": "pk_test_abcdefgh1234", "test_secret_key": "…5678",
    "live_publishable_key": None, "live_secret_key": None,
    "test_webhook": {"state": "ready", "reason": None}, "live_webhook": None,
}  # fmt: skip
HOW = {
    "notify_url": "https://pay.example/ipn/paypal/b1", "reachable": True,
    "steps": [{"title": "Open the IPN settings", "text": "Log in at PayPal."}],
}  # fmt: skip
GREEN = {"ok": True, "steps": [{"name": "A test card is charged", "ok": True, "detail": "pi_1 & more"}]}
RED = {
    "ok": False,
    "steps": [
        {"name": "Stripe knows the secret key", "ok": True, "detail": "account acct_1"},
        {"name": "Both keys belong together", "ok": False, "detail": "they do <not>", "fix": "Copy both again.",
         "contact": "Ms. Operator"},
    ],
}  # fmt: skip
STRIPE_PAGE, PAYPAL_PAGE = "/online-payments/stripe", "/online-payments/paypal"
JSON = {"Accept": "application/json"}


@pytest.fixture
def portal(tmp_path: Path, others: Others) -> Iterator[Portal]:
    others.tell("GET", "/stripe", 200, KEYS)
    others.tell("PUT", "/stripe", 200, KEYS)
    others.tell("GET", "/paypal", 200, PAYPAL)
    others.tell("PUT", "/paypal", 200, PAYPAL)
    others.tell("GET", "/paypal/ipn-instructions", 200, HOW)
    found = Portal(tmp_path, others, GATEWAY_PAYPAL_URL=others.url)
    yield found
    found.service.close()


@pytest.fixture
def maria(portal: Portal) -> Visitor:
    return portal.administrator()


# --- which one ---


def test_which_gateway_and_how_far_each_is(maria: Visitor, others: Others) -> None:
    others.tell("GET", "/paypal", 200, {**PAYPAL, "business_email": None, "allow_client_initiated_payments": False})
    page = maria.get("/online-payments")
    assert 'calls;desc="3"' in page.headers["Server-Timing"]
    for words in ("recommended", "test mode", "may pay by themselves", "not set up", "may not pay by themselves"):
        assert words in page.text
    assert f'href="{STRIPE_PAGE}"' in page.text
    assert f'href="{PAYPAL_PAGE}"' in page.text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"test_publishable_key": None, "test_secret_key": None}, "not set up"),
        ({"test_publishable_key": None}, "Still missing: Test publishable key."),
        ({"mode": "live"}, "Still missing: Test publishable key"),
        ({"keys_open": False}, "does not open on this machine"),
        ({"test_webhook": {"state": "failed", "reason": "no such key"}}, "did not accept the secret key: no such key"),
        ({"test_webhook": {"state": "registering", "reason": None}}, "being set up"),
        ({}, "no money moves"),
    ],
)
def test_how_far_stripe_is(maria: Visitor, others: Others, changes: dict[str, Any], words: str) -> None:
    others.tell("GET", "/stripe", 200, {**KEYS, **changes})
    expected = words.replace("Test", "Live") if changes.get("mode") == "live" else words
    assert expected in maria.get("/online-payments").text


def test_a_gateway_that_is_away_leaves_the_other(tmp_path: Path, others: Others) -> None:
    others.tell("GET", "/stripe", 200, KEYS)
    portal = Portal(tmp_path / "away", others, GATEWAY_PAYPAL_URL="http://127.0.0.1:9")
    page = portal.administrator().get("/online-payments")
    portal.service.close()
    assert page.status_code == 200
    assert "PayPal cannot be shown right now" in page.text
    assert "test mode" in page.text


# --- Stripe ---


def test_keys_are_never_shown(maria: Visitor) -> None:
    page = maria.get(STRIPE_PAGE)
    assert "ends in 1234" in page.text
    assert "ends in 5678" in page.text
    assert "pk_test_abcdefgh1234" not in page.text
    assert "<strong>USD</strong>" in page.text


def test_what_is_left_empty_stays(maria: Visitor, others: Others) -> None:
    typed = {
        "mode": "live",
        "live_secret_key": "  sk_live_new  ",
        "test_secret_key": "",
        "mail_and_telephone_orders": "yes",
    }
    saved = maria.post(STRIPE_PAGE, typed, page=STRIPE_PAGE)
    assert saved.location == f"{STRIPE_PAGE}?said=gateway_saved"
    asked = others.last("/stripe")
    assert asked["body"] == {
        "mode": "live", "live_secret_key": "sk_live_new", "allow_client_initiated_payments": False,
        "mail_and_telephone_orders": True,
    }  # fmt: skip
    assert asked["claims"]["scope"] == "gateway:settings"
    assert asked["claims"]["actor"]["name"] == "Maria Harmony"
    assert "Run the test now" in maria.get(saved.location).text


def test_a_key_in_the_wrong_field_names_the_right_one(maria: Visitor, others: Others) -> None:
    errors = [
        {"field": "live_secret_key", "message": "this key belongs in the field test_secret_key", "code": "key_wrong"}
    ]
    problem = {"code": "key_wrong", "detail": "live_secret_key: no. Nothing was saved.", "errors": errors}
    others.tell("PUT", "/stripe", 422, problem)
    refused = maria.post(STRIPE_PAGE, {"mode": "live", "live_secret_key": "sk_test_secret99"}, page=STRIPE_PAGE)
    assert refused.status_code == 422
    assert 'id="live_secret_key-wrong">This key belongs in the field Test secret key.' in refused.text
    assert "Nothing was saved." in refused.text
    assert 'value="live" selected' in refused.text  # what was typed, but never a secret
    assert "sk_test_secret99" not in refused.text


def test_no_way_back_from_live(maria: Visitor, others: Others) -> None:
    others.tell("PUT", "/stripe", 409, {"code": "live_payments_exist", "detail": "This business has taken real money."})
    refused = maria.post(STRIPE_PAGE, {"mode": "test"}, page=STRIPE_PAGE)
    assert refused.status_code == 409
    assert "This business has taken real money." in refused.text


# --- the tests ---


@pytest.mark.parametrize(
    ("page", "path"), [(STRIPE_PAGE, "/stripe/test-transaction"), (PAYPAL_PAGE, "/paypal/test-notification")]
)
def test_each_step_is_shown(maria: Visitor, others: Others, page: str, path: str) -> None:
    others.tell("POST", path, 200, RED)
    red = maria.post(f"{page}/test", {}, page=page)
    assert red.status_code == 200
    for words in (
        "Not ready yet",
        "worked",
        "failed",
        "they do &lt;not&gt;",
        "Copy both again.",
        "Contact Ms. Operator",
    ):
        assert words in red.text
    assert "<h1>" in red.text
    others.tell("POST", path, 200, GREEN)
    green = maria.post(f"{page}/test", {}, page=page, headers=JSON)
    assert set(green.json) == {"panel"}
    assert "Everything works" in green.json["panel"]
    assert "pi_1 &amp; more" in green.json["panel"]
    assert "failed" not in green.json["panel"]
    assert others.last(path)["claims"]["scope"] == "gateway:settings"


def test_a_test_that_cannot_be_run_says_so(maria: Visitor, others: Others) -> None:
    others.tell("POST", "/stripe/test-transaction", 409, {"code": "not_in_test_mode", "detail": "Test mode only."})
    refused = maria.post(f"{STRIPE_PAGE}/test", {}, page=STRIPE_PAGE, headers=JSON)
    assert "The test could not be run" in refused.json["panel"]
    assert "Test mode only." in refused.json["panel"]


@pytest.mark.parametrize(("page", "path", "held"), [(STRIPE_PAGE, "/stripe", KEYS), (PAYPAL_PAGE, "/paypal", PAYPAL)])
def test_in_live_mode_there_is_no_test(maria: Visitor, others: Others, page: str, path: str, held: Any) -> None:
    assert "data-send-test" in maria.get(page).text
    others.tell("GET", path, 200, {**held, "mode": "live"})
    shown = maria.get(page).text
    assert "You are in live mode" in shown
    assert "data-send-test" not in shown


# --- PayPal ---


def test_paypal_says_what_to_do_there(maria: Visitor) -> None:
    page = maria.get(PAYPAL_PAGE)
    assert 'calls;desc="3"' in page.headers["Server-Timing"]
    assert 'value="https://pay.example/ipn/paypal/b1" readonly' in page.text
    for words in (
        "Open the IPN settings",
        "Virtual Terminal",
        "INV-000012",
        "ends in 9876",
        "Website Payments Standard",
    ):
        assert words in page.text


def test_an_address_that_paypal_cannot_reach(maria: Visitor, others: Others) -> None:
    others.tell("GET", "/paypal/ipn-instructions", 200, {**HOW, "notify_url": None, "reachable": False})
    page = maria.get(PAYPAL_PAGE).text
    assert "PayPal cannot reach this address yet" in page
    assert "data-copy" not in page


def test_paypal_is_saved(maria: Visitor, others: Others) -> None:
    typed = {
        "mode": "sandbox", "checkout": "standard", "business_email": " a@b.example ", "merchant_id": "",
        "client_id": "App2", "client_secret": "", "allow_client_initiated_payments": "yes",
    }  # fmt: skip
    assert maria.post(PAYPAL_PAGE, typed, page=PAYPAL_PAGE).location == f"{PAYPAL_PAGE}?said=gateway_saved"
    assert others.last("/paypal")["body"] == {
        "mode": "sandbox", "checkout": "standard", "business_email": "a@b.example", "client_id": "App2",
        "allow_client_initiated_payments": True,
    }  # fmt: skip


def test_paypal_refuses_beside_the_field(maria: Visitor, others: Others) -> None:
    words = 'Orders needs it; copy it, or choose "standard"'
    errors = [{"field": "client_secret", "message": words, "code": "missing"}]
    others.tell("PUT", "/paypal", 422, {"code": "settings_wrong", "detail": "client_secret: no", "errors": errors})
    typed = {"mode": "live", "checkout": "orders", "business_email": "new@b.example", "client_secret": "hidden99"}
    refused = maria.post(PAYPAL_PAGE, typed, page=PAYPAL_PAGE)
    assert refused.status_code == 422
    assert 'id="client_secret-wrong">Orders needs it; copy it, or choose Website Payments Standard.' in refused.text
    assert 'value="new@b.example"' in refused.text
    assert "hidden99" not in refused.text


def test_they_are_the_administrators(portal: Portal) -> None:
    for someone in (portal.staff(), portal.client()):
        for path in ("/online-payments", STRIPE_PAGE, PAYPAL_PAGE):
            assert someone.get(path).status_code == 404
    sam = portal.visitor()
    sam.sign_in("sam@harmony.example")
    for path in (STRIPE_PAGE, f"{STRIPE_PAGE}/test", PAYPAL_PAGE, f"{PAYPAL_PAGE}/test"):
        assert sam.post(path, {"mode": "live"}, page="/calendar").status_code == 404
