"""Keys, worlds, errors, parameters and lists."""

from __future__ import annotations

import pytest
import requests
import stripe
from stripe_driver import SECONDS, Shop


@pytest.mark.parametrize("key", ["sk_test_a", "sk_live_a", "rk_test_a_limited", "rk_live_a"])
def test_secret_and_restricted_keys(shop: Shop, key: str) -> None:
    client = shop.client_for(key)
    assert client.v1.accounts.retrieve_current().id == "acct_a"
    assert client.v1.customers.create({}).livemode == ("live" in key)


@pytest.mark.parametrize("key", ["sk_org_abc", "sk_test_", "sk_prod_x", "whsec_x", "pk_test_a b", "x"])
def test_other_keys_are_refused(shop: Shop, key: str) -> None:
    with pytest.raises(stripe.AuthenticationError) as refused:
        shop.client_for(key).v1.customers.list()
    assert refused.value.http_status == 401
    assert refused.value.error.type == "invalid_request_error"


def test_without_a_key_and_with_basic_authentication(shop: Shop) -> None:
    assert requests.get(f"{shop.base}/v1/account", timeout=SECONDS).status_code == 401
    found = requests.get(f"{shop.base}/v1/account", auth=("sk_test_basic", ""), timeout=SECONDS)
    assert found.json()["id"] == "acct_basic"


def test_an_expired_key(shop: Shop) -> None:
    shop.control("keys", expire="rk_test_gone")
    with pytest.raises(stripe.AuthenticationError) as refused:
        shop.client_for("rk_test_gone").v1.accounts.retrieve_current()
    assert refused.value.error.code == "api_key_expired"


def test_modes_and_accounts_are_worlds_of_their_own(shop: Shop) -> None:
    key = shop.v1.customers.create({}).id
    with pytest.raises(
        stripe.InvalidRequestError, match="exists in test mode, but a live mode key was used"
    ) as refused:
        shop.client_for("sk_live_shop").v1.customers.retrieve(key)
    assert (refused.value.code, refused.value.http_status) == ("resource_missing", 404)
    with pytest.raises(stripe.InvalidRequestError, match=f"No such customer: '{key}'$"):
        shop.client_for("sk_test_other").v1.customers.retrieve(key)
    assert shop.client_for("rk_test_shop_desk").v1.customers.retrieve(key).id == key


def test_a_publishable_key_does_only_what_a_page_does(shop: Shop) -> None:
    for method, path in (("GET", "customers"), ("POST", "payment_intents"), ("POST", "refunds")):
        answer = shop.raw(method, path, "pk_test_shop")
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "secret_key_required"


def test_unknown_paths_and_parameters(shop: Shop) -> None:
    answer = shop.raw("GET", "nothing")
    assert answer.status_code == 404
    assert "Unrecognized request URL" in answer.json()["error"]["message"]
    assert answer.headers["Request-Id"].startswith("req_")
    for data, param in (({"colour": "red"}, "colour"), ({"address[town]": "x"}, "address[town]")):
        error = shop.raw("POST", "customers", data=data).json()["error"]
        assert (error["code"], error["param"]) == ("parameter_unknown", param)
    error = shop.raw("POST", "payment_intents", data={"amount": "ten", "currency": "usd"}).json()["error"]
    assert (error["code"], error["param"]) == ("parameter_invalid_integer", "amount")
    error = shop.raw("POST", "payment_intents", data={"amount": "1000"}).json()["error"]
    assert (error["code"], error["param"]) == ("parameter_missing", "currency")
    error = shop.raw("POST", "payment_intents", data={"amount[a]": "1"}).json()["error"]
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("amount", "unit", "code"),
    [
        (49, "usd", "amount_too_small"),
        (50, "usd", None),
        (29, "GBP", "amount_too_small"),
        (50, "jpy", None),
        (0, "xof", "amount_too_small"),
        (-5, "usd", "amount_too_small"),
        (100_000_000, "usd", "amount_too_large"),
        (550, "isk", "invalid_charge_amount_no_decimal_compatible"),
        (500, "isk", None),
        (1005, "kwd", "invalid_charge_amount"),
        (1010, "kwd", None),
    ],
)
def test_amounts(shop: Shop, amount: int, unit: str, code: str | None) -> None:
    if code is None:
        assert shop.v1.payment_intents.create({"amount": amount, "currency": unit}).currency == unit.lower()
        return
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.v1.payment_intents.create({"amount": amount, "currency": unit})
    assert (refused.value.code, refused.value.param) == (code, "amount")


def test_a_currency_that_there_is_not(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Invalid currency: xyz"):
        shop.v1.payment_intents.create({"amount": 1000, "currency": "xyz"})


def test_lists_are_paged_newest_first(shop: Shop) -> None:
    client = shop.client_for("sk_test_pages")
    made = [client.v1.customers.create({"email": f"c{number % 2}@pages.test"}).id for number in range(7)]
    first = client.v1.customers.list({"limit": 3})
    assert [found.id for found in first.data] == made[:3:-1]
    assert first.has_more
    assert [found.id for found in client.v1.customers.list({"limit": 3}).auto_paging_iter()] == made[::-1]
    before = client.v1.customers.list({"limit": 2, "ending_before": made[0]})
    assert [found.id for found in before.data] == [made[2], made[1]]
    assert [found.id for found in client.v1.customers.list({"email": "c1@pages.test"}).data] == made[5::-2]
    for wrong in ({"limit": 0}, {"limit": 101}, {"starting_after": "cus_none"}, {"created": {"since": 1}}):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.customers.list(wrong)  # type: ignore[arg-type]


def test_expand(shop: Shop) -> None:
    owner = shop.v1.customers.create({})
    expand = ["customer", "latest_charge.balance_transaction", "payment_method"]
    found = shop.v1.payment_intents.retrieve(shop.pay(customer=owner.id).id, {"expand": expand})
    assert found.customer.id == owner.id
    assert found.latest_charge.payment_intent == found.id
    assert found.payment_method.card.last4 == "4242"
    listed = shop.v1.payment_intents.list({"customer": owner.id, "expand": ["data.latest_charge"]})
    assert listed.data[0].latest_charge.object == "charge"
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        shop.v1.payment_intents.retrieve(found.id, {"expand": ["status"]})
