"""Paying in the portal as people do it: a client pays, staff take payments, a pay link is paid. One browser, one
`make run`."""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from playwright.sync_api import Browser, Page, expect

from common import clock
from common.testing import eventually
from tests.browser.people import ASKING_CARD, DECLINED_CARD, WAIT_MS, Person
from tests.harness.embedded import Embedded


@pytest.fixture(scope="module")
def remit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    running = Embedded(tmp_path_factory.mktemp("portal"), demo=True)
    yield running
    running.stop()


def balance(remit: Embedded, client_id: str) -> int:
    return int(remit.balance(client_id)["balance_minor"])


def is_booked(remit: Embedded, client_id: str, balance_minor: int) -> bool:
    return balance(remit, client_id) == balance_minor


def words(remit: Embedded, client_id: str) -> str:
    return str(remit.balance(client_id)["in_words"])


@pytest.mark.timeout(180)
def test_paying(browser: Browser, remit: Embedded) -> None:
    a_client_pays(browser, remit)
    a_client_may_not_pay(browser, remit)
    staff_take_payments(browser, remit)
    staff_take_a_telephone_order(browser, remit)
    a_pay_link_is_paid(browser, remit)
    a_client_pays_by_paypal(browser, remit)


def a_client_pays(browser: Browser, remit: Embedded) -> None:
    ada = Person(browser, remit)
    page, who = ada.page, remit.endpoints["client"]
    before = balance(remit, who["client_id"])
    page.goto(ada.portal)
    ada.look("sign-in")
    ada.sign_in(who)
    expect(page.locator("#balance")).to_have_text(words(remit, who["client_id"]))
    ada.look("home")
    page.get_by_label("Amount in USD").fill("45.00")
    page.keyboard.press("Enter")
    ada.type_card()
    ada.look("home-card")
    page.get_by_role("button", name="Pay $45.00").click()
    expect(page.get_by_role("heading", name="Payment received")).to_be_visible()
    expected = f"has ${(before + 4500) / 100:.2f} left"
    expect(page.locator("#balance")).to_have_text(expected, timeout=WAIT_MS)
    expect(page.get_by_text("$45.00 was paid. Thank you.")).to_be_visible()
    receipt = page.get_by_role("link", name="Receipt (PDF)")
    expect(receipt).to_be_visible()
    ada.look("paid")
    answer = page.request.get(ada.portal + str(receipt.get_attribute("href")))
    assert answer.body().startswith(b"%PDF")
    newest = remit.call("GET", "payments", f"/payments?client_id={who['client_id']}").json()["items"][0]
    number = newest["receipt_number"]

    def attached() -> list[str]:
        return [part["name"] for mail in remit.mails_to(who["email"]) for part in mail["attachments"]]

    eventually(lambda: attached().count(f"receipt-{number}.pdf") == 1, "the receipt's mail")
    page.get_by_role("link", name="Back to my balance").click()
    expect(page.locator("#balance")).to_have_text(expected)
    assert balance(remit, who["client_id"]) == before + 4500
    page.get_by_role("link", name="your account").click()
    ada.look("account")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    ada.leave()


def a_client_may_not_pay(browser: Browser, remit: Embedded) -> None:
    """The switch is turned off while a client is about to pay."""
    ada = Person(browser, remit)
    page = ada.page
    ada.sign_in(remit.endpoints["client"])
    page.get_by_label("Amount in USD").fill("45.00")
    settings = {"mode": "test", "allow_client_initiated_payments": False}
    assert remit.call("PUT", "gateway-stripe", "/stripe", json=settings).status_code == 200
    page.get_by_role("button", name="Continue to the card").click()
    expect(page.locator("#pay-state")).to_contain_text("through its staff only")
    expect(page.get_by_label("Card number")).to_have_count(0)
    ada.complaints.clear()  # the browser logs the refusal's 403
    page.reload()
    expect(page.get_by_role("button", name="Pay with PayPal")).to_be_visible()
    expect(page.get_by_role("button", name="Continue to the card")).to_have_count(0)
    ada.look("home-without-cards")
    ada.leave()


def staff_take_payments(browser: Browser, remit: Embedded) -> None:
    sam = Person(browser, remit)
    page = sam.page
    grace = remit.client_called("Grace")
    sam.sign_in(remit.endpoints["staff"])
    page.goto(f"{sam.portal}/assist")
    page.get_by_label("Client's name").fill("Grace")
    page.get_by_role("button", name="Find").click()
    sam.look("assist")
    page.get_by_role("link", name="Grace Hopper").click()
    # Her invoice, from a typed card that is kept.
    expect(page.get_by_role("radio", name=re.compile("Invoice INV-"))).to_be_checked()
    page.get_by_role("checkbox").check()
    sam.look("assist-client")
    page.get_by_role("button", name="Type a card").click()
    sam.type_card(DECLINED_CARD)
    page.get_by_role("button", name="Pay $50.00").click()
    expect(page.locator("#pay-state")).to_contain_text("declined")
    sam.look("assist-declined")
    sam.complaints.clear()  # the browser logs the decline's 402
    sam.type_card()
    page.get_by_role("button", name="Pay $50.00").click()
    expect(page.get_by_role("heading", name="Payment received")).to_be_visible()
    expect(page.locator("#balance")).to_have_text("is settled", timeout=WAIT_MS)
    sam.look("assist-paid")
    # One click on the card that was kept.
    page.get_by_role("link", name="Back to Grace Hopper").click()
    page.get_by_label("Amount in USD").fill("20")
    sam.look("assist-saved-card")
    page.get_by_role("button", name="Charge Visa ending in 4242").click()
    expect(page.get_by_role("heading", name="Succeeded")).to_be_visible()
    expect(page.locator("#balance")).to_have_text("has $20.00 left", timeout=WAIT_MS)
    sam.look("assist-one-click")
    assert balance(remit, grace) == 2000
    payments = remit.call("GET", "payments", f"/payments?client_id={grace}").json()["items"]
    assert {payment["recorded_by"]["name"] for payment in payments} == {"Sam Harmony"}
    assert {payment["source"] for payment in payments} == {"pay_assist", "saved_card"}
    sam.leave()


def staff_take_a_telephone_order(browser: Browser, remit: Embedded) -> None:
    """A card whose bank always asks, typed for a client who is not there: marked so, nobody is asked."""
    settings = {"mode": "test", "mail_and_telephone_orders": True}
    assert remit.call("PUT", "gateway-stripe", "/stripe", json=settings).status_code == 200
    sam = Person(browser, remit)
    page = sam.page
    grace = remit.client_called("Grace")
    before = balance(remit, grace)
    sam.sign_in(remit.endpoints["staff"])
    page.goto(f"{sam.portal}/assist/{grace}")
    expect(page.get_by_text("charged as a mail or telephone order")).to_be_visible()
    page.get_by_label("Amount in USD").fill("30")
    page.get_by_role("button", name="Type a card").click()
    page.get_by_role("button", name="Pay $30.00").click()
    expect(page.locator("#pay-state")).to_contain_text("incomplete")
    sam.type_card(DECLINED_CARD)
    page.get_by_role("button", name="Pay $30.00").click()
    expect(page.locator("#pay-state")).to_contain_text("Nothing was charged")
    sam.look("assist-order-declined")
    sam.type_card(ASKING_CARD)
    page.get_by_role("button", name="Pay $30.00").click()
    expect(page.get_by_role("heading", name="Payment received")).to_be_visible()
    eventually(lambda: balance(remit, grace) == before + 3000, "the order to be booked")
    newest = remit.call("GET", "payments", f"/payments?client_id={grace}").json()["items"][0]
    assert (newest["source"], newest["recorded_by"]["name"]) == ("pay_assist", "Sam Harmony")
    sam.leave()
    settings = {"mode": "test", "mail_and_telephone_orders": False}
    assert remit.call("PUT", "gateway-stripe", "/stripe", json=settings).status_code == 200


def a_pay_link_is_paid(browser: Browser, remit: Embedded) -> None:
    settings = {"mode": "test", "allow_client_initiated_payments": True}
    assert remit.call("PUT", "gateway-stripe", "/stripe", json=settings).status_code == 200
    jose = remit.client_called("José")
    service = remit.call("GET", "billing", "/services").json()["items"][0]
    session = {
        "client_id": jose, "service_id": service["id"],
        "starts_at": (clock.now() + timedelta(days=7)).isoformat(timespec="seconds"),
    }  # fmt: skip
    refused = remit.call("POST", "billing", "/sessions", json=session)
    assert refused.status_code == 409, refused.text
    problem = refused.json()
    before = balance(remit, jose)
    anybody = Person(browser, remit)
    page = anybody.page
    page.goto(problem["pay_url"])
    expect(page.get_by_text("José Ñíguez")).to_be_visible()
    anybody.look("pay-link")
    page.get_by_role("button", name=re.compile(r"Pay \$.* by card")).click()
    anybody.type_card()
    anybody.look("pay-link-card")
    page.get_by_role("button", name=re.compile(r"^Pay \$")).click()
    expect(page.get_by_role("heading", name="Payment received")).to_be_visible()
    anybody.look("pay-link-paid")
    eventually(lambda: balance(remit, jose) == before + problem["shortfall_minor"], "the link's payment to be booked")
    # Opened again, it does not take the money twice.
    page.goto(problem["pay_url"])
    page.get_by_role("button", name=re.compile(r"Pay \$.* by card")).click()
    expect(page.get_by_role("heading", name="Payment received")).to_be_visible()
    assert remit.call("POST", "billing", "/sessions", json=session).status_code == 201
    anybody.leave()


def a_client_pays_by_paypal(browser: Browser, remit: Embedded) -> None:
    """By both kinds of checkout: to PayPal's page and back, waiting, then the receipt; and cancelled there."""
    ada = Person(browser, remit)
    page, who = ada.page, remit.endpoints["client"]
    ada.sign_in(who)
    expect(page.locator("#balance")).to_be_visible()
    saved = remit.call("GET", "gateway-paypal", "/paypal").json()
    for checkout, agree in (("orders", "Agree and continue"), ("standard", re.compile("^Pay "))):
        settings = {"mode": "sandbox", "checkout": checkout, "business_email": saved["business_email"]}
        assert remit.call("PUT", "gateway-paypal", "/paypal", json=settings).status_code == 200
        before = balance(remit, who["client_id"])
        leave_for_paypal(page, ada)
        ada.look(f"paypal-{checkout}")
        page.get_by_role("button", name="Cancel and return").click()
        expect(page.get_by_text("cancelled at PayPal")).to_be_visible()
        ada.look(f"paypal-{checkout}-cancelled")
        leave_for_paypal(page, ada)
        if checkout == "standard":  # PayPal's word comes after the payer
            remit.faults({"paypal": {"delay_seconds": 2}})
        page.get_by_role("button", name=agree).click()
        if checkout == "standard":
            expect(page.get_by_role("heading", name="Waiting for PayPal")).to_be_visible()
            ada.look("paypal-waiting")
            remit.faults({"paypal": {}})
        expect(page.get_by_role("heading", name="Payment received")).to_be_visible()
        expect(page.get_by_role("link", name="Receipt (PDF)")).to_be_visible()
        ada.look(f"paypal-{checkout}-paid")
        booked = before + 3100
        eventually(partial(is_booked, remit, who["client_id"], booked), "PayPal's money to be booked")
    methods = [
        row["method"]
        for row in remit.call("GET", "payments", f"/payments?client_id={who['client_id']}").json()["items"]
    ]
    assert methods[:2] == ["paypal", "paypal"]
    ada.leave()


def leave_for_paypal(page: Page, ada: Person) -> None:
    page.goto(f"{ada.portal}/home")
    page.get_by_label("Amount in USD").fill("31.00")
    page.get_by_role("button", name="Pay with PayPal").click()
    expect(page.get_by_label("E-mail")).to_be_visible()
