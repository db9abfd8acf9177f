"""For tests: a service with a database of its own, "this block emits these events", and "eventually"."""

import itertools
import json
import os
import random
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select

from common import auth, migrate, sealing
from common.events import Event, decode, schema_of
from common.inbox import Delivery, InboxRow
from common.outbox import OutboxRow
from common.runtime import Runtime
from common.service import find
from common.settings import PORT_OFFSETS, SMTP_OFFSET
from common.web.app import create_app

SAMPLES = Path(__file__).parent / "events" / "samples"
STAFF = {"type": "staff", "id": "s1", "name": "Sam Staff"}


# Service → its empty database, migrated once in this process: each test begins with a copy.
_migrated: dict[str, bytes] = {}


def _migrate(runtime: Runtime, folder: Path) -> None:
    """Bring the service's database up to date; a new SQLite file is copied from one that is."""
    name, database = runtime.service.name, folder / f"{runtime.service.name}.sqlite"
    if runtime.settings.database_url or database.exists():
        migrate.upgrade(runtime.service, runtime.database)
    elif name in _migrated:
        database.write_bytes(_migrated[name])
    else:
        migrate.upgrade(runtime.service, runtime.database)
        whole = folder / "migrated.sqlite"
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("VACUUM INTO ?", [str(whole)])
        _migrated[name] = whole.read_bytes()
        whole.unlink()


class ServiceUnderTest:
    """One service, whole, on SQLite in `folder`: its API through a test client, its handlers through its inbox."""

    def __init__(self, name: str, folder: Path, **environ: str) -> None:
        self._keys = folder / "keys"
        auth.make_keys(self._keys)
        sealing.make_key(self._keys / "seal.key.json")
        service = find(name)
        settings = service.settings.read(
            {
                "VAR_DIR": str(folder),
                "AUTH_JWKS_FILE": str(self._keys / "jwks.json"),
                "SERVICE_KEY_FILE": str(self._keys / f"{name}.key.json"),
                "SEAL_KEY_FILE": str(self._keys / "seal.key.json"),
                # Nobody listens there: what needs another service finds it away.
                "BILLING_URL": "http://127.0.0.1:9",
                "PAYMENTS_URL": "http://127.0.0.1:9",
                "NOTIFICATIONS_URL": "http://127.0.0.1:9",
                **environ,
            }
        )
        self.runtime = Runtime.open(service, settings)
        _migrate(self.runtime, folder)
        self.app = create_app(self.runtime)
        self._signer = auth.Signer(self._keys / "operator.key.json")

    def token(
        self, scope: str = "operator", business: str = "*", actor: dict[str, str] | None = None, ttl: int = 600
    ) -> str:
        return self._signer.sign("tests", scope, business, ttl, actor or STAFF)

    def call(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, csv: str | bytes | None = None,
        key: str | None = None, headers: dict[str, str] | None = None,
    ) -> Any:  # fmt: skip
        """A werkzeug test response."""
        sent: dict[str, Any] = {"headers": {"Authorization": f"Bearer {token or self.token()}", **(headers or {})}}
        if key is not None:
            sent["headers"]["Idempotency-Key"] = key
        if csv is not None:
            sent |= {"data": csv, "content_type": "text/csv"}
        elif body is not None:
            sent["json"] = body
        return self.app.test_client().open(path, method=method, **sent)

    def take(self, *events: Event, producer: str = "") -> None:
        """Deliver events as the bus would, each from the service that owns it; raises when one is not done."""
        self.runtime.consumer.consume(
            [Delivery(event.to_wire(producer or type(event).producers[0])) for event in events]
        )
        with self.runtime.database.read() as session:
            ids = [event.event_id for event in events]
            rows = session.scalars(select(InboxRow).where(InboxRow.event_id.in_(ids), InboxRow.state != "done"))
            troubled = [f"{row.type} is {row.state}: {row.reason}" for row in rows]
        assert not troubled, troubled

    def emitted(self, after: int = 0) -> list[Event]:
        """What stands in the outbox, oldest first."""
        with self.runtime.database.read() as session:
            bodies = session.scalars(select(OutboxRow.body).where(OutboxRow.seq > after).order_by(OutboxRow.seq))
            return [decode(body.encode()) for body in bodies]

    @contextmanager
    def emits(self, *expected: type[Event] | Event) -> Iterator[list[Event]]:
        """The block must emit exactly these, in any order: a class, or an event whose data must be equal. Each is held
        against its golden sample as well. Yields the list that is filled when the block ends."""
        before = len(self.emitted())
        found: list[Event] = []
        yield found
        found += self.emitted()[before:]
        for event in found:
            assert_like_sample(event)
        left = list(found)
        for wanted in expected:
            fits = [event for event in left if _fits(event, wanted)]
            assert fits, f"{wanted!r} was not emitted; there were {[type(event).__name__ for event in found]}"
            left.remove(fits[0])
        assert not left, f"also emitted: {left}"

    def lose_seal_key(self) -> None:
        """As after a restore without keys: what was sealed so far does not open any more."""
        key_file = self._keys / "seal.key.json"
        key_file.unlink()
        sealing.make_key(key_file)
        self.runtime.sealer.read()

    def close(self) -> None:
        self.runtime.database.close()


def _fits(event: Event, wanted: type[Event] | Event) -> bool:
    return type(event) is wanted if isinstance(wanted, type) else data_of(event) == data_of(wanted)


def data_of(event: Event) -> dict[str, Any]:
    """What an event says, without its envelope."""
    return dict(orjson.loads(event.to_wire("tests"))["data"])


def sample_file(event_type: type[Event]) -> Path:
    return SAMPLES / f"{event_type.__name__}.v{event_type.version}.json"


def sample(event_type: type[Event]) -> dict[str, Any]:
    """The golden sample of an event, as its envelope."""
    found: dict[str, Any] = json.loads(sample_file(event_type).read_text())
    assert found["dataschema"] == schema_of(event_type)
    return found


def assert_like_sample(event: Event) -> None:
    """The event has the sample's fields, each of a type that the sample's may have."""
    made = orjson.loads(event.to_wire(event.producer or "tests"))
    golden = sample(type(event))
    assert made.keys() == golden.keys(), f"{type(event).__name__}: envelope differs from its sample"
    assert made["data"].keys() == golden["data"].keys(), f"{type(event).__name__}: data differs from its sample"
    for name, value in made["data"].items():
        other = golden["data"][name]
        same = value is None or other is None or type(value) is type(other)
        assert same, f"{type(event).__name__}.{name} is {type(value).__name__}, the sample has {type(other).__name__}"


def eventually(check: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """Wait until `check` answers something true, and answer that."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}; last: {found!r}"
        time.sleep(0.02)


# Below those that outgoing connections take, which could sit on a port between its choice and its use; for the same
# reason each of several test processes has a share of its own, and none of its answers comes again before all others:
# who asks for two and opens them afterwards must not be given one inside the other.
TEST_PORTS = range(10_000, 32_000)
PORTS_EACH = 5_500
_SPAN = 64  # the services' offsets, and those that tests put above them
_SHARE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % (len(TEST_PORTS) // PORTS_EACH)
_STARTS = TEST_PORTS[_SHARE * PORTS_EACH : (_SHARE + 1) * PORTS_EACH - _SPAN : _SPAN]
_in_turn = itertools.cycle(random.sample(_STARTS, len(_STARTS)))


def free_port() -> int:
    """A port that is free right now, and that the next dozens of answers leave alone."""
    return next(port for port in _a_round() if _is_free(port))


def free_port_base() -> int:
    """A port base of which every service's port is free right now, and that the next dozens of answers leave alone."""
    offsets = (*PORT_OFFSETS.values(), SMTP_OFFSET)
    return next(base for base in _a_round() if all(_is_free(base + offset) for offset in offsets))


def _a_round() -> Iterator[int]:
    yield from itertools.islice(_in_turn, len(_STARTS))
    raise RuntimeError("no free ports")


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
