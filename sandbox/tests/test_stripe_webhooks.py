"""Webhooks: who gets which, how they are signed, what happens when nobody listens."""

from __future__ import annotations

import json

import pytest
import stripe
from stripe_driver import Receiver, Shop, wait_for


def listen(shop: Shop, receiver: Receiver, *types: str) -> stripe.WebhookEndpoint:
    params = {"url": receiver.url, "enabled_events": list(types) or ["*"], "api_version": "2026-10-28.endive"}
    return shop.v1.webhook_endpoints.create(params)  # type: ignore[arg-type]


def test_delivered_signed_and_only_what_was_asked_for(fresh: Shop, receiver: Receiver) -> None:
    endpoint = listen(fresh, receiver, "payment_intent.succeeded", "charge.updated")
    paid = fresh.pay(amount=1000, metadata={"payment": "p-1"})
    wait_for(lambda: len(receiver.hooks) == 2)
    events = {event.type: event for event in receiver.events(endpoint.secret or "")}
    assert set(events) == {"payment_intent.succeeded", "charge.updated"}
    event = events["payment_intent.succeeded"]
    assert event.data.object["id"] == paid.id
    assert event.data.object["metadata"]["payment"] == "p-1"
    assert (event.object, event.livemode, event.api_version) == ("event", False, "2026-10-28.endive")
    assert fresh.v1.events.retrieve(event.id).data.object["id"] == paid.id
    wait_for(lambda: fresh.v1.events.retrieve(event.id).pending_webhooks == 0)
    assert not any(name.startswith("_") for name in json.loads(receiver.hooks[0].body)["data"]["object"])
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(receiver.hooks[0].body + b" ", receiver.hooks[0].signature, endpoint.secret)


def test_the_endpoint_itself(fresh: Shop, receiver: Receiver) -> None:
    endpoint = listen(fresh, receiver, "customer.created")
    assert endpoint.secret
    assert endpoint.secret.startswith("whsec_")
    for found in (fresh.v1.webhook_endpoints.retrieve(endpoint.id), *fresh.v1.webhook_endpoints.list().data):
        assert "secret" not in found
    fresh.v1.webhook_endpoints.update(endpoint.id, {"disabled": True})
    fresh.v1.customers.create({})
    fresh.v1.webhook_endpoints.update(endpoint.id, {"disabled": False, "enabled_events": ["customer.deleted"]})
    fresh.v1.customers.create({})
    key = fresh.v1.customers.create({}).id
    fresh.v1.customers.delete(key)
    wait_for(lambda: receiver.hooks)
    assert [event.type for event in receiver.events(endpoint.secret)] == ["customer.deleted"]
    # Another account's endpoint, and the other mode's, hear nothing of it.
    fresh.client_for("sk_live_shop").v1.customers.create({})
    assert fresh.v1.webhook_endpoints.delete(endpoint.id).deleted
    assert not fresh.v1.webhook_endpoints.list().data
    for wrong in ({"url": "nowhere", "enabled_events": ["*"]}, {"url": receiver.url, "enabled_events": ["Customer"]}):
        with pytest.raises(stripe.InvalidRequestError):
            fresh.v1.webhook_endpoints.create(wrong)  # type: ignore[arg-type]
    for _ in range(16):
        listen(fresh, receiver)
    with pytest.raises(stripe.InvalidRequestError, match="maximum of 16"):
        listen(fresh, receiver)


def test_tried_again_with_growing_gaps(fresh: Shop, receiver: Receiver) -> None:
    receiver.status = 500
    endpoint = listen(fresh, receiver, "customer.created")
    fresh.v1.customers.create({})
    wait_for(lambda: len(receiver.hooks) == 2)
    assert len({event.id for event in receiver.events(endpoint.secret or "")}) == 1
    # The third waits for 4 seconds, of the sandbox's clock.
    receiver.status = 204
    fresh.clock(10)
    wait_for(lambda: fresh.look("deliveries")[0]["state"] == "done")
    assert len(receiver.hooks) == 3
    assert fresh.look("deliveries")[0]["attempts"] == 3


def test_given_up_after_three_days(fresh: Shop, receiver: Receiver) -> None:
    receiver.status = 400
    listen(fresh, receiver, "customer.created")
    fresh.v1.customers.create({})
    for day in range(1, 6):
        before = len(receiver.hooks)
        fresh.clock(day * 24 * 3600)
        wait_for(lambda before=before: len(receiver.hooks) > before or fresh.look("deliveries")[0]["state"] == "failed")
    assert wait_for(lambda: fresh.look("deliveries")[0]["state"] == "failed")


def test_nobody_there(fresh: Shop, receiver: Receiver) -> None:
    receiver.stop()
    listen(fresh, receiver)
    fresh.v1.customers.create({})
    assert wait_for(lambda: fresh.look("deliveries")[0]["answer"]) == "ConnectionError"


def test_two_secrets_during_a_roll_over(fresh: Shop, receiver: Receiver) -> None:
    endpoint = listen(fresh, receiver, "customer.created")
    rolled = fresh.control(f"webhook_endpoints/{endpoint.id}/roll", overlap_seconds=3600)["secret"]
    fresh.v1.customers.create({})
    wait_for(lambda: receiver.hooks)
    assert receiver.hooks[0].signature.count("v1=") == 2
    assert receiver.events(endpoint.secret or "")
    assert receiver.events(rolled)
    fresh.clock(3700)
    fresh.v1.customers.create({})
    wait_for(lambda: len(receiver.hooks) == 2)
    assert receiver.hooks[1].signature.count("v1=") == 1
    last = receiver.hooks[1]
    stripe.Webhook.construct_event(last.body, last.signature, rolled)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(last.body, last.signature, endpoint.secret)


def test_sent_again_from_the_dashboard(fresh: Shop, receiver: Receiver) -> None:
    endpoint = listen(fresh, receiver, "customer.created")
    fresh.v1.customers.create({})
    event = wait_for(lambda: receiver.events(endpoint.secret or ""))[0]
    fresh.control(f"events/{event.id}/resend")
    wait_for(lambda: len(receiver.hooks) == 2)
    assert len({event.id for event in receiver.events(endpoint.secret or "")}) == 1


def test_duplicates(fresh: Shop, receiver: Receiver) -> None:
    endpoint = listen(fresh, receiver, "customer.created")
    fresh.faults(duplicate=2)
    fresh.v1.customers.create({})
    wait_for(lambda: len(receiver.hooks) == 3)
    assert len({event.id for event in receiver.events(endpoint.secret or "")}) == 1


def test_drops(fresh: Shop, receiver: Receiver) -> None:
    endpoint = listen(fresh, receiver, "customer.created")
    fresh.faults(drop_next=1)
    lost, kept = fresh.v1.customers.create({}).id, fresh.v1.customers.create({}).id
    wait_for(lambda: receiver.hooks)
    assert [event.data.object["id"] for event in receiver.events(endpoint.secret or "")] == [kept]
    assert {event.data.object["id"] for event in fresh.v1.events.list().data} == {lost, kept}
    assert [row["state"] for row in fresh.look("deliveries")][1] == "dropped"


def test_wrong_secret(fresh: Shop, receiver: Receiver) -> None:
    receiver.status = 400
    endpoint = listen(fresh, receiver, "customer.created")
    fresh.faults(wrong_secret_next=1)
    fresh.v1.customers.create({})
    wait_for(lambda: receiver.hooks)
    with pytest.raises(stripe.SignatureVerificationError):
        receiver.events(endpoint.secret or "")
    receiver.hooks.clear()
    wait_for(lambda: receiver.hooks)
    assert receiver.events(endpoint.secret or "")


def test_shuffle_and_delay(fresh: Shop, receiver: Receiver) -> None:
    endpoint = listen(fresh, receiver, "customer.created")
    fresh.faults(delay_seconds=600, shuffle_seconds=600)
    sent = [fresh.v1.customers.create({}).id for _ in range(12)]
    due = [row["due"] for row in fresh.look("deliveries")][::-1]
    assert due != sorted(due)
    assert min(due) - fresh.running.clock.now() > 500
    assert not receiver.hooks
    fresh.clock(1300)
    wait_for(lambda: len(receiver.hooks) == 12)
    assert {event.data.object["id"] for event in receiver.events(endpoint.secret or "")} == set(sent)
