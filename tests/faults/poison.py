"""Bad messages between good ones, what an operator does with them, and the same message again and again."""

import hashlib
import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import amqp
import orjson
import psycopg

from common import topology
from common.bus import rabbit
from common.ids import new_id
from tests.faults.experiment import Experiment, Run, at_once
from tests.faults.load import Load, at_rate
from tests.harness.system import Business

RECORDED = "payments.payment_recorded.v1"
SUBSCRIBERS = ("billing", "notifications")
JSON = "application/json"
PICKLE = "application/x-python-serialize"


@dataclass(frozen=True)
class Message:
    """What is published, and what its rows in the inboxes are to say. `why` None: by any reason."""

    name: str
    body: bytes
    why: str | None = None
    event_id: str = ""
    properties: dict[str, Any] = field(default_factory=dict)

    @property
    def kept_as(self) -> str:
        """The key of its inbox row: its own id, or the hash of a body that has none."""
        return self.event_id or "sha256:" + hashlib.sha256(self.body).hexdigest()


def publish(url: str, messages: Sequence[Message]) -> None:
    """As another team's program might: straight to the exchange, each confirmed."""
    with rabbit.connect(url) as connection:
        channel = connection.channel()
        channel.confirm_select()
        for message in messages:
            properties = {"content_type": JSON, "delivery_mode": 2, **message.properties}
            channel.basic_publish_confirm(
                amqp.Message(message.body, **properties), exchange=topology.EXCHANGE, routing_key=RECORDED
            )


def _envelope(business_id: str, client_id: str, **changes: Any) -> dict[str, Any]:
    event_id, payment_id = new_id(), new_id()
    data = {
        "payment_id": payment_id, "client_id": client_id, "amount_minor": 100, "currency": "USD", "method": "cash",
        "receipt_number": 1, "receipt_revision": 1, "source": "manual", "received_on": "2026-11-01",
    }  # fmt: skip
    return {
        "specversion": "1.0", "id": event_id, "source": "/remit/payments", "type": "PaymentRecorded",
        "time": "2026-11-01T10:00:00Z", "subject": payment_id, "businessid": business_id, "sequence": 1,
        "dataschema": "urn:remit:event:payment_recorded.v1", "data": data, **changes,
    }  # fmt: skip


def catalogue(business_id: str, client_id: str) -> list[Message]:
    """Every kind of poison, new ids each time."""

    def event(
        name: str, why: str | None, *, without: str = "", data: dict[str, Any] | None = None, **changes: Any
    ) -> Message:
        envelope = _envelope(business_id, client_id, **changes)
        envelope["data"] |= data or {}
        envelope["data"].pop(without, None)
        return Message(name, orjson.dumps(envelope), why, event_id=envelope["id"])

    salt = new_id().encode()  # so that a second run's bodies are not those of the first
    nul = orjson.dumps(_envelope(business_id, client_id, id=f"nul-\0-{salt.decode()}"))
    return [
        Message("bad JSON", b'{"id": ' + salt, "not JSON"),
        Message("not UTF-8", b"\xff\xfe\x00" + salt, "not JSON"),
        Message("not an object", b'["' + salt + b'"]', "not an event envelope"),
        Message("deeply nested", b"[" * 20_000 + salt, "not JSON"),
        Message("pickle", pickle.dumps(salt), "not JSON", properties={"content_type": PICKLE}),
        Message("an encoding that breaks", b'"\\ud800' + salt, properties={"content_encoding": "unicode_escape"}),
        event("unknown type", "unknown type", type="PaymentImagined", dataschema="urn:remit:event:imagined.v1"),
        event("a version to come", "unknown type", dataschema="urn:remit:event:payment_recorded.v99"),
        event("missing field", "amount_minor", without="amount_minor"),
        event("null amount", "amount_minor", data={"amount_minor": None}),
        event("negative amount", "amount_minor", data={"amount_minor": -5}),
        event("amount beyond 64 bits", None, data={"amount_minor": 1e30}),
        event("300 kB", "bytes are more than", data={"memo": "x" * 300_000}),
        event("wrong business", client_id, businessid="no-such-business"),
        Message("NUL in the id", nul),
        Message("a count of its own", b"?" + salt, "not JSON", properties=_headers("x-delivery-count", "often")),
    ]  # fmt: skip


def _headers(name: str, value: object) -> dict[str, Any]:
    return {"application_headers": {name: value}}


def poison(run: Run) -> None:
    good, rounds = (60, 1) if run.quick else (300, 3)
    business, clients = run.stage.studio(10)
    bad = [message for _ in range(rounds) for message in catalogue(business.id, clients[0]["id"])]
    run.random.shuffle(bad)
    load = Load(run.system, business, clients, count=good, seed=run.seed, may_send=at_rate(25)).start()
    for message in bad:
        publish(run.system.servers.broker.url, [message])
    load.finish()
    run.stage.allowed.dead |= {(service, message.kept_as) for service in SUBSCRIBERS for message in bad}
    run.system.eventually(lambda: not any(run.system.queue_depths().values()), "queues to be empty", 30)
    run.stage.settle()
    run.figure("bad messages, each to two subscribers", len(bad))
    run.figure("kinds of bad messages", len(bad) // rounds)
    run.require("every good payment was answered 201", len(load.paid) == good, len(load.paid))
    for service in SUBSCRIBERS:
        dead = {row["event_id"]: row for row in listed(run, service) if row["state"] == "dead"}
        wrong = [
            f"{message.name}: {dead.get(message.kept_as, {}).get('reason', 'not dead')}"
            for message in bad
            if message.kept_as not in dead or (message.why or "") not in dead[message.kept_as]["reason"]
        ]
        run.require(f"{service}: every bad message is dead, with its reason", not wrong, "; ".join(wrong))
        others = dead.keys() - {message.kept_as for message in bad}
        run.require(f"{service}: nothing else is dead", not others, sorted(others) or "")
    balance = sum(row["balance_minor"] for row in business.balances())
    run.require("balances = what was paid", balance == sum(load.paid.values()), f"{balance:,}")
    _operate(run, business, bad)


def listed(run: Run, service: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.system.command(service, "inbox", "list").splitlines()]


def _operate(run: Run, business: Business, bad: Sequence[Message]) -> None:
    """What an operator does: look, try dry, replay what was cured, discard the rest."""
    one = next(message for message in bad if message.name == "missing field")
    shown = json.loads(run.system.command("billing", "inbox", "show", one.kept_as))
    run.require("show gives the body as it came", shown["body"] == one.body.decode())
    preview = run.system.command("billing", "inbox", "preview", one.kept_as, check=False)
    run.require("preview of a bad message says why it would fail", "amount_minor" in json.loads(preview)["would_fail"])
    run.system.command("billing", "inbox", "replay", one.kept_as)
    run.system.eventually(lambda: _state(run, one.kept_as)[0] == "dead", "the replayed bad message to be dead again")
    run.require("a bad message that is replayed is dead again", _state(run, one.kept_as)[0] == "dead")
    _cure(run, business)
    some = [message.kept_as for message in bad][: 1 if run.quick else 6]
    for service in SUBSCRIBERS:
        for event_id in some:
            run.system.command(service, "inbox", "discard", event_id, "--reason", "poison of the tests")
    discarded = [row["event_id"] for row in listed(run, "billing") if row["state"] == "discarded"]
    run.require("discarded ones are kept as discarded", set(some) <= set(discarded), len(some))


def _cure(run: Run, business: Business) -> None:
    """A real payment that billing cannot post, for its client's account was lost; put back, it is replayed."""
    client_id = business.client("Lost Account", "lost@example.com")["id"]
    with psycopg.connect(run.system.database_url("billing")) as billing:
        billing.execute("DELETE FROM client_accounts WHERE client_id = %s", [client_id])
    assert business.pay(client_id, 4200).status_code == 201
    find = "SELECT event_id FROM inbox WHERE state = 'dead' AND body LIKE %s"
    found = run.system.eventually(
        lambda: run.system.sql("billing", find, f"%{client_id}%"), "the payment to be dead", 30
    )
    event_id = found[0][0]
    with psycopg.connect(run.system.database_url("billing")) as billing:
        billing.execute(
            "INSERT INTO client_accounts (business_id, client_id, balance_minor, sequence) VALUES (%s, %s, 0, 0)",
            [business.id, client_id],
        )
    preview = json.loads(run.system.command("billing", "inbox", "preview", event_id))
    run.require(
        "preview of a cured event shows what it would emit, and changes nothing",
        [event["type"] for event in preview["would_emit"]] == ["BalanceChanged"]
        and _state(run, event_id)[0] == "dead" and business.balance(client_id) == 0,
    )  # fmt: skip
    run.system.command("billing", "inbox", "replay", event_id)
    run.system.eventually(lambda: _state(run, event_id)[0] == "done", "the replayed event to be done")
    run.require("replayed, it is posted once", business.balance(client_id) == 4200)


def _state(run: Run, event_id: str) -> tuple[Any, ...]:
    return run.system.sql("billing", "SELECT state, reason FROM inbox WHERE event_id = %s", event_id)[0]


def duplicates(run: Run) -> None:
    same, renamed, connections = (100, 50, 4) if run.quick else (500, 200, 10)
    business, clients = run.stage.studio(1)
    payment_id = business.pay(clients[0]["id"], 1234).json()["id"]
    body = run.system.sql("payments", "SELECT body FROM outbox WHERE body LIKE %s", f"%{payment_id}%")[0][0]
    event = orjson.loads(body)
    messages = [Message("again", body.encode())] * same
    messages += [Message("same fact", orjson.dumps({**event, "id": new_id()})) for _ in range(renamed)]
    run.random.shuffle(messages)

    def sender(part: Sequence[Message]) -> Callable[[], None]:
        return lambda: publish(run.system.servers.broker.url, part)

    at_once([sender(messages[n::connections]) for n in range(connections)])
    run.system.eventually(lambda: not any(run.system.queue_depths().values()), "queues to be empty")
    run.stage.settle()
    run.figure("the same event published so often", same)
    run.figure("the same fact under new event ids", renamed)
    run.figure("connections", connections)
    postings = run.system.sql("billing", "SELECT count(*) FROM transfers WHERE source = %s", f"payment:{payment_id}")
    mails = run.system.sql("notifications", "SELECT count(*) FROM emails WHERE about = %s", f"receipt:{payment_id}:1")
    run.require("one posting", postings[0][0] == 1, postings[0][0])
    run.require("one receipt", mails[0][0] == 1, mails[0][0])
    run.require("the balance is one payment", business.balance(clients[0]["id"]) == 1234)


EXPERIMENTS = [
    Experiment("poison", "bad messages on the exchange between good ones", poison),
    Experiment("duplicates", "one event, and one fact, published again and again", duplicates),
]
