"""Where figures are measured: fresh databases, and only the processes that a figure needs."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import insert

from billing.models import Business as BillingBusiness
from billing.models import Client as BillingClient
from billing.models import ClientAccount
from common import directory
from common.db import Database
from common.events.payments import Actor, PaymentRecorded
from common.ids import new_id
from common.outbox import Message
from common.runtime import Runtime
from common.service import find
from common.settings import Settings
from tests.harness.servers import Servers
from tests.harness.system import System

BARE = "payments-bare"


@dataclass(frozen=True)
class Payer:
    """A client, and the business it pays."""

    business_id: str
    client_id: str


class Stage(System):
    """A system of which only the named processes run; `payments-bare` is the bare endpoint in payments' place."""

    def __init__(self, servers: Servers, processes: Sequence[str], businesses: int, clients: int) -> None:
        super().__init__(servers)
        self._names = list(processes)
        self.payers = [
            Payer(business_id, new_id())
            for business_id in (new_id() for _ in range(businesses))
            for _ in range(clients)
        ]
        self._is_seeded = False

    @property
    def names(self) -> list[str]:
        return self._names

    def start(self, name: str) -> None:
        self.seed()
        if name != BARE:
            super().start(name)
            return
        log = (self.folder / f"{name}.log").open("ab")
        self._processes[name] = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.bare_endpoint"], env=self.environ("payments"), stdout=log, stderr=log
        )

    @contextmanager
    def runtime(self, service: str, *, for_web: bool = False) -> Iterator[Runtime]:
        """The service as it would run, in this process: as its worker, or its web."""
        environ = {**self.environ(service), "CLOCK_FILE": ""}
        runtime = Runtime.open(find(service), Settings.read(environ), for_web=for_web)
        try:
            yield runtime
        finally:
            runtime.database.close()

    @contextmanager
    def database(self, service: str) -> Iterator[Database]:
        with self.runtime(service) as runtime:
            yield runtime.database

    def seed(self) -> None:
        """The same businesses and clients in billing and in the others' directories, once. They have no addresses, so
        no mail goes out."""
        if self._is_seeded:
            return
        self._is_seeded = True
        businesses = [
            {"business_id": business_id} for business_id in sorted({payer.business_id for payer in self.payers})
        ]
        clients = [vars(payer) for payer in self.payers]
        now = datetime.now(UTC)
        money = {"sequence": 1, "name": "Studio", "currency": "USD", "time_zone": "Europe/Berlin"}
        person = {"sequence": 1, "name": "Client", "status": "active"}
        rules = {"prepayment_required": False, "threshold_minor": 0, "reserve_scheduled": True}
        with self.database("billing") as database, database.write() as session:
            session.execute(insert(BillingBusiness).values(**money, **rules, created_at=now), businesses)
            session.execute(insert(BillingClient).values(**person, created_at=now), clients)
            session.execute(insert(ClientAccount).values(balance_minor=0, sequence=0), clients)
        for service in ("payments", "notifications", "gateway-stripe", "gateway-paypal"):
            with self.database(service) as database, database.write() as session:
                session.execute(insert(directory.Business).values(**money), businesses)
                session.execute(insert(directory.Client).values(**person), clients)


@contextmanager
def staged(
    servers: Servers, processes: Sequence[str] = (), *, businesses: int = 8, clients: int = 25
) -> Iterator[Stage]:
    """A stage with so many businesses and clients of each, whose processes answer."""
    with Stage(servers, processes, businesses, clients) as stage:
        stage.seed()
        yield stage


def recorded_messages(payers: Sequence[Payer], count: int) -> list[Message]:
    """PaymentRecorded events of `payers` in turn, as the outbox would hold them."""
    today = datetime.now(UTC).date()
    actor = Actor(type="staff", id="s1", name="Ann Example")
    events = [
        PaymentRecorded(
            business_id=payer.business_id, client_id=payer.client_id, payment_id=new_id(), amount_minor=100 + number,
            currency="USD", method="cash", receipt_number=number + 1, receipt_revision=1, recorded_by=actor,
            source="manual", received_on=today,
        )
        for number in range(count)
        for payer in [payers[number % len(payers)]]
    ]  # fmt: skip
    return [
        Message(number, event.event_id, type(event).__name__, event.routing_key("payments"), event.to_wire("payments"))
        for number, event in enumerate(events, start=1)
    ]
