"""No export runs in a spreadsheet: every route that answers CSV, with a formula in every text that comes to it."""

import csv
import io
import re
from pathlib import Path
from typing import Any

from common import clock
from common.events.billing import BusinessRegistered, ClientRegistered
from common.testing import ServiceUnderTest
from services.portal.tests.others import Others
from services.portal.tests.support import Portal

ROOT = Path(__file__).parents[2]
STARTS = ("=", "+", "-", "@")
NUMBER = re.compile(r"-?\d+(\.\d+)?")
ACTOR = {"type": "staff", "id": "s1", "name": "=calc('actor')"}
# Whose text columns hold nothing that anybody types.
WITHOUT_TEXT = {"/v1/businesses/{business_id}/revenue"}


def test_no_export_of_an_api_runs(tmp_path: Path) -> None:
    billing = ServiceUnderTest("billing", tmp_path)
    payments = ServiceUnderTest("payments", tmp_path)
    try:
        exports = {**_exports(billing, _in_billing(billing)), **_exports(payments, _in_payments(payments))}
    finally:
        billing.close()
        payments.close()
    assert len(exports) == _streams("billing") + _streams("payments"), f"not every export is reached: {list(exports)}"
    for path, text in exports.items():
        _check(path, text)
        assert "calc(" in text or path in WITHOUT_TEXT, f"no formula came to {path}"


def test_the_portals_own_export_does_not_run(tmp_path: Path) -> None:
    assert _streams("portal") == 1, "what other services export it passes on as it is"
    others = Others()
    portal = Portal(tmp_path, others)
    try:
        for start in STARTS:
            portal.add("staff", f"{start}calc@x.example", name=f"{start}calc('name')")
        text = portal.administrator().get("/settings/team.csv").text
    finally:
        portal.service.close()
        others.close()
    _check("team.csv", text)
    assert text.count("calc(") == len(STARTS)


def _in_billing(subject: ServiceUnderTest) -> dict[str, str]:
    """A business in which every text begins with a formula's sign; the ids that paths need."""

    def made(path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = subject.call("POST", f"/v1/businesses{path}", body, token=subject.token(actor=ACTOR))
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json)

    studio = made("", {"name": "=calc('studio')", "currency": "USD", "time_zone": "UTC"})
    b = f"/{studio['id']}"
    for start in STARTS:
        person = {"email": f"{start.replace('@', '=')}calc@x.example", "phone": f"{start}calc(1)"}
        client = made(
            f"{b}/clients", {"name": f"{start}calc('client')", "external_ref": f"{start}calc('ref')", **person}
        )
        service = made(f"{b}/services", {"name": f"{start}calc('service')", "price_minor": 500, "duration_minutes": 30})
        sold = {"client_id": client["id"], "service_id": service["id"], "starts_at": f"{clock.today('UTC')}T00:00:00Z"}
        session = made(f"{b}/sessions", sold)
        made(f"{b}/sessions/{session['id']}/complete", {})
        adjusted = {"kind": "debit", "amount_minor": 100, "reason": f"{start}calc('reason')"}
        made(f"{b}/clients/{client['id']}/adjustments", adjusted)
        line = {"description": f"{start}calc('line')", "amount_minor": 100}
        invoice = made(f"{b}/invoices", {"client_id": client["id"], "lines": [line], "memo": f"{start}calc('memo')"})
    return {"business_id": studio["id"], "client_id": client["id"], "reference": invoice["id"]}


def _in_payments(subject: ServiceUnderTest) -> dict[str, str]:
    subject.take(BusinessRegistered(business_id="b1", name="=calc('studio')", currency="USD", time_zone="UTC"))
    for start in STARTS:
        subject.take(ClientRegistered(business_id="b1", client_id=f"c{ord(start)}", name=f"{start}calc('client')"))
        body = {
            "client_id": f"c{ord(start)}", "amount_minor": 100, "method": "cash", "reference": f"{start}calc('ref')",
            "memo": f"{start}calc('memo')", "invoice_number": f"{start}calc(1)",
        }  # fmt: skip
        paid = subject.call("POST", "/v1/businesses/b1/payments", body, token=subject.token(actor=ACTOR))
        assert paid.status_code == 201, paid.text
    return {"business_id": "b1"}


def _exports(subject: ServiceUnderTest, ids: dict[str, str]) -> dict[str, str]:
    """Every path that can answer CSV, with what it answers."""
    found: dict[str, str] = {}
    for path, operations in subject.app.test_client().get("/openapi/openapi.json").json["paths"].items():
        if "get" in operations:
            url = re.sub(r"\{(\w+)\}", lambda match: ids.get(match[1], "none"), path)
            answer = subject.call("GET", url, headers={"Accept": "text/csv"})
            if answer.mimetype == "text/csv":
                found[path] = answer.text
    return found


def _streams(service: str) -> int:
    """How many exports the code of a service has."""
    files = (ROOT / "services" / service / service).rglob("*.py")
    return sum(len(re.findall(r"\bcsv(?:_out)?\.stream\(", path.read_text())) for path in files)


def _check(path: str, text: str) -> None:
    header, *rows = csv.reader(io.StringIO(text))
    assert rows, path
    for row in rows:
        for column, cell in zip(header, row, strict=True):
            assert NUMBER.fullmatch(cell) or not cell.startswith((*STARTS, "\t", "\r")), (path, column, cell)
