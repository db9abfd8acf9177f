"""A demo business with clients, sessions and payments, made through the APIs as any team would. Every call carries an
idempotency key, so a start that was killed half-way goes on where it was."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import requests

TIMEOUT_SECONDS = 30
ZONE = "America/New_York"
CLIENTS = [
    ("Ada Lovelace", "ada@example.com", "C-001"),
    ("Béla Bartók", "bela@example.com", "C-002"),
    ("陳美玲", "meiling@example.com", "C-003"),
    ("Олена Коваль", "olena@example.com", "C-004"),
    ("محمد الفاسي", "mohammed@example.com", "C-005"),
    ("Grace Hopper", "grace@example.com", "C-006"),
    ("अनिता शर्मा", "anita@example.com", "C-007"),
    ("José Ñíguez", None, "C-008"),
]
PAYMENTS = [
    ("C-001", "120.00", "bank_transfer", 9), ("C-002", "45.00", "cash", 7), ("C-003", "90.00", "card_terminal", 6),
    ("C-004", "60.00", "bank_transfer", 5), ("C-005", "45.50", "cash", 3), ("C-001", "30.00", "cash", 2),
    ("C-007", "200.00", "check", 1), ("C-008", "15.00", "cash", 0),
]  # fmt: skip

DEMO_KEY = "test_demo0000000000000000"
PAYPAL_CLIENT = "harmony"
SERVICES = [("Piano lesson", 4500, 45), ("Voice lesson", 5000, 60), ("Music theory, in a group", 2000, 60)]
# Client, service, days from today, at what hour, and what became of it.
SESSIONS = [
    ("C-001", 0, -8, 15, "complete"), ("C-002", 1, -7, 16, "complete"), ("C-003", 2, -6, 17, "miss"),
    ("C-004", 0, -5, 10, "complete"), ("C-006", 1, -4, 11, "complete"), ("C-005", 2, -3, 17, "cancel"),
    ("C-007", 1, -2, 15, "complete"), ("C-001", 0, -1, 15, "complete"), ("C-007", 1, 2, 15, None),
    ("C-001", 0, 3, 15, None), ("C-003", 2, 5, 17, None),
]  # fmt: skip
# Those who come every week: name, reference, service, weekday, at what hour, lessons paid for ahead, and how.
WEEKLY = [
    ("Clara Schumann", "C-101", 0, 0, 15, 6, "bank_transfer"), ("Nadia Boulanger", "C-102", 1, 0, 16, 4, "check"),
    ("Miles Davis", "C-103", 0, 0, 17, 2, "cash"), ("Fela Kuti", "C-104", 2, 1, 17, 6, "cash"),
    ("Violeta Parra", "C-105", 2, 1, 17, 5, "cash"), ("Ravi Shankar", "C-106", 1, 1, 15, 4, "bank_transfer"),
    ("Ella Fitzgerald", "C-107", 1, 2, 15, 8, "card_terminal"), ("Bill Evans", "C-108", 0, 2, 16, 3, "card_terminal"),
    ("Mercedes Sosa", "C-109", 1, 2, 17, 4, "bank_transfer"), ("Toru Takemitsu", "C-110", 0, 3, 15, 6, "bank_transfer"),
    ("Umm Kulthum", "C-111", 1, 3, 16, 5, "check"), ("Arvo Pärt", "C-112", 2, 3, 17, 0, "cash"),
    ("Nina Simone", "C-113", 0, 4, 14, 4, "card_terminal"), ("Jean Sibelius", "C-114", 1, 4, 15, 1, "cash"),
    ("Césaria Évora", "C-115", 2, 4, 16, 10, "bank_transfer"), ("Lata Mangeshkar", "C-116", 0, 4, 17, 5, "cash"),
]  # fmt: skip
WEEKS_PAST, WEEKS_TO_COME = 4, 2
INVOICED = {"C-103", "C-112", "C-114"}


def first_business(
    endpoints: Mapping[str, str], token: str, done_file: Path, *, with_demo: bool, today: date
) -> dict[str, Any]:
    """The first business, made if there is none; with demo clients and payments when asked for, until `done_file`
    says that they are there."""
    api = _Api(token)
    billing, payments = endpoints["billing"] + "/v1/businesses", endpoints["payments"] + "/v1/businesses"
    found = api.call("GET", f"{billing}?limit=1")["items"]
    name = "Harmony Music School" if with_demo else "My business"
    if found and (done_file.exists() or not with_demo):
        return dict(found[0])
    body = {
        "name": name,
        "currency": "USD",
        "time_zone": ZONE,
        "reply_to_email": "office@harmony.example",
    }
    business = found[0] if found else api.call("POST", billing, body, key="first-business")
    if with_demo:
        weekly = [(name, f"{ref.lower()}@example.com", ref) for name, ref, *_ in WEEKLY]
        clients = [{"name": name, "email": email, "external_ref": ref} for name, email, ref in [*CLIENTS, *weekly]]
        made = api.call("POST", f"{billing}/{business['id']}/clients/batch", {"clients": clients}, key="demo-clients")
        ids = {client["external_ref"]: client["id"] for client in made["clients"]}
        url = f"{billing}/{business['id']}"
        services = _offer_services(api, url)
        _hold_sessions(api, url, services, ids, today)
        _hold_a_month(api, url, services, ids, today)
        rows = [f"{ref},{amount},{method},{today - timedelta(days=ago)}" for ref, amount, method, ago in PAYMENTS]
        rows += [
            f"{ref},{lessons * SERVICES[service][1] / 100:.2f},{method},{today - timedelta(days=29 - 3 * (number % 4))}"
            for number, (_, ref, service, _, _, lessons, method) in enumerate(WEEKLY)
            if lessons
        ]
        csv = "\n".join(["client,amount,method,received_on", *rows])
        api.call("POST", f"{payments}/{business['id']}/payments/batch", csv, key="demo-payments")
        control = {"session_control": {"prepayment_required": True, "threshold_minor": 3000}}
        api.call("PATCH", f"{billing}/{business['id']}", control)
    done_file.touch()
    return dict(business)


def take_cards(endpoints: Mapping[str, str], token: str, business_id: str) -> None:
    """Save test keys, so that cards can be tried: the sandbox's Stripe takes any."""
    api = _Api(token)
    settings = f"{endpoints['gateway-stripe']}/v1/businesses/{business_id}/stripe"
    if api.call("GET", settings)["test_secret_key"] is None:
        keys = {"test_publishable_key": f"pk_{DEMO_KEY}", "test_secret_key": f"sk_{DEMO_KEY}"}
        api.call("PUT", settings, {"mode": "test", "allow_client_initiated_payments": True, **keys})


def take_paypal(endpoints: Mapping[str, str], token: str, business_id: str) -> None:
    """Save the sandbox's PayPal, so that it can be tried: it takes any credentials. Its account sends messages here."""
    api = _Api(token)
    settings = f"{endpoints['gateway-paypal']}/v1/businesses/{business_id}/paypal"
    if api.call("GET", settings)["business_email"] is not None:
        return
    email = f"{PAYPAL_CLIENT}@business.example"
    api.call("PUT", settings, {
        "mode": "sandbox", "checkout": "orders", "business_email": email, "allow_client_initiated_payments": True,
        "client_id": PAYPAL_CLIENT, "client_secret": "sandbox-secret",
    })  # fmt: skip
    notify = {"notify_url": api.call("GET", f"{settings}/ipn-instructions")["notify_url"]}
    api.call("PUT", f"{endpoints['sandbox']}/paypal/_control/accounts/{email}", notify)


def demo_client(endpoints: Mapping[str, str], token: str, business_id: str) -> dict[str, Any] | None:
    """The client who can sign in, unless somebody changed that one."""
    url = f"{endpoints['billing']}/v1/businesses/{business_id}/clients?external_ref={CLIENTS[0][2]}"
    found = [client for client in _Api(token).call("GET", url)["items"] if client["email"]]
    return dict(found[0]) if found else None


def _offer_services(api: "_Api", billing: str) -> list[str]:
    """The ids of the services, as they stand in SERVICES."""
    ids = []
    for number, (name, price_minor, minutes) in enumerate(SERVICES):
        body = {"name": name, "price_minor": price_minor, "duration_minutes": minutes}
        ids.append(api.call("POST", f"{billing}/services", body, key=f"demo-service-{number}")["id"])
    return ids


def _hold_a_month(api: "_Api", billing: str, services: list[str], client_ids: Mapping[str, str], today: date) -> None:
    """The weeks of those who come every week; who owes has an invoice for what took place."""
    monday = today - timedelta(days=today.weekday())
    for _, ref, service, weekday, hour, *_ in WEEKLY:
        held = []
        for week in range(-WEEKS_PAST, WEEKS_TO_COME):
            day = monday + timedelta(weeks=week, days=weekday)
            starts_at = datetime.combine(day, time(hour), ZoneInfo(ZONE)).isoformat()
            body = {"client_id": client_ids[ref], "service_id": services[service], "starts_at": starts_at}
            added = api.call("POST", f"{billing}/sessions", body, key=f"demo-{ref}-{week}")
            if added and day < today:
                outcome = "miss" if (hour + weekday + week) % 9 == 0 else "complete"
                api.call("POST", f"{billing}/sessions/{added['id']}/{outcome}", key=f"demo-{ref}-{week}-outcome")
                held.append(added["id"])
        if ref in INVOICED and held:
            invoice = {"client_id": client_ids[ref], "session_ids": held}
            api.call("POST", f"{billing}/invoices", invoice, key=f"demo-{ref}-invoice")


def _hold_sessions(
    api: "_Api", billing: str, service_ids: list[str], client_ids: Mapping[str, str], today: date
) -> None:
    """Sessions of the days around today, and an invoice for one of them."""
    for number, (client, service, days, hour, outcome) in enumerate(SESSIONS):
        starts_at = datetime.combine(today + timedelta(days=days), time(hour), ZoneInfo(ZONE))
        body = {
            "client_id": client_ids[client], "service_id": service_ids[service], "starts_at": starts_at.isoformat(),
        }  # fmt: skip
        added = api.call("POST", f"{billing}/sessions", body, key=f"demo-session-{number}")
        if outcome and added:
            api.call("POST", f"{billing}/sessions/{added['id']}/{outcome}", key=f"demo-outcome-{number}")
        if client == "C-006" and added:
            invoice = {"client_id": client_ids[client], "session_ids": [added["id"]]}
            api.call("POST", f"{billing}/invoices", invoice, key="demo-invoice")


class _Api:
    def __init__(self, token: str) -> None:
        self._headers = {"Authorization": f"Bearer {token}"}

    def call(self, method: str, url: str, body: Any = None, key: str | None = None) -> Any:
        headers = {**self._headers, **({"Idempotency-Key": key} if key else {})}
        sent: dict[str, Any] = {"json": body}
        if isinstance(body, str):
            headers["Content-Type"] = "text/csv"
            sent = {"data": body.encode()}
        answer = requests.request(method, url, headers=headers, timeout=TIMEOUT_SECONDS, **sent)
        if answer.status_code == 422 and "idempotency_key_reused" in answer.text:
            return {}  # made on another day: the dates in it differ
        if not answer.ok:
            raise RuntimeError(f"{method} {url} answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()
