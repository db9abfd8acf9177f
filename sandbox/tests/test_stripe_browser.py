"""What a page does with a publishable key, as the stand-in for Stripe.js asks it; and the bank's page."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from stripe_driver import RETURN, SECONDS, Shop

PK = "pk_test_shop"


def card(number: str = "4242424242424242") -> dict[str, str]:
    return {
        "payment_method_data[type]": "card",
        "payment_method_data[card][number]": number,
        "payment_method_data[card][exp_month]": "12",
        "payment_method_data[card][exp_year]": "34",
        "payment_method_data[card][cvc]": "123",
    }


def page(shop: Shop, method: str, path: str, **values: str) -> requests.Response:
    """Asked as the stand-in asks: the key among the values, so that a browser needs no leave in advance."""
    values = {"key": PK, **values}
    more = {"params": values} if method == "GET" else {"data": values}
    return requests.request(method, f"{shop.base}/v1/{path}", timeout=SECONDS, **more)  # type: ignore[arg-type]


def test_the_script(shop: Shop) -> None:
    found = requests.get(f"{shop.base}/js/v3/", timeout=SECONDS)
    assert found.headers["Content-Type"].startswith("text/javascript")
    for word in ("confirmPayment", "confirmSetup", "retrievePaymentIntent", "Card number", "MM / YY", "CVC"):
        assert word in found.text


def test_confirm_and_look(shop: Shop) -> None:
    owner = shop.v1.customers.create({}).id
    intent = shop.v1.payment_intents.create(
        {
            "amount": 900,
            "currency": "usd",
            "customer": owner,
            "setup_future_usage": "off_session",
            "metadata": {"a": "b"},
        }
    )
    secret = intent.client_secret or ""
    path = f"payment_intents/{intent.id}"
    done = page(shop, "POST", f"{path}/confirm", client_secret=secret, use_stripe_sdk="true", **card())
    assert done.headers["Access-Control-Allow-Origin"] == "*"
    assert done.json()["status"] == "succeeded"
    found = page(shop, "GET", path, client_secret=secret).json()
    assert found["status"] == "succeeded"
    assert not {"customer", "metadata", "latest_charge"} & set(found)
    assert len(shop.v1.customers.payment_methods.list(owner).data) == 1


def test_without_the_secret_there_is_nothing(shop: Shop) -> None:
    intent = shop.v1.payment_intents.create({"amount": 900, "currency": "usd"})
    path = f"payment_intents/{intent.id}"
    for values in ({}, {"client_secret": "pi_x_secret_y"}):
        assert page(shop, "GET", path, **values).status_code == 404
        assert page(shop, "POST", f"{path}/confirm", **values, **card()).status_code == 404
    secret = intent.client_secret or ""
    assert page(shop, "GET", path, client_secret=secret, key="pk_live_shop").status_code == 404
    refused = page(shop, "POST", f"{path}/confirm", client_secret=secret, off_session="true", **card())
    assert refused.status_code == 400


def test_declined_on_the_page(shop: Shop) -> None:
    intent = shop.v1.payment_intents.create({"amount": 900, "currency": "usd"})
    values = {"client_secret": intent.client_secret or "", **card("4000000000000002")}
    refused = page(shop, "POST", f"payment_intents/{intent.id}/confirm", **values)
    assert refused.status_code == 402
    assert refused.json()["error"]["decline_code"] == "generic_decline"


@pytest.mark.parametrize(("outcome", "status"), [("succeeded", "succeeded"), ("failed", "requires_payment_method")])
def test_the_question_on_the_page(shop: Shop, outcome: str, status: str) -> None:
    intent = shop.v1.payment_intents.create({"amount": 900, "currency": "usd"})
    secret = intent.client_secret or ""
    asked = page(shop, "POST", f"payment_intents/{intent.id}/confirm", client_secret=secret, **card("4000002760003184"))
    assert asked.json()["next_action"]["type"] == "use_stripe_sdk"
    answer = {"source": intent.id, "client_secret": secret, "outcome": outcome}
    assert page(shop, "POST", "3ds2/authenticate", **answer).json()["status"] == status
    assert page(shop, "POST", "3ds2/authenticate", **answer).status_code == 400


def test_setup_on_the_page(shop: Shop) -> None:
    setup = shop.v1.setup_intents.create({"customer": shop.v1.customers.create({}).id})
    secret = setup.client_secret or ""
    asked = page(shop, "POST", f"setup_intents/{setup.id}/confirm", client_secret=secret, **card("4000002500003155"))
    assert asked.json()["status"] == "requires_action"
    page(shop, "POST", "3ds2/authenticate", source=setup.id, client_secret=secret, outcome="succeeded")
    assert page(shop, "GET", f"setup_intents/{setup.id}", client_secret=secret).json()["status"] == "succeeded"


@pytest.mark.parametrize(("outcome", "told"), [("succeeded", "succeeded"), ("failed", "failed")])
def test_the_page_of_the_bank(shop: Shop, outcome: str, told: str) -> None:
    intent = shop.pay("pm_card_authenticationRequired")
    url = intent.next_action.redirect_to_url.url
    shown = requests.get(url, timeout=SECONDS)
    assert "Complete" in shown.text
    assert "script-src" not in shown.headers["Content-Security-Policy"]
    back = requests.post(
        url.partition("?")[0], data={"client_secret": intent.client_secret, "outcome": outcome}, timeout=SECONDS,
        allow_redirects=False,
    )  # fmt: skip
    assert back.headers["Location"].startswith(f"{RETURN}?")
    query = parse_qs(urlsplit(back.headers["Location"]).query)
    assert (query["payment_intent"], query["redirect_status"]) == ([intent.id], [told])
    assert requests.get(f"{shop.base}/3ds/{intent.id}?client_secret=no", timeout=SECONDS).status_code == 404


def test_leave_in_advance(shop: Shop) -> None:
    asked = requests.options(f"{shop.base}/v1/payment_methods", timeout=SECONDS)
    assert asked.status_code == 204
    assert asked.headers["Access-Control-Allow-Origin"] == "*"
