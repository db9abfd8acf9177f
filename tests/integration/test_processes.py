"""The services as processes, on real RabbitMQ and PostgreSQL, with two billing workers."""

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import kombu
import pytest

from common import topology
from common.bus import rabbit
from common.testing import eventually
from tests.harness.system import Business, System
from tests.integration import gate, paypal, secrecy, story

pytestmark = pytest.mark.broker


@pytest.fixture
def remit(system: System) -> Business:
    return system.api().business()


def test_the_story(remit: Business, system: System) -> None:
    story.tell(remit)
    eventually(system.is_quiet, "nothing under way")


def test_no_secret_is_anywhere_after_it(remit: Business, system: System) -> None:
    """Keys, webhook secrets and clients' secrets are in no log, column, event, e-mail or answer, of any service."""
    story.tell_of_a_card(remit)
    paypal.tell(remit)
    checkout_id = an_order_at_paypal(remit)
    eventually(system.is_quiet, "nothing under way")
    for secret in (story.TEST_KEYS["test_secret_key"], "whsec_abcdefgh12", "pi_3x_secret_abcdefgh", system.token()):
        assert secrecy.SECRET.search(secret)
    seen: Counter[str] = Counter()
    for places in (
        secrecy.logged(system), secrecy.stored(system), secrecy.mailed(system),
        secrecy.answered(remit, system, {"checkout_id": checkout_id}),
    ):  # fmt: skip
        for where, text in places:
            seen[where.split()[0]] += 1
            assert not secrecy.SECRET.search(text), f"{where}: {text[:300]}"
            assert PAYPAL_SECRET not in text, f"{where}: {text[:300]}"
    assert seen["GET"] > 50, seen
    assert seen["mail"] >= 4, seen


PAYPAL_SECRET = "a-secret-of-paypals-4711"


def an_order_at_paypal(remit: Business) -> str:
    """A checkout by order, with credentials saved for it; answers its id."""
    saved = {
        "mode": "sandbox", "checkout": "orders", "business_email": "secrets@business.example", "client_id": "secrets",
        "client_secret": PAYPAL_SECRET,
    }  # fmt: skip
    assert remit.call("PUT", "gateway-paypal", "/paypal", json=saved).status_code == 200
    wanted = {
        "client_id": remit.client("Pia")["id"], "amount_minor": 900, "return_url": "https://portal.example/",
        "cancel_url": "https://portal.example/",
    }  # fmt: skip
    asked = eventually(
        lambda: (answer := remit.call("POST", "gateway-paypal", "/paypal/checkouts", json=wanted)).ok and answer, "it"
    )
    return str(asked.json()["checkout_id"])


def test_the_broker_stopped_during_the_upload(remit: Business, system: System) -> None:
    story.add_example_clients(remit)
    eventually(
        lambda: len(system.sql("payments", "SELECT 1 FROM directory_clients WHERE business_id = %s", remit.id)) == 60,
        "copies",
    )
    system.servers.broker.stop()
    try:
        made = story.upload_example(remit)  # the outbox holds
        time.sleep(2)
        assert story.balances(remit) == Counter()
    finally:
        system.servers.broker.start()
    story.check_example(remit, made)
    eventually(system.is_quiet, "nothing under way")


def test_fifty_at_once_with_one_key(remit: Business, system: System) -> None:
    client = remit.client("Ada", "ada50@example.com")
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: remit.pay(client["id"], 4500, key="one"), range(50)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    eventually(lambda: remit.balance(client["id"]) == 4500, "the balance")
    eventually(system.is_quiet, "nothing under way")
    assert len(remit.call("GET", "billing", f"/clients/{client['id']}/ledger").json()["items"]) == 1
    assert len(remit.call("GET", "notifications", "/emails").json()["items"]) == 1


def test_two_sessions_at_once_pass_the_gate_once(remit: Business) -> None:
    gate.check_two_at_once(remit)


@pytest.mark.parametrize(("price_minor", "balance_minor", "expected"), gate.CROWDS)
def test_two_hundred_at_once_pass_as_far_as_the_money_goes(
    remit: Business, price_minor: int, balance_minor: int, expected: int
) -> None:
    gate.check_many_at_once(remit, price_minor, balance_minor, expected)


def test_poison_harms_nobody_and_operators_deal_with_it(remit: Business, system: System) -> None:
    client = remit.client("Ada")
    remit.pay(client["id"], 100)
    eventually(lambda: remit.balance(client["id"]) == 100, "the first payment")
    (body,) = system.sql(
        "payments", "SELECT body FROM outbox WHERE business_id = %s AND type = 'PaymentRecorded'", remit.id
    )[0]
    envelope = json.loads(body)
    stray = {**envelope, "id": "stray-1", "businessid": "nowhere"}
    holed = {**envelope, "id": "holed-1", "data": {**envelope["data"], "amount_minor": None}}
    odd = {**envelope, "id": "odd-1", "dataschema": "urn:remit:event:unheard_of.v9", "type": "UnheardOf"}
    with rabbit.connect(system.servers.broker.url) as connection:
        producer = kombu.Producer(connection.default_channel, exchange=kombu.Exchange(topology.EXCHANGE, type="topic"))
        for poison in (b"{not json", b"\x80\x04pickle", *(json.dumps(x).encode() for x in (stray, holed, odd))):
            producer.publish(
                poison, routing_key="payments.payment_recorded.v1", content_type="application/octet-stream",
                content_encoding="binary", declare=[],
            )  # fmt: skip
    remit.pay(client["id"], 200)
    eventually(lambda: remit.balance(client["id"]) == 300, "the payment after the poison")

    def listed(service: str, *arguments: str) -> dict[str, dict[str, Any]]:
        rows = [json.loads(line) for line in system.command(service, "inbox", "list", *arguments).splitlines()]
        return {row["event_id"]: row for row in rows}

    eventually(lambda: len(listed("billing", "--state", "dead")) == 5, "five dead")
    dead = listed("billing")
    assert "has no client" in dead["stray-1"]["reason"]
    assert "amount_minor" in dead["holed-1"]["reason"]
    assert "unknown type 'UnheardOf'" in dead["odd-1"]["reason"]
    shown = json.loads(system.command("billing", "inbox", "show", "stray-1"))
    assert json.loads(shown["body"]) == stray
    assert "has no client" in system.command("billing", "inbox", "preview", "stray-1", check=False)
    system.command("billing", "inbox", "replay", "stray-1")
    eventually(lambda: "stray-1" in listed("billing", "--state", "dead"), "dead again")
    # Notifications took them as well; a client it has not heard of may still come, so that one waits there.
    assert {row["state"] for row in listed("notifications").values()} == {"dead", "parked"}
    for service in ("billing", "notifications"):
        for event_id in listed(service):
            system.command(service, "inbox", "discard", event_id, "--reason", "a test's poison")
        assert listed(service, "--state", "dead") == listed(service, "--state", "parked") == {}
    assert "no parked" in system.command("billing", "inbox", "show", "unknown", check=False)


def test_a_killed_worker_takes_up_where_it_was(remit: Business, system: System) -> None:
    clients = remit.clients(5, "Killed")
    for _ in range(3):
        for name in ("billing-worker", "payments-worker", "notifications-worker"):
            for client in clients:
                assert remit.pay(client["id"], 100).status_code == 201
            system.kill(name)
            system.start(name)
    eventually(lambda: {remit.balance(client["id"]) for client in clients} == {900}, "every payment booked", 60)
    (system.folder / "clock").write_text("60")  # claims of the killed mailer go stale now, instead of being waited for
    eventually(system.is_quiet, "nothing under way", 60)
    mails = [mail for mail in story.pages(remit, "notifications", "/emails") if mail["kind"] == "receipt"]
    assert (len(mails), {mail["status"] for mail in mails}) == (45, {"sent"})
