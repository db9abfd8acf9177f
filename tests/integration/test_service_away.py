"""With one service down the rest of the portal works, and says what is missing: every page, each service cut off."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from common.runtime import Runtime
from common.service import find
from common.web.app import create_app
from portal.edge import SERVICE_WORDS
from services.portal.tests.support import Visitor
from tests.harness.embedded import Embedded
from tests.harness.lived_in import lived_in
from tests.harness.portal import Route, routes
from tests.harness.proxy import Wire

# Whose pages a service's absence may close. What stands beside them on other pages is missed, and said to be.
OWN: dict[str, tuple[str, ...]] = {
    "payments": ("/payments", "/revenue", "/unmatched", "/home/payments", "/clients/<client_id>/payments"),
    "billing": (
        "/clients", "/calendar", "/invoices", "/balances", "/service-reports", "/services", "/home", "/assist",
        "/settings/session-control", "/settings/reminders", "/payments/add", "/system/<service>",
    ),
    "gateway-stripe": (
        "/online-payments/stripe", "/clients/<client_id>/cards", "/home/cards", "/home/paid",
        "/assist/<client_id>/paid", "/system/notices",
    ),
    "gateway-paypal": ("/online-payments/paypal", "/home/paypal", "/system/notices"),
    "notifications": ("/settings/e-mails",),
}  # fmt: skip


@dataclass(frozen=True)
class Cut:
    """A portal that reaches the others by wires, and people who are signed in to it."""

    wires: dict[str, Wire]
    people: dict[str, Visitor]
    pages: list[tuple[Route, str, str]]


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cut]:
    remit = Embedded(tmp_path_factory.mktemp("away"), demo=True)
    facts = lived_in(remit)
    wires = {name: Wire(urlsplit(remit.url(name)).port or 0) for name in OWN}
    urls = {f"{name.upper().replace('-', '_')}_URL": wire.url for name, wire in wires.items()}
    service = find("portal")
    runtime = Runtime.open(service, service.settings.read({**remit.environ, **urls}))
    app = create_app(runtime)
    people = {}
    for role, who in (("administrator", "staff"), ("client", "client")):
        people[role] = Visitor(app)
        assert people[role].sign_in(remit.endpoints[who]["email"], remit.endpoints[who]["password"]).status_code == 303
    pages = [
        (route, role, route.path(facts))
        for route in _routes(tmp_path_factory.mktemp("routes"))
        for role in people
        if role in route.roles or (role == "administrator" and "operator" in route.roles)
    ]
    yield Cut(wires, people, pages)
    runtime.database.close()
    remit.stop()


def _routes(folder: Path) -> list[Route]:
    return [route for route in routes(folder) if route.method == "GET"]


@pytest.mark.parametrize("service", OWN)
def test_the_rest_works(cut: Cut, service: str) -> None:
    for person in cut.people.values():
        person.get("/account")  # which business this is has been seen before
    cut.wires[service].cut()
    faults = []
    still_there = 0
    try:
        for route, role, path in cut.pages:
            answer = cut.people[role].get(path)
            still_there += answer.status_code < 400
            if answer.status_code == 503 and route.rule.startswith(OWN[service]):
                if answer.mimetype == "text/html" and not _says(answer.text, service):
                    faults.append(f"{path} does not say what is missing")
            elif answer.status_code >= 500:
                faults.append(f"{role}: {path} answered {answer.status_code}")
    finally:
        cut.wires[service].mend()
    assert not faults, "\n".join(faults)
    assert still_there > len(cut.pages) / 4


def test_what_is_missing_is_said_where_it_is_missed(cut: Cut) -> None:
    """A client's own page without its payments, and without its cards."""
    client = cut.people["client"]
    cut.wires["payments"].cut()
    page = client.get("/home")
    cut.wires["payments"].mend()
    assert page.status_code == 200
    assert _says(page.text, "payments")
    assert 'id="balance"' in page.text
    again = client.get("/home")
    assert again.status_code == 200
    assert not _says(again.text, "payments")


def _says(page: str, service: str) -> bool:
    return f"{SERVICE_WORDS[service]} cannot be shown right now" in page and "whoever runs Remit for you" in page
