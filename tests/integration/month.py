"""A month of a studio, made from a seed through the APIs, and the same month added up again by other means.

What is expected is kept here in plain dictionaries while requests are sent; nothing of it is read from Remit.
"""

import csv
import io
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from common.testing import eventually
from tests.integration.remit import Remit
from tests.integration.story import pages

CLIENTS = 40
SERVICES = 6
SESSIONS = 900
ZONE = "America/New_York"  # its clocks change in this month
FIRST, LAST = date(2026, 3, 1), date(2026, 3, 31)
METHODS = ("cash", "check", "bank_transfer", "card_terminal", "other")
THREADS = 6


@dataclass
class Paid:
    """A payment as it was sent, and what of it was given back."""

    client: int
    amount_minor: int
    day: date
    invoice: str | None = None
    back_minor: int = 0
    id: str = ""


@dataclass
class Entry:
    """One change of a client's balance, by its effective day."""

    client: int
    day: date
    minor: int


@dataclass
class Month:
    """What was done, and what must come of it. Clients and services are numbers until they have ids."""

    remit: Remit
    seed: int
    client_ids: list[str] = field(default_factory=list)
    service_ids: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    income: Counter[tuple[int, int, date]] = field(default_factory=Counter)
    sessions: Counter[tuple[int, int, date]] = field(default_factory=Counter)
    held: defaultdict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    ahead: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    prices: dict[str, int] = field(default_factory=dict)
    payments: list[Paid] = field(default_factory=list)
    invoices: dict[str, tuple[int, int]] = field(default_factory=dict)  # number → (client, total)
    void: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.today = datetime.now(UTC).astimezone(ZoneInfo(ZONE)).date()

    # --- what is done ---

    def live(self) -> None:
        """Everything that happens, in an order in which each thing finds what it needs."""
        self._register()
        self._hold_sessions()
        self._invoice()
        self._pay()
        self._wait_until_booked()
        self._give_back()
        self._adjust()
        self._wait_until_booked()

    def _register(self) -> None:
        new = [{"name": f"Client {n:02}", "email": f"month{n}@example.com"} for n in range(CLIENTS)]
        made = self.call("POST", "billing", "/clients/batch", {"clients": new})
        self.client_ids = [client["id"] for client in made["clients"]]
        for n in range(SERVICES):
            body = {"name": f"Service {n}", "price_minor": 1500 + 725 * n, "duration_minutes": 30 + 15 * n}
            self.service_ids.append(self.call("POST", "billing", "/services", body)["id"])

    def _hold_sessions(self) -> None:
        plans = []
        for _ in range(SESSIONS):
            client, service = self.random.randrange(CLIENTS), self.random.randrange(SERVICES)
            minutes = self.random.randrange(31 * 24 * 4) * 15
            local = datetime(2026, 3, 1, tzinfo=ZoneInfo(ZONE)).astimezone(UTC) + timedelta(minutes=minutes)
            fate = self.random.choices(["complete", "miss", "cancel", "take back", "leave"], [70, 10, 8, 4, 8])[0]
            price_minor = 1500 + 725 * service if self.random.random() < 0.8 else self.random.randrange(100, 20_000)
            plans.append((client, service, local, fate, price_minor))
        for plan, session_id in zip(plans, self.each(self._hold, plans), strict=True):
            self._expect_session(session_id, *plan)

    def _hold(self, plan: tuple[int, int, datetime, str, int]) -> str:
        client, service, starts_at, fate, price_minor = plan
        body = {
            "client_id": self.client_ids[client], "service_id": self.service_ids[service],
            "starts_at": starts_at.isoformat(), "price_minor": price_minor,
        }  # fmt: skip
        session_id = str(self.call("POST", "billing", "/sessions", body)["id"])
        steps = {"take back": ["complete", "cancel"], "leave": []}.get(fate, [fate])
        for step in steps:
            self.call("POST", "billing", f"/sessions/{session_id}/{step}")
        return session_id

    def _expect_session(
        self, session_id: str, client: int, service: int, starts_at: datetime, fate: str, price_minor: int
    ) -> None:
        day = starts_at.astimezone(ZoneInfo(ZONE)).date()
        self.prices[session_id] = price_minor
        if fate == "leave":
            self.ahead[client] += price_minor
        if fate in ("complete", "miss", "take back"):
            self._charge(client, service, day, price_minor, 1)
        if fate == "take back":
            self._charge(client, service, self.today, -price_minor, -1)
        if fate in ("complete", "miss", "leave"):
            self.held[client].append(session_id)

    def _charge(self, client: int, service: int, day: date, minor: int, sessions: int) -> None:
        self.entries.append(Entry(client, day, -minor))
        self.income[client, service, day] += minor
        self.sessions[client, service, day] += sessions

    def _invoice(self) -> None:
        for client in self.random.sample(range(CLIENTS), 30):
            ids = self.held[client][: self.random.randrange(1, 9)]
            lines = [self.random.randrange(100, 5_000) for _ in range(self.random.randrange(3))]
            body = {
                "client_id": self.client_ids[client], "session_ids": ids,
                "lines": [{"description": f"Book {n}", "amount_minor": minor} for n, minor in enumerate(lines)],
            }  # fmt: skip
            made = self.call("POST", "billing", "/invoices", body)
            total_minor = sum(self.prices[session_id] for session_id in ids) + sum(lines)
            assert made["total_minor"] == total_minor
            self.invoices[made["number"]] = (client, total_minor)
            for minor in lines:
                self._charge(client, -1, self.today, minor, 0)
            if self.random.random() < 0.15:
                self.call("POST", "billing", f"/invoices/{made['number']}/void", {"reason": "made from the seed"})
                self.void.add(made["number"])
                for minor in lines:
                    self._charge(client, -1, self.today, -minor, 0)

    def _pay(self) -> None:
        """Payments of every method; each invoice is named by at most one, of which it may be less than all."""
        for number, (client, total_minor) in self.invoices.items():
            amount_minor = self.random.choice([total_minor, max(1, total_minor // 3), total_minor + 700])
            if self.random.random() < 0.8:
                self.payments.append(Paid(client, amount_minor, self._day(), number))
        for _ in range(400):
            client = self.random.randrange(CLIENTS)
            self.payments.append(Paid(client, self.random.randrange(100, 20_000), self._day()))
        rows = [
            {
                "client_id": self.client_ids[paid.client], "amount_minor": paid.amount_minor,
                "method": METHODS[n % len(METHODS)], "received_on": paid.day.isoformat(),
                **({"invoice_number": paid.invoice} if paid.invoice else {}),
            }
            for n, paid in enumerate(self.payments)
        ]  # fmt: skip
        body = {"payments": rows, "allow_duplicates": True}
        made = self.call("POST", "payments", "/payments/batch", body)
        for paid, shown in zip(self.payments, made["payments"], strict=True):
            paid.id = shown["id"]
            self.entries.append(Entry(paid.client, paid.day, paid.amount_minor))

    def _give_back(self) -> None:
        chosen = self.random.sample(self.payments, 60)
        plans = [(paid, self.random.randrange(1, paid.amount_minor + 1)) for paid in chosen[:40]]
        self.each(lambda plan: self.call("POST", "payments", f"/payments/{plan[0].id}/refunds", {
            "amount_minor": plan[1], "reason": "made from the seed"}), plans)  # fmt: skip
        for paid, minor in plans:
            paid.back_minor = minor
        self.each(lambda paid: self.call("POST", "payments", f"/payments/{paid.id}/void", {
            "reason": "made from the seed"}), chosen[40:])  # fmt: skip
        for paid in chosen[40:]:
            paid.back_minor = paid.amount_minor
        for paid in chosen:
            self.entries.append(Entry(paid.client, self.today, -paid.back_minor))

    def _adjust(self) -> None:
        for _ in range(25):
            client, minor = self.random.randrange(CLIENTS), self.random.randrange(1, 5_000)
            kind = self.random.choice(["credit", "debit"])
            path = f"/clients/{self.client_ids[client]}/adjustments"
            self.call("POST", "billing", path, {"kind": kind, "amount_minor": minor, "reason": "made from the seed"})
            self.entries.append(Entry(client, self.today, minor if kind == "credit" else -minor))

    # --- what must come of it ---

    def check(self) -> None:
        self._check_balances()
        self._check_service_report()
        self._check_invoices()
        for client in range(0, CLIENTS, 7):
            self._check_statement(client)

    def balances(self) -> Counter[str]:
        found: Counter[str] = Counter(dict.fromkeys(self.client_ids, 0))
        for entry in self.entries:
            found[self.client_ids[entry.client]] += entry.minor
        return found

    def _check_balances(self) -> None:
        expected = self.balances()
        shown = pages(self.remit, "billing", "/balances")
        assert {line["client_id"]: line["balance_minor"] for line in shown} == dict(expected)
        totals = self.call("GET", "billing", "/balances")["totals"]
        assert totals["owed_minor"] == -sum(minor for minor in expected.values() if minor < 0)
        assert totals["prepaid_minor"] == sum(minor for minor in expected.values() if minor > 0)
        assert totals["clients"] == CLIENTS
        ageing = self.call("GET", "billing", "/balances/ageing")
        assert ageing["owed_minor"] == totals["owed_minor"]
        for client, client_id in enumerate(self.client_ids):
            found = self.call("GET", "billing", f"/clients/{client_id}/balance")
            assert found["reserved_minor"] == self.ahead[client]

    def _check_service_report(self) -> None:
        for first, last in ((FIRST, LAST), (date(2026, 3, 8), date(2026, 3, 8)), (FIRST, self.today)):
            expected: dict[tuple[str, str], list[int]] = {}
            for (client, service, day), minor in self.income.items():
                if first <= day <= last:
                    key = (self.client_ids[client], self.service_ids[service] if service >= 0 else "other")
                    line = expected.setdefault(key, [0, 0])
                    line[0] += self.sessions[client, service, day]
                    line[1] += minor
            rows, cursor, report = [], None, {}
            while cursor is not None or not rows:
                params = {"from": first, "to": last, "limit": 50, "cursor": cursor}
                report = self.remit.call("GET", "billing", "/service-reports", params=params).json()
                rows += report["rows"]
                cursor = report["next_cursor"]
                if cursor is None:
                    break
            shown = {(row["client_id"], row["service_id"]): [row["sessions"], row["amount_minor"]] for row in rows}
            assert shown == expected
            assert report["totals"] == {
                "sessions": sum(line[0] for line in expected.values()),
                "amount_minor": sum(line[1] for line in expected.values()),
            }
            by_service = {line["service_id"]: line["amount_minor"] for line in report["services"]}
            for service_id in {key[1] for key in expected}:
                assert by_service[service_id] == sum(v[1] for k, v in expected.items() if k[1] == service_id)

    def _check_invoices(self) -> None:
        paid_for = {paid.invoice: paid for paid in self.payments if paid.invoice}
        shown = {invoice["number"]: invoice for invoice in pages(self.remit, "billing", "/invoices")}
        assert sorted(shown) == [f"INV-{n:06}" for n in range(1, len(self.invoices) + 1)]
        for number, (_, total_minor) in self.invoices.items():
            paid = paid_for.get(number)
            paid_minor = 0 if paid is None else min(paid.amount_minor, total_minor, paid.amount_minor - paid.back_minor)
            status = "paid" if paid_minor == total_minor else "pending"
            if number in self.void:
                paid_minor, status = 0, "void"
            assert (shown[number]["paid_minor"], shown[number]["status"]) == (paid_minor, status), number
        flagged = {flag["payment_id"] for flag in pages(self.remit, "billing", "/payment-flags")}
        assert flagged == {paid.id for paid in self.payments if paid.invoice in self.void}

    def _check_statement(self, client: int) -> None:
        mine = [entry for entry in self.entries if entry.client == client]
        for first, last in ((FIRST, LAST), (date(2026, 3, 10), date(2026, 3, 20)), (FIRST, self.today)):
            opening_minor = sum(entry.minor for entry in mine if entry.day < first)
            within = [entry for entry in mine if first <= entry.day <= last]
            path = f"/clients/{self.client_ids[client]}/statement"
            shown = self.remit.call("GET", "billing", path, params={"from": first, "to": last}).json()
            assert shown["opening_minor"] == opening_minor
            assert shown["closing_minor"] == opening_minor + sum(entry.minor for entry in within)
            changes = Counter((line["effective_on"], line["change_minor"]) for line in shown["lines"])
            assert changes == Counter((entry.day.isoformat(), entry.minor) for entry in within)
            balance_minor = opening_minor
            for line in shown["lines"]:
                balance_minor += line["change_minor"]
                assert line["balance_minor"] == balance_minor
            text = self.remit.call("GET", "billing", f"{path}.csv", params={"from": first, "to": last}).text
            rows = list(csv.DictReader(io.StringIO(text)))
            assert Decimal(rows[0]["balance"]) * 100 == opening_minor
            assert Decimal(rows[-1]["balance"]) * 100 == shown["closing_minor"]
            assert len(rows) == len(within) + 2

    # --- inside ---

    def call(self, method: str, service: str, path: str, body: Any = None) -> Any:
        answer = self.remit.call(method, service, path, json=body)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def each(self, act: Callable[[Any], Any], things: Iterable[Any]) -> list[Any]:
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(act, things))

    def _day(self) -> date:
        return FIRST + timedelta(days=self.random.randrange(31))

    def _wait_until_booked(self) -> None:
        expected = dict(self.balances())

        def booked() -> bool:
            shown = pages(self.remit, "billing", "/balances")
            return {line["client_id"]: line["balance_minor"] for line in shown} == expected

        eventually(booked, "every entry to be booked", 60)
