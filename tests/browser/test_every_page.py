"""Every page of the portal, as staff and as a client: nothing that hinders people (axe), light and dark, no wider than
a phone, all of it reached by the Tab key, nothing that moves after it is shown, and at most five calls to make it."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Response

from tests.browser.people import PICTURES, SIZES, WIDE, Person
from tests.harness.embedded import Embedded
from tests.harness.lived_in import lived_in
from tests.harness.portal import Route, invitation, pages_with, routes

CALLS = 5
# Beside the pages that have something to show, those that say what became of something.
MORE = {
    "client": (),
    "administrator": ("/assist?q=a", "/help?q=receipt", "/payments?q=Ada", "/payments/add?client_id={client_id}"),
}
DATE_STOPS = 4  # day, month, year, and the calendar beside them
# What is opened with a question only: what became of a payment, what fits a client.
ASKED = {"assist.paid", "home.paid", "paypal.back", "payments.client", "payments.of_client"}
# Only these may load anything of Stripe's; all others load what is ours.
TAKE_CARDS = {"home.show", "home.cards", "assist.show", "client_settings.cards"}
HINDERS = ("serious", "critical")
SLOW_LINE = {"offline": False, "latency": 0, "downloadThroughput": 6_000, "uploadThroughput": -1}  # bytes per second
WATCH_SHIFTS = """
window.moved = 0;
new PerformanceObserver(list => { for (const entry of list.getEntries()) window.moved += entry.value; })
  .observe({type: 'layout-shift', buffered: true});
"""
REACHABLE = """
() => [...document.querySelectorAll(
    'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')]
  .filter(e => !e.disabled && e.checkVisibility({visibilityProperty: true}) && e.tabIndex >= 0
    && !(e.type === 'radio' && !e.checked && document.querySelector(`input[name="${e.name}"]:checked`))
    && !(e.type === 'radio' && !e.checked && document.querySelector(`input[name="${e.name}"]`) !== e))
  .map((e, i) => { e.dataset.place = i; return e.outerHTML.slice(0, 120); })
"""


@pytest.fixture(scope="module")
def remit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    running = Embedded(tmp_path_factory.mktemp("pages"), demo=True)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def facts(remit: Embedded) -> dict[str, str]:
    return lived_in(remit)


@pytest.fixture(scope="module")
def all_routes(tmp_path_factory: pytest.TempPathFactory) -> list[Route]:
    return routes(tmp_path_factory.mktemp("routes"))


@pytest.mark.timeout(900)  # five minutes on a slow machine with nothing beside it
@pytest.mark.parametrize(("role", "who"), [("administrator", "staff"), ("client", "client")])
def test_every_page(
    browser: Browser, remit: Embedded, facts: dict[str, str], all_routes: list[Route], role: str, who: str
) -> None:
    roles = {"administrator": ("administrator", "operator")}.get(role, (role,))  # the demo's is the operator as well
    pages = [
        (route.endpoint, route.path(facts))
        for each in roles
        for route in pages_with(all_routes, each)
        if route.endpoint not in ASKED
    ]
    pages += [(path.partition("{")[0], path.format(**facts)) for path in MORE[role]]
    person = Person(browser, remit)
    page = person.page
    person.sign_in(remit.endpoints[who])
    page.add_init_script(WATCH_SHIFTS)
    faults = []
    for called, path in pages:
        answer = _open(page, remit, path)
        if answer is None:
            continue  # a file, or what a script asks for
        name = f"{role}-{re.sub('[^a-z]+', '-', called).strip('-')}"
        faults += [f"{path}: {fault}" for fault in [*_faults(page, answer), *_pictured(page, name)]]
        if ("frame-src" in answer.headers["content-security-policy"]) != (called in TAKE_CARDS):
            faults.append(f"{path}: {answer.headers['content-security-policy']}")
        page.emulate_media(color_scheme="dark")
        faults += [f"{path}, dark: {fault}" for fault in _hindrances(page, ["color-contrast"])]
        page.screenshot(path=PICTURES / f"{name}-dark.png", full_page=True)
        page.emulate_media(color_scheme="light")
    assert not faults, "\n".join(faults)
    person.leave()


@pytest.mark.timeout(300)
def test_what_is_open_to_everybody(browser: Browser, remit: Embedded, facts: dict[str, str]) -> None:
    """Signing in, a forgotten password, an invitation, a link to pay, and what is not there."""
    service = {"client_id": remit.client_called("Grace"), "service_id": facts["service_id"]}
    gate = remit.call("GET", "billing", f"/clients/{service['client_id']}/session-eligibility", params=service).json()
    portal = remit.url("portal")
    welcome = invitation(remit, "staff", "open@harmony.example").removeprefix(portal)
    pages = {
        "sign-in": "/sign-in", "forgot": "/forgot", "help": "/help/signing-in", "welcome": welcome,
        "pay": str(gate["pay_url"]).removeprefix(portal), "nothing": "/nothing-here",
    }  # fmt: skip
    person = Person(browser, remit)
    person.page.add_init_script(WATCH_SHIFTS)
    faults = []
    for name, path in pages.items():
        answer = person.page.goto(portal + path)
        assert answer is not None
        found = [
            *_faults(person.page, answer, 404 if name == "nothing" else 200),
            *_pictured(person.page, f"open-{name}"),
        ]
        person.page.emulate_media(color_scheme="dark")
        found += _hindrances(person.page, ["color-contrast"])
        person.page.emulate_media(color_scheme="light")
        faults += [f"{path}: {fault}" for fault in found]
    assert not faults, "\n".join(faults)
    person.complaints.clear()  # the browser logs the 404
    person.leave()


def test_a_page_that_comes_in_pieces(browser: Browser, remit: Embedded, facts: dict[str, str]) -> None:
    """It is first drawn when all of it is there: the columns of its table would move with each row."""
    person = Person(browser, remit)
    person.sign_in(remit.endpoints["staff"])
    page = person.page
    page.add_init_script(WATCH_SHIFTS)
    address = f"{remit.url('portal')}/clients/{facts['client_id']}/balance"
    page.goto(address)  # the stylesheet is kept, so that only the page is slow
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", SLOW_LINE)
    page.goto(address)
    assert _moved(page) == 0
    person.leave()


def _open(page: Page, remit: Embedded, path: str) -> Response | None:
    """The page, unless what is there is no page."""
    head = page.request.get(remit.url("portal") + path, max_redirects=0)
    if head.status in (302, 303) or "text/html" not in head.headers.get("content-type", ""):
        assert head.status < 400, f"{path} answered {head.status}"
        return None
    answer = page.goto(remit.url("portal") + path)
    assert answer is not None
    return answer


def _faults(page: Page, answer: Response, expected: int = 200) -> list[str]:
    found = []
    if answer.status != expected:
        found.append(f"answered {answer.status}")
    calls = re.search(r'calls;desc="(\d+)"', answer.headers["server-timing"])
    if calls is None or int(calls[1]) > CALLS:
        found.append(f"made {calls and calls[1]} calls")
    if (moved := _moved(page)) > 0:
        found.append(f"moved by {moved} after it was shown")
    found += _hindrances(page)
    if len(page.get_by_role("heading", level=1).all()) != 1:
        found.append("has not one first heading")
    found += _out_of_reach(page)
    return found


def _moved(page: Page) -> float:
    """By how much, as WATCH_SHIFTS saw it."""
    page.wait_for_timeout(100)
    return float(page.evaluate("window.moved"))


def _hindrances(page: Page, rules: list[str] | None = None) -> list[str]:
    options = {"runOnly": rules} if rules else None
    violations = Axe().run(page, options=options).response["violations"]
    return [
        f"axe {fault['id']} ({fault['impact']}): {node['html'][:160]}"
        for fault in violations
        if fault["impact"] in HINDERS
        for node in fault["nodes"][:3]
    ]


def _out_of_reach(page: Page) -> list[str]:
    """What can be clicked and is not reached by Tab."""
    wanted = page.evaluate(REACHABLE)
    page.evaluate("document.activeElement.blur()")
    reached = set()
    stops = len(wanted) + DATE_STOPS * page.locator("input[type=date], input[type=time]").count()
    for _ in range(stops + 5):
        page.keyboard.press("Tab")
        place = page.evaluate("document.activeElement.dataset.place")
        if place is not None:
            reached.add(int(place))
        if len(reached) == len(wanted):
            break
    return [f"not reached by Tab: {html}" for place, html in enumerate(wanted) if place not in reached]


def _pictured(page: Page, name: str) -> list[str]:
    """Pictures of a page at its sizes; what is wider than the screen."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    found = []
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            found.append(f"is {wide} px wide at {width}")
        if size != "360":
            page.screenshot(path=PICTURES / f"{name}-{size}.png", full_page=True)
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    return found
