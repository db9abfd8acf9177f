"""No page of one business or client is reachable by another: every route of the portal, asked by all who must not."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from common.testing import eventually
from tests.harness.embedded import Embedded
from tests.harness.lived_in import lived_in
from tests.harness.portal import Route, Visitor, invited, routes

# Arguments of paths that are nobody's own.
EVERYBODYS = {"topic", "how", "kind", "gateway", "service"}
MONEY = {"amount": "10.00", "amount_minor": "1000", "currency": "USD", "price": "10.00"}
WORDS = {"reason": "try", "method": "cash", "to": "x@evil.example", "email": "x@evil.example", "name": "Mallory"}


@dataclass(frozen=True)
class House:
    """A running Remit; `facts` are what business one's pages are about, `strangers` those who must not see them."""

    remit: Embedded
    routes: list[Route]
    facts: dict[str, str]
    strangers: dict[str, Visitor]
    secrets: list[str]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    remit = Embedded(tmp_path_factory.mktemp("house"), demo=True)
    facts = lived_in(remit)
    other = _second_business(remit)
    zoe = remit.call(
        "POST", "billing", "/clients", other, json={"name": "Zoe Other", "email": "zoe@other.example"}
    ).json()["id"]
    bela = remit.client_called("Béla")
    strangers = {
        "nobody": Visitor(remit.url("portal")),
        "another client": invited(remit, "client", "bela@example.com", bela),
        "staff of another business": invited(remit, "staff", "staff@other.example", business_id=other),
        "administrator of another business": invited(remit, "administrator", "boss@other.example", business_id=other),
        "client of another business": invited(remit, "client", "zoe@other.example", zoe, business_id=other),
    }
    own = {"name": "Adelheid Onlyone", "email": "adelheid@onlyone.example"}  # in no example that a page shows
    assert remit.call("PATCH", "billing", f"/clients/{facts['client_id']}", json=own).ok
    secrets = [
        own["name"],
        own["email"],
        *(value for name, value in facts.items() if _is_own(name)),
    ]
    yield House(remit, routes(tmp_path_factory.mktemp("routes")), facts, strangers, secrets)
    remit.stop()


def _is_own(name: str) -> bool:
    return name.rpartition(".")[2] not in EVERYBODYS | {"service_id"}  # the catalogue's ids stand in every filter


def _second_business(remit: Embedded) -> str:
    body = {"name": "Other Studio", "currency": "USD", "time_zone": "UTC"}
    headers = {"Authorization": f"Bearer {remit.endpoints['token']}"}
    made = requests.post(f"{remit.url('billing')}/v1/businesses", json=body, headers=headers, timeout=30)
    assert made.status_code == 201, made.text
    business_id = str(made.json()["id"])
    for service, path in (("payments", "/payments"), ("gateway-stripe", "/stripe"), ("notifications", "/emails")):
        eventually(lambda s=service, p=path: remit.call("GET", s, p, business_id).ok, f"{service} to know it")
    return business_id


def test_no_page_is_reached_by_a_stranger(house: House) -> None:
    asked, faults = 0, []
    for route in (route for route in house.routes if route.method == "GET" and route.roles):
        for who, stranger in house.strangers.items():
            for path in (route.path(house.facts), _with_query(route, house.facts)):
                answer = stranger.get(path)
                asked += 1
                said = f"{who}: GET {path} answered {answer.status_code}"
                is_about_somebody = bool(set(route.arguments) - EVERYBODYS)
                if answer.status_code >= 500 or (is_about_somebody and answer.status_code not in (303, 403, 404)):
                    faults.append(said)
                faults += [f"{said}, and told {secret}" for secret in _told(house, answer, path)]
    assert not faults, "\n".join(faults)
    assert asked > 300  # the portal is larger than a handful of pages


def test_no_form_is_taken_from_a_stranger(house: House) -> None:
    before, faults = _state(house.remit), []
    for route in (route for route in house.routes if route.method == "POST" and route.roles):
        if route.endpoint in ("signing_in.sign_out_everywhere", "signing_in.change_password"):
            continue  # their own
        for who, stranger in house.strangers.items():
            path = route.path(house.facts)
            form = {**house.facts, **MONEY, **WORDS, "client": "Adelheid Onlyone", "invoice": house.facts["reference"],
                    "card": house.facts["card_id"], "attempt": f"{route.endpoint}-{who}"}  # fmt: skip
            for accept in ("text/html", "application/json"):  # by hand, and by a script of ours
                answer = stranger.post(path, form, headers={"Accept": accept})
                said = f"{who}: POST {path} answered {answer.status_code}"
                is_about_somebody = bool(set(route.arguments) - EVERYBODYS)
                if answer.status_code >= 500 or (is_about_somebody and not _is_refused(answer)):
                    faults.append(said)
                faults += [f"{said}, and told {it}" for it in _told(house, answer, *form.values())]
    assert not faults, "\n".join(faults)
    assert _state(house.remit) == before


def _is_refused(answer: requests.Response) -> bool:
    if answer.status_code == 303:
        return "/sign-in" in answer.headers["Location"]
    return answer.status_code in (401, 403, 404, 422)


def _told(house: House, answer: requests.Response, *asked: str) -> list[str]:
    """What an answer tells of somebody else. What was asked for may be repeated in it."""
    shown = answer.text if "text" in answer.headers.get("Content-Type", "text") else ""
    return [secret for secret in house.secrets if secret in shown and not any(secret in said for said in asked)]


def _with_query(route: Route, facts: dict[str, str]) -> str:
    """The same page, asked for somebody else's things in its query."""
    query = "&".join(f"{name}={value}" for name, value in facts.items() if name in ("client_id", "batch_id"))
    return f"{route.path(facts)}?{query}"


def _state(remit: Embedded) -> dict[str, Any]:
    """All that a stranger's form could have changed in business one."""
    paths = {
        "billing": ["", "/clients", "/balances", "/services", "/sessions", "/invoices", "/reminders"],
        "payments": ["/payments", "/unmatched"],
        "gateway-stripe": ["/stripe", f"/clients/{remit.endpoints['client']['client_id']}/payment-methods"],
        "gateway-paypal": ["/paypal"],
        "notifications": ["/email-settings"],
    }
    found = {
        f"{service} {path}": remit.call("GET", service, path, params={"limit": 200} if path else None).json()
        for service, some in paths.items()
        for path in some
    }
    for path in ("billing /balances",):
        found[path].pop("as_of", None)
    return found
