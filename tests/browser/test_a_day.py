"""A day of a business in the portal: keys and their test, one payment and twelve by paste, a session that the gate
refuses until it is paid, a client who leaves, and figures that equal the API's to the cent. The card, the PayPal and
the one-click payments of the same people are in test_paying."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from common import clock
from common.money import format_money
from common.testing import eventually
from tests.browser.people import Person
from tests.harness.embedded import Embedded

OTHER_KEYS = {
    "Test publishable key": "pk_test_other000000000000000",
    "Test secret key": "sk_test_another00000000000000",
}
KEYS = {"Test publishable key": "pk_test_day0000000000000000", "Test secret key": "sk_test_day0000000000000000"}
# As a spreadsheet copies it: a head, twelve lines, among them two checks of one family.
PASTE = "\n".join(
    ["Client\tAmount\tMethod\tReference"]
    + [f"C-1{number:02}\t{10 + number}.50\tcheck\tslip-{number}" for number in range(1, 13)]
)
PASTED_MINOR = sum((10 + number) * 100 + 50 for number in range(1, 13))


@pytest.fixture(scope="module")
def remit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    running = Embedded(tmp_path_factory.mktemp("day"), demo=True)
    yield running
    running.stop()


@pytest.mark.timeout(240)
def test_a_day(browser: Browser, remit: Embedded) -> None:
    sam = Person(browser, remit)
    sam.sign_in(remit.endpoints["staff"])
    keys_are_saved_and_tested(sam)
    one_payment_is_added(sam, remit)
    twelve_payments_are_pasted(sam, remit)
    a_session_is_refused_paid_and_added(sam, remit)
    a_client_leaves(sam, remit)
    figures_equal_the_api(sam, remit)
    sam.leave()


def keys_are_saved_and_tested(sam: Person) -> None:
    page = sam.page
    page.goto(f"{sam.portal}/online-payments")
    sam.look("day-online-payments")
    page.goto(f"{sam.portal}/online-payments/stripe")
    for keys, title in ((OTHER_KEYS, "Not ready yet"), (KEYS, "Everything works")):
        for label, key in keys.items():
            page.get_by_label(label, exact=True).fill(key)
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.locator("main > [role=status]")).to_be_visible()
        page.get_by_role("button", name="Send test transaction").click()
        expect(page.get_by_role("heading", name=title)).to_be_visible(timeout=30_000)
        if keys is OTHER_KEYS:
            expect(page.locator(".steps .bad")).to_contain_text("Contact whoever runs Remit for you")
        sam.look(f"day-send-test-{'green' if keys is KEYS else 'red'}")
    expect(page.locator(".steps > .good")).to_have_count(5)


def one_payment_is_added(sam: Person, remit: Embedded) -> None:
    """By keyboard alone, from the field of the client to the button."""
    page = sam.page
    grace = remit.client_called("Grace")
    before = remit.balance(grace)["balance_minor"]
    page.goto(f"{sam.portal}/payments/add")
    page.get_by_label("Client", exact=True).focus()
    page.keyboard.type("grace")
    expect(page.get_by_role("option", name=re.compile("Grace Hopper"))).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#about-client")).to_contain_text(remit.balance(grace)["in_words"])
    page.keyboard.press("Tab")
    page.keyboard.type("20.00")
    page.get_by_label("How it was paid").focus()
    page.keyboard.type("Cash")
    sam.look("day-add-payment")
    page.get_by_label("Reference").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("$20.00")
    sam.look("day-payment")
    eventually(lambda: remit.balance(grace)["balance_minor"] == before + 2000, "the payment to be booked")


def twelve_payments_are_pasted(sam: Person, remit: Embedded) -> None:
    page = sam.page
    page.goto(f"{sam.portal}/payments/add-many")
    page.get_by_label("Deposit total, if you have one").fill(f"{PASTED_MINOR / 100:.2f}")
    page.get_by_label("Row 1, Client").focus()
    paste(page, PASTE)
    expect(page.locator("#say")).to_contain_text("12 payments")
    expect(page.locator("#say")).to_contain_text(format_money(PASTED_MINOR, "USD"))
    expect(page.locator("#deposit-said")).to_have_class(re.compile("good"))
    # A wrong one is said beside its row, and nothing is recorded while it stands there.
    page.get_by_label("Row 3, Amount").fill("12,x")
    page.get_by_label("Row 3, Amount").press("Tab")
    expect(page.locator("#grid tbody tr").nth(2).locator(".seen")).to_have_class(re.compile("bad"))
    sam.look("day-add-payments-wrong")
    page.get_by_label("Row 3, Amount").fill("13.50")
    page.get_by_label("Row 3, Amount").press("Tab")
    expect(page.locator("#grid tbody tr").nth(2).locator(".seen")).not_to_have_class(re.compile("bad"))
    sam.look("day-add-payments")
    total = len(history(remit))
    page.get_by_role("button", name="Record payments").click()
    expect(page.get_by_role("heading", name="Payments recorded together")).to_be_visible()
    sam.look("day-added-payments")
    recorded = history(remit)
    assert len(recorded) == total + 12
    assert sum(payment["amount_minor"] for payment in recorded[:12]) == PASTED_MINOR
    assert {payment["source"] for payment in recorded[:12]} == {"batch"}
    # Pasted again, it is known.
    page.goto(f"{sam.portal}/payments/add-many")
    page.get_by_label("Row 1, Client").focus()
    paste(page, PASTE)
    expect(page.locator("#grid tbody tr").nth(0).locator(".seen")).to_have_class(re.compile("wait"))
    # And undone as one.
    page.go_back()
    page.get_by_text("Undo all…").click()
    page.get_by_role("button", name="Undo all 12 payments").click()
    expect(page.get_by_text("Undone", exact=True)).to_be_visible()
    assert {payment["status"] for payment in history(remit)[:12]} == {"voided"}


def a_session_is_refused_paid_and_added(sam: Person, remit: Embedded) -> None:
    page = sam.page
    olena = remit.client_called("Олена")
    day = clock.today("America/New_York") + timedelta(days=9)
    page.goto(f"{sam.portal}/calendar/add")
    page.get_by_label("Client", exact=True).fill("Олена")
    page.locator("#client-list").get_by_role("option").first.click()
    page.get_by_label("Service").select_option(label=str(page.locator("#service_id option").nth(1).text_content()))
    page.get_by_label("Day").fill(day.isoformat())
    page.get_by_label("Time").fill("15:00")
    gate = page.locator("#gate")
    expect(gate.locator(".verdict.bad")).to_be_visible()
    sam.look("day-gate-refuses")
    page.get_by_role("button", name="Add the session").click()  # all the same: the answer is the same
    expect(gate.locator(".verdict.bad")).to_be_visible()
    sam.complaints.clear()  # the browser logs the refusal's 409
    assert not coming(remit, olena)
    link = str(gate.get_by_label("Link that pays exactly").input_value())
    page.goto(link)
    page.get_by_role("button", name=re.compile(r"Pay \$.* by card")).click()
    sam.type_card()
    page.get_by_role("button", name=re.compile(r"^Pay \$")).click()
    expect(page.get_by_role("heading", name="Payment received")).to_be_visible()
    eventually(
        lambda: remit.call("GET", "billing", f"/clients/{olena}/session-eligibility").json()["eligible"], "the gate"
    )
    page.goto(f"{sam.portal}/calendar/add?client_id={olena}")
    page.get_by_label("Service").select_option(index=1)
    page.get_by_label("Day").fill(day.isoformat())
    page.get_by_label("Time").fill("15:00")
    expect(gate.locator(".verdict.good")).to_be_visible()
    sam.look("day-gate-opens")
    page.get_by_role("button", name="Add the session").click()
    expect(page.locator("main > [role=status]").first).to_be_visible()
    assert len(coming(remit, olena)) == 1
    sam.look("day-calendar")


def a_client_leaves(sam: Person, remit: Embedded) -> None:
    page = sam.page
    jose = remit.client_called("José")
    page.goto(f"{sam.portal}/clients/{jose}/availability")
    expect(page.get_by_role("heading", name="What is still open")).to_be_visible()
    sam.look("day-availability")
    page.get_by_label("First inactive day").fill(clock.today("America/New_York").isoformat())
    page.get_by_role("button", name="Make inactive from this day").click()
    expect(page.get_by_role("heading", name=re.compile("is inactive"))).to_be_visible()
    assert remit.call("GET", "billing", f"/clients/{jose}").json()["status"] == "inactive"
    page.goto(f"{sam.portal}/calendar/add?client_id={jose}")
    page.get_by_label("Service").select_option(index=1)
    expect(page.locator("#gate .verdict.bad")).to_be_visible()
    expect(page.locator("#gate")).to_contain_text(re.compile("inactive", re.IGNORECASE))


def figures_equal_the_api(sam: Person, remit: Embedded) -> None:
    page = sam.page
    totals = remit.call("GET", "billing", "/balances?limit=1").json()["totals"]
    page.goto(f"{sam.portal}/balances")
    for name, minor in (("Owed to you", totals["owed_minor"]), ("Prepaid by clients", totals["prepaid_minor"])):
        expect(page.locator("dl.figures > div", has_text=name).locator("dd")).to_have_text(format_money(minor, "USD"))
    lines = remit.call("GET", "billing", "/balances?limit=200").json()["items"]
    for line in lines:
        name = line.get("client_name") or line["name"]
        row = page.locator("table tbody tr", has=page.get_by_role("rowheader", name=name, exact=True))
        expect(row.locator(".sum")).to_have_text(line["in_words"])
    sam.look("day-balances")
    page.goto(f"{sam.portal}/service-reports")
    first, last = (page.get_by_label(label, exact=True).input_value() for label in ("From", "To"))
    report = remit.call("GET", "billing", f"/service-reports?from={first}&to={last}&limit=200").json()
    charged = format_money(report["totals"]["amount_minor"], "USD")
    expect(page.locator("dl.figures > div", has_text="Charged for services").locator("dd")).to_have_text(charged)
    by_service: dict[str, int] = {}
    for row in report["rows"]:
        by_service[row["service_name"]] = by_service.get(row["service_name"], 0) + row["amount_minor"]
    assert by_service
    for name, minor in by_service.items():
        row = page.locator("table tbody tr", has=page.get_by_role("rowheader", name=name, exact=True))
        expect(row.locator(".sum").last).to_have_text(format_money(minor, "USD"))
    sam.look("day-service-reports")


def paste(page: Page, words: str) -> None:
    """What Ctrl-V does, where there is no clipboard."""
    page.evaluate(
        """text => {
          const data = new DataTransfer();
          data.setData('text/plain', text);
          document.activeElement.dispatchEvent(
            new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true}));
        }""",
        words,
    )


def history(remit: Embedded) -> list[dict[str, Any]]:
    return list(remit.call("GET", "payments", "/payments?limit=200").json()["items"])


def coming(remit: Embedded, client_id: str) -> list[dict[str, Any]]:
    return list(remit.call("GET", "billing", f"/sessions?client_id={client_id}&status=scheduled").json()["items"])
