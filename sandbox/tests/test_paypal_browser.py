"""The pages in Chromium, narrow and without scripts; skipped where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from paypal_driver import Listener, Merchant
from playwright.sync_api import Browser, Page, expect, sync_playwright
from stripe_driver import wait_for


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """One for each test: the last one's may still be on its way somewhere."""
    found = browser.new_page(viewport={"width": 360, "height": 780}, java_script_enabled=False)
    yield found
    found.close()


def pay(page: Page, own: Merchant, listener: Listener, **more: str) -> None:
    """From a form on the merchant's page, which is another origin, to the button."""
    fields = own.form(charset="utf-8", item_name="für Jörg", notify_url=listener.url, **more)
    inputs = "".join(f'<input type="hidden" name="{name}" value="{text}">' for name, text in fields.items())
    listener.page = f'<form method="post" action="{own.base}/cgi-bin/webscr">{inputs}<button>PayPal</button></form>'
    page.goto(listener.url)
    page.get_by_role("button", name="PayPal").click()
    # Waited for: a click comes back when the next page begins, not when its text is there.
    expect(page.get_by_text("für Jörg")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("rm", ["1", "2"])
def test_paid_and_back_at_the_merchant(page: Page, merchant: Merchant, listener: Listener, rm: str) -> None:
    own, back = merchant.another(), listener.url.replace("127.0.0.1", "localhost").replace("/ipn", "/back")
    pay(page, own, listener, rm=rm, **{"return": back})
    page.get_by_label("E-mail").fill("ada@home.test")
    page.get_by_label("First name").fill("Ada")
    page.get_by_label("eCheck").check()
    page.get_by_role("button", name="Pay 45.00 EUR").click()
    if rm == "2":
        page.get_by_role("button", name="Return to merchant").click()
    page.wait_for_url(back)
    wait_for(lambda: [came for came in listener.came if came.path == "/ipn"])
    assert own.transactions()[0]["status"] == "Pending"
    posted = [came.fields("utf-8") for came in listener.came if came.path == "/back"]
    assert [fields["txn_id"] for fields in posted] == ([own.transactions()[0]["txn_id"]] if rm == "2" else [])


def test_canceled(page: Page, merchant: Merchant, listener: Listener) -> None:
    own, back = merchant.another(), listener.url.replace("/ipn", "/canceled")
    pay(page, own, listener, cancel_return=back)
    page.get_by_label("E-mail").fill("")
    page.get_by_role("button", name="Cancel and return").click()
    page.wait_for_url(back)
    assert own.transactions() == []


def test_an_order(page: Page, merchant: Merchant) -> None:
    own = merchant.another()
    order = own.order()
    page.goto(f"{own.base}/checkoutnow?token={order['id']}")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.get_by_label("Card that is declined").check()
    # shop.test does not exist: that the browser tries is enough.
    with page.expect_request(lambda request: request.url.startswith("https://shop.test/back?token=")):
        page.get_by_role("button", name="Agree and continue").click(no_wait_after=True)
    assert own.capture(order["id"]).json()["details"][0]["issue"] == "INSTRUMENT_DECLINED"


def test_the_terminal(page: Page, merchant: Merchant) -> None:
    own = merchant.another()
    page.goto(f"{own.base}/virtual-terminal")
    page.get_by_label("Business e-mail").fill(own.email)
    page.get_by_label("Amount").fill("12.50")
    page.get_by_label("Currency").select_option("EUR")
    page.get_by_label("Invoice").fill(" inv-7 ")
    page.get_by_label("Payer e-mail", exact=True).fill("bo@home.test")
    page.get_by_role("button", name="Charge").click()
    expect(page.get_by_role("status")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert own.transactions()[0]["invoice"] == " inv-7 "
