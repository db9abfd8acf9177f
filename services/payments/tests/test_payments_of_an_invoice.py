"""The payments of an invoice are listed whatever way its number was typed, on both databases; those that were recorded
before that as well."""

import csv
import io
from pathlib import Path

import pytest
from sqlalchemy import insert, text, update

from common import migrate, service
from common.db import Database
from common.testing import ServiceUnderTest
from payments.models import Payment
from services.payments.tests.conftest import B, payment_row

SPELLINGS = ("12", "inv-000012", "INV-000012", "# 12")
OTHERS = ("112", "INV-000120", "Lesson 12", None)


def record(payments: ServiceUnderTest, typed: str | None) -> str:
    body = {"client_id": "ada", "amount_minor": 4500, "method": "cash", "invoice_number": typed}
    return str(payments.call("POST", f"{B}/payments", body).json["id"])


def listed(payments: ServiceUnderTest, number: str) -> set[str]:
    query = {"invoice_number": number, "limit": "200"}
    found = payments.app.test_client().get(
        f"{B}/payments", query_string=query, headers={"Authorization": f"Bearer {payments.token()}"}
    )
    return {payment["id"] for payment in found.json["items"]}


def assert_every_spelling_finds_them(payments: ServiceUnderTest) -> None:
    meant = {record(payments, typed) for typed in SPELLINGS}
    other = {typed: record(payments, typed) for typed in OTHERS}
    for typed in SPELLINGS:
        assert listed(payments, typed) == meant, typed
    assert listed(payments, "lesson 12") == {other["Lesson 12"]}
    assert listed(payments, "#") == set()
    exported = payments.call("GET", f"{B}/payments?invoice_number=12", headers={"Accept": "text/csv"}).text
    rows = list(csv.DictReader(io.StringIO(exported)))
    assert sorted(row["invoice_number"] for row in rows) == sorted(SPELLINGS)  # as they were typed
    with payments.runtime.database.write() as session:  # as the release before this one records
        old = update(Payment).where(Payment.payment_id == other["112"])
        session.execute(old.values(invoice_tidied=None), execution_options={"synchronize_session": False})
    assert listed(payments, "112") == {other["112"]}
    assert listed(payments, "13") == set()


def test_every_spelling_finds_them(payments: ServiceUnderTest) -> None:
    assert_every_spelling_finds_them(payments)


@pytest.mark.broker
def test_every_spelling_finds_them_on_postgresql(payments_on_postgresql: ServiceUnderTest) -> None:
    assert_every_spelling_finds_them(payments_on_postgresql)


def test_what_was_recorded_before_is_found(tmp_path: Path) -> None:
    assert_the_migration_tidies(f"sqlite:///{tmp_path / 'old.sqlite'}")


@pytest.mark.broker
def test_what_was_recorded_before_is_found_on_postgresql(postgresql_url: str) -> None:
    assert_the_migration_tidies(postgresql_url)


def assert_the_migration_tidies(url: str) -> None:
    database, found = Database(url), service.find("payments")
    typed = ("INV-000012", "12", "Lesson 12", None)
    rows = [payment_row(payment_id=f"p{n}", invoice_number=number) for n, number in enumerate(typed)]
    with database.engine.begin() as connection:
        migrate.run(found, connection, ["core@head", "directory@head", "payments_0005"])
        connection.execute(insert(Payment), rows)
    migrate.upgrade(found, database)
    with database.engine.connect() as connection:
        tidied = connection.execute(text("SELECT invoice_tidied FROM payments ORDER BY payment_id")).scalars().all()
    database.close()
    assert tidied == ["12", "12", "lesson12", None]
