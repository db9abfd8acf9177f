"""Stripe's webhook: how long until it is answered, and until the balance that it changes is visible.

Real signatures, over HTTP, to gateway-stripe's web as a process; from there through its worker (which asks Stripe for
the payment: here the sandbox), payments' and billing's. The sandbox's own webhooks are switched off, so that each
notice is sent once, at its time.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
import requests
import stripe

from benchmarks.entries_seen import watched
from benchmarks.figure import Figure, Findings, percentile
from benchmarks.load import Connection, press
from benchmarks.machine import Others
from benchmarks.stage import Payer, Stage, staged
from common.ids import new_id
from common.sealing import Sealer
from gateway_stripe.domain import translate
from tests.harness.servers import Servers
from tests.harness.system import Business

PER_SECOND = 20.0
CONNECTIONS = 4
GOAL_ANSWERED_MS, GOAL_VISIBLE_MS = 25, 150
KEYS = {"test_publishable_key": "pk_test_bench000000000000", "test_secret_key": "sk_test_bench000000000000"}
PROCESSES = ["sandbox", "gateway-stripe-web", "gateway-stripe-worker", "payments-worker", "billing-worker"]
ACTOR = {"type": "client", "id": "c1", "name": "Ann Example"}


@dataclass(frozen=True)
class Sent:
    """A notice sent: its payment at Stripe, when (time.time), and how long its answer took."""

    intent_id: str
    at: float
    took_ms: float


def measure(servers: Servers, quick: bool) -> Findings:
    for_seconds = 3.0 if quick else 15.0
    with staged(servers, PROCESSES, businesses=1) as stage:
        till = _Till(stage)
        till.press(2.0)  # caches, plans and connections
        others = Others()
        sent = till.press(for_seconds)
        share = others.share()
        lags_ms, asking_ms = till.lags_ms(sent), till.asking_ms()
    answered = [one.took_ms for one in sent]
    name = f"Stripe webhook at {PER_SECOND:.0f} a second"
    return Findings(
        [
            Figure(f"{name}, answered, p50", "ms", percentile(answered, 0.5)),
            Figure(f"{name}, answered, p99", "ms", percentile(answered, 0.99), None, GOAL_ANSWERED_MS, at_most=True),
            Figure(f"{name}, to balance visible, p50", "ms", percentile(lags_ms, 0.5)),
            Figure(f"{name}, to balance visible, p99", "ms", percentile(lags_ms, 0.99), None, GOAL_VISIBLE_MS, True),
        ],
        [
            f"webhooks: {len(sent)} signed notices of succeeded payments; from their sending to the balance, with one "
            f"question to the sandbox's Stripe within, which takes {asking_ms:.0f} ms by itself; worst "
            f"{max(answered):.0f} and {max(lags_ms):.0f} ms; others took {share:.0%} of the cores meanwhile"
        ],
    )


class _Till:
    """A business that takes cards, and the account that it has at Stripe."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._business_id = stage.payers[0].business_id
        self._business = Business(stage.api(), self._business_id)
        saved = self._business.call("PUT", "gateway-stripe", "/stripe", json={"mode": "test", **KEYS})
        if saved.status_code != 200:
            raise RuntimeError(saved.text)
        stage.eventually(self._is_registered, "the webhook to be registered")
        self._secret = self._webhook_secret()
        requests.put(
            f"{stage.url('sandbox')}/faults", json={"stripe": {"drop_next": "all"}}, timeout=10
        ).raise_for_status()
        self._stripe = stripe.StripeClient(
            KEYS["test_secret_key"], base_addresses={"api": f"{stage.url('sandbox')}/stripe"}, max_network_retries=0
        )
        self._seen: dict[str, float] = {}

    def _is_registered(self) -> bool:
        shown = self._business.call("GET", "gateway-stripe", "/stripe").json()
        return bool(shown["test_webhook"]["state"] == "ready")

    def _webhook_secret(self) -> str:
        ((sealed,),) = self._stage.sql(
            "gateway-stripe", "SELECT webhook_secret FROM stripe_keys WHERE business_id = %s", self._business_id
        )
        sealer = Sealer(self._stage.folder / "keys" / "seal.key.json")
        return sealer.open(sealed, f"{self._business_id}/test/webhook_secret")

    def press(self, for_seconds: float) -> list[Sent]:
        """Notices of payments made beforehand, PER_SECOND of them, each signed as it is sent."""
        payers = self._stage.payers
        intents = [self._pay(payers[n % len(payers)], 1_000 + n) for n in range(int(PER_SECOND * for_seconds) + 8)]
        sent: list[Sent] = []

        def send(connection: Connection, number: int) -> bytes:
            intent = intents[number]
            body = _notice(intent)
            header = stripe.WebhookSignature.generate_signature_header(body, self._secret, int(time.time()))
            at, began = time.time(), time.perf_counter()
            status, answer = connection.post(
                f"/webhooks/stripe/{self._business_id}", body.encode(), f"Stripe-Signature: {header}\r\n"
            )
            sent.append(Sent(intent["id"], at, (time.perf_counter() - began) * 1000))
            if status != 200:
                raise RuntimeError(f"{status}: {answer[:500]!r}")
            return answer

        with watched(self._stage.database_url("billing")) as seen:
            press(self._stage.url("gateway-stripe"), for_seconds, CONNECTIONS, send, PER_SECOND)
            self._stage.eventually(lambda: len(self._payments(sent)) == len(sent), "the payments to be recorded")
            seen.wait_for(self._payments(sent).values())
        self._seen |= seen.at
        return sent

    def lags_ms(self, sent: Sequence[Sent]) -> list[float]:
        """Milliseconds from the sending of each notice to its balance."""
        payments = self._payments(sent)
        return [(self._seen[payments[one.intent_id]] - one.at) * 1000 for one in sent]

    def _payments(self, sent: Sequence[Sent]) -> dict[str, str]:
        """Stripe's id of a payment → the source of its entry."""
        query = "SELECT gateway_payment_id, 'payment:' || payment_id FROM payments WHERE gateway_payment_id = ANY(%s)"
        return dict(self._stage.sql("payments", query, [one.intent_id for one in sent]))

    def _pay(self, payer: Payer, amount_minor: int) -> dict[str, object]:
        """A payment that succeeded at Stripe, as gateway-stripe would have begun it."""
        marks = translate.metadata(payer.business_id, payer.client_id, new_id(), "pay_assist", None, ACTOR)
        made = self._stripe.v1.payment_intents.create(
            {
                "amount": amount_minor, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa",
                "metadata": marks, "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            }
        )  # fmt: skip
        if made.status != "succeeded":
            raise RuntimeError(f"the sandbox says {made.status}")
        return made.to_dict()

    def asking_ms(self) -> float:
        """The median of asking for a payment, as the worker asks."""
        intent_id = self._pay(self._stage.payers[0], 1_000)["id"]
        took = []
        for _ in range(20):
            began = time.perf_counter()
            self._stripe.v1.payment_intents.retrieve(str(intent_id))
            took.append((time.perf_counter() - began) * 1000)
        return percentile(took, 0.5)


def _notice(intent: dict[str, object]) -> str:
    return orjson.dumps(
        {
            "id": f"evt_{new_id()}", "object": "event", "type": "payment_intent.succeeded", "livemode": False,
            "created": int(time.time()), "api_version": "2025-06-30.basil", "data": {"object": intent},
        }
    ).decode()  # fmt: skip
