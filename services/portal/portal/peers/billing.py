"""billing: the business, clients, balances, the catalogue, sessions, invoices and reports."""

from collections.abc import Sequence
from typing import Any

import requests

from portal.peers.asking import Answer, Peer, Query, safe

CSV = "text/csv"
# Ten thousand rows take their time.
MANY_SECONDS = 60.0


class Billing(Peer):
    name = "billing"
    reads = "billing:read"
    writes = "billing:write"

    # --- the business ---

    def business(self) -> Answer:
        """{id, name, currency, time_zone, reply_to_email, session_control, …}; remembered for a moment."""
        return self._remit.known.business(self._remit.business_id, lambda: self.get(""))

    def business_now(self) -> Answer:
        """The business as it stands, for a form that changes it: what is remembered may be half a minute old."""
        found = self.get("")
        self._remit.known.remember(self._remit.business_id, found)
        return found

    def change_business(self, changes: Answer) -> Answer:
        changed = self.patch("", changes)
        self._remit.known.remember(self._remit.business_id, changed)
        return changed

    # --- clients ---

    def clients(self, query: Query) -> Answer:
        """By name; filters status, email, external_ref, q."""
        return self.get("/clients", query)

    def clients_csv(self, query: Query) -> requests.Response:
        return self.file("/clients", query, CSV)

    def clients_like(self, words: str, limit: int) -> list[Answer]:
        return self.items("/clients", {"q": words, "limit": limit})

    def clients_of(self, client_ids: Sequence[str]) -> dict[str, Answer]:
        """Client id → client, of those who are there."""
        found = self.post("/clients/lookup", {"ids": list(client_ids)}, scope=self.reads)["items"]
        return {str(client["id"]): client for client in found}

    def client(self, client_id: str) -> Answer:
        return self.get(f"/clients/{safe(client_id)}")

    def add_client(self, body: Answer, key: str) -> Answer:
        return self.post("/clients", body, key)

    def add_clients(self, csv: bytes, key: str) -> Answer:
        """All of a CSV file's clients, or none: {count, clients}."""
        headers = {"Content-Type": "text/csv", "Idempotency-Key": key}
        answer = self.ask("POST", "/clients/batch", data=csv, headers=headers, timeout_seconds=MANY_SECONDS)
        return dict(answer.json())

    def change_client(self, client_id: str, changes: Answer) -> Answer:
        return self.patch(f"/clients/{safe(client_id)}", changes)

    def closing_check(self, client_id: str) -> Answer:
        return self.get(f"/clients/{safe(client_id)}/closing-check")

    def overview(self, client_id: str) -> Answer:
        """{client, balance, invoices, sessions}: what a client's own page and staff's page of one begin with. The
        invoices are pending, the oldest due first; the sessions are those that come next."""
        return self.get(f"/clients/{safe(client_id)}/overview")

    # --- balances ---

    def balance(self, client_id: str) -> Answer:
        return self.get(f"/clients/{safe(client_id)}/balance")

    def ledger(self, client_id: str, query: Query) -> Answer:
        """The balance explained, entry by entry; query from, to, sort (sequence, -sequence)."""
        return self.get(f"/clients/{safe(client_id)}/ledger", query)

    def ledger_csv(self, client_id: str, query: Query) -> requests.Response:
        return self.file(f"/clients/{safe(client_id)}/ledger", query, CSV)

    def adjust(self, client_id: str, body: Answer, key: str) -> Answer:
        return self.post(f"/clients/{safe(client_id)}/adjustments", body, key, scope="billing:adjust")

    def statement(self, client_id: str, query: Query) -> Answer:
        return self.get(f"/clients/{safe(client_id)}/statement", query)

    def statement_file(self, client_id: str, kind: str, query: Query) -> requests.Response:
        """`kind` is pdf or csv."""
        return self.file(f"/clients/{safe(client_id)}/statement.{kind}", query)

    def balances(self, query: Query) -> Answer:
        """With totals; filters below_minor, above_minor, status, q; sort balance, -balance, name, -name."""
        return self.get("/balances", query)

    def balances_csv(self, query: Query) -> requests.Response:
        return self.file("/balances", query, CSV)

    def ask_to_pay(self, client_id: str, key: str) -> Answer:
        """Mail a client what they owe now, with a link that pays it: {owed_minor, currency, email, …}."""
        return self.post(f"/clients/{safe(client_id)}/balance-email", None, key)

    def ageing(self) -> Answer:
        return self.get("/balances/ageing")

    # --- catalogue and calendar ---

    def services(self, query: Query) -> Answer:
        """Filters active, q; sort name, price, minutes."""
        return self.get("/services", query)

    def services_csv(self, query: Query) -> requests.Response:
        return self.file("/services", query, CSV)

    def service(self, service_id: str) -> Answer:
        return self.get(f"/services/{safe(service_id)}")

    def add_service(self, body: Answer, key: str) -> Answer:
        return self.post("/services", body, key)

    def change_service(self, service_id: str, changes: Answer) -> Answer:
        return self.patch(f"/services/{safe(service_id)}", changes)

    def sessions(self, query: Query) -> Answer:
        """By start; filters from, to (dates), client_id, service_id, status, to_invoice."""
        return self.get("/sessions", query)

    def session(self, session_id: str) -> Answer:
        return self.get(f"/sessions/{safe(session_id)}")

    def sessions_csv(self, query: Query) -> requests.Response:
        return self.file("/sessions", query, CSV)

    def add_session(self, body: Answer, key: str) -> Answer:
        return self.post("/sessions", body, key)

    def settle_session(self, session_id: str, how: str, body: Any = None, key: str | None = None) -> Answer:
        """`how` is complete, miss or cancel."""
        return self.post(f"/sessions/{safe(session_id)}/{safe(how)}", body, key)

    def eligibility(self, client_id: str, query: Query) -> Answer:
        """The gate's answer, without adding: query service_id, price_minor, starts_at."""
        return self.get(f"/clients/{safe(client_id)}/session-eligibility", query)

    # --- invoices ---

    def invoices(self, query: Query) -> Answer:
        """Newest first unless sorted by due or total; filters status, client_id, overdue."""
        return self.get("/invoices", query)

    def invoices_csv(self, query: Query) -> requests.Response:
        return self.file("/invoices", query, CSV)

    def pending_invoices(self, client_id: str, limit: int) -> list[Answer]:
        return self.items("/invoices", {"client_id": client_id, "status": "pending", "limit": limit})

    def invoice(self, reference: str) -> Answer:
        return self.get(f"/invoices/{safe(reference)}")

    def invoice_pdf(self, reference: str) -> requests.Response:
        return self.file(f"/invoices/{safe(reference)}.pdf")

    def make_invoice(self, body: Answer, key: str) -> Answer:
        return self.post("/invoices", body, key)

    def act_on_invoice(self, reference: str, what: str, body: Any = None, key: str | None = None) -> Answer:
        """`what` is issue, void or email."""
        return self.post(f"/invoices/{safe(reference)}/{safe(what)}", body, key)

    def credit(self, client_id: str) -> Answer:
        return self.get(f"/clients/{safe(client_id)}/credit")

    def allocate(self, client_id: str, allocations: list[Answer], key: str) -> Answer:
        return self.post(f"/clients/{safe(client_id)}/allocations", {"allocations": allocations}, key)

    def invoicing(self, client_id: str) -> Answer:
        return self.get(f"/clients/{safe(client_id)}/invoicing")

    def set_invoicing(self, client_id: str, body: Answer) -> Answer:
        return self.put(f"/clients/{safe(client_id)}/invoicing", body)

    def reminders(self) -> Answer:
        return self.get("/reminders")

    def set_reminders(self, body: Answer) -> Answer:
        return self.put("/reminders", body)

    # --- reports ---

    def service_reports(self, query: Query) -> Answer:
        """Rows by service and client, with totals; query from, to, service_id, client_id."""
        return self.get("/service-reports", query)

    def service_reports_csv(self, query: Query) -> requests.Response:
        return self.file("/service-reports", query, CSV)

    def received_and_charged(self, query: Query) -> Answer:
        return self.get("/received-and-charged", query)
