"""Stripe's callbacks copied and lost, and Stripe silent after it has charged."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
import stripe

from common.sealing import Sealer
from tests.faults.experiment import Experiment, Run
from tests.harness.system import Business
from tests.integration.story import TEST_KEYS, confirm_as_browser

CONNECTIONS = 50
THREADS = 8
HOUR_SECONDS = 3_600


class Shop:
    """A business that takes cards."""

    def __init__(self, run: Run, clients: int) -> None:
        self._run = run
        self.business, self.clients = run.stage.studio(clients)
        saved = self.business.call("PUT", "gateway-stripe", "/stripe", json={"mode": "test", **TEST_KEYS})
        assert saved.status_code == 200, saved.text
        run.system.eventually(self._is_ready, "the webhook to be registered")

    def _is_ready(self) -> bool:
        shown = self.business.call("GET", "gateway-stripe", "/stripe").json()
        return bool(shown["test_webhook"]["state"] == "ready")

    # What the story asks of a business.
    def url(self, service: str) -> str:
        return self._run.system.url(service)

    @property
    def id(self) -> str:
        return self.business.id

    def call(self, method: str, service: str, path: str, **options: Any) -> requests.Response:
        return self.business.call(method, service, path, **options)

    def pay(self, number: int) -> dict[str, Any]:
        """A client types a card."""
        client = self.clients[number % len(self.clients)]
        asked = {"client_id": client["id"], "amount_minor": 1_000 + number}
        mine = Business(self._run.system.api(), self.business.id)
        begun: dict[str, Any] = mine.call("POST", "gateway-stripe", "/stripe/payment-intents", json=asked).json()
        confirm_as_browser(self, begun)
        return begun

    def faults(self, **faults: Any) -> None:
        answer = requests.put(f"{self.url('sandbox')}/faults", json={"stripe": faults}, timeout=10)
        assert answer.ok, answer.text

    def captured(self) -> list[dict[str, Any]]:
        """Stripe's charges for this business."""
        shown = requests.get(f"{self.url('sandbox')}/stripe/_control/charges", timeout=30).json()["data"]
        return [charge for charge in shown if charge["metadata"].get("remit_business") == self.business.id]

    def save_cards(self) -> None:
        """Each client pays with a card that is kept."""
        for client in self.clients:
            asked = {"client_id": client["id"], "amount_minor": 500, "save_card": True}
            confirm_as_browser(self, self.call("POST", "gateway-stripe", "/stripe/payment-intents", json=asked).json())

    def judge(self, wanted: int, when: str = "") -> None:
        """So many charges, each one payment, and balances that are their sum. `when` begins what is printed."""
        charges = self.captured()
        self._run.require(f"{when}Stripe has exactly one charge for each", len(charges) == wanted, len(charges))
        self._run.require(f"{when}each is one payment", self.recorded() == wanted, self.recorded())
        taken = sum(row["amount"] for row in charges)
        balances = sum(row["balance_minor"] for row in self.business.balances())
        self._run.require(f"{when}balances = what Stripe took", balances == taken, f"{balances:,}")

    def recorded(self) -> int:
        return int(self._run.system.sql(
            "payments", "SELECT count(*) FROM payments WHERE business_id = %s", self.business.id
        )[0][0])  # fmt: skip


class PayPalAccount:
    """An account at the sandbox's PayPal, which a business is paid at; with `client_id` it has a REST app as well."""

    def __init__(self, business: Business, client_id: str | None = None) -> None:
        self.email = f"studio-{business.id[-12:]}@business.example"
        self.control = f"{business.url('sandbox')}/paypal/_control"
        settings = {"mode": "sandbox", "checkout": "standard", "business_email": self.email}
        if client_id is not None:
            bound = {"email": self.email, "client_id": client_id}
            assert requests.post(f"{self.control}/accounts", json=bound, timeout=10).ok
            settings |= {"client_id": client_id, "client_secret": "sandbox-secret"}
        saved = business.call("PUT", "gateway-paypal", "/paypal", json=settings)
        assert saved.ok, saved.text
        shown = business.call("GET", "gateway-paypal", "/paypal/ipn-instructions").json()
        self.notify_url = str(shown["notify_url"])

    def pay(self, amount: str, invoice: str | None = None) -> None:
        """Somebody pays there; PayPal tells of it."""
        wanted = {"business": self.email, "amount": amount, "currency": "USD", "notify_url": self.notify_url}
        if invoice is not None:
            wanted["invoice"] = invoice
        answer = requests.post(f"{self.control}/payments", json=wanted, timeout=10)
        assert answer.ok, answer.text


def copies(run: Run) -> None:
    """One callback, sent ten thousand times over fifty connections."""
    shop = Shop(run, 1)
    begun = shop.pay(0)
    run.system.eventually(lambda: shop.recorded() == 1, "the payment")
    body, header = _signed_copy(run, shop, begun["payment_intent_id"])
    count = 1_000 if run.quick else 10_000
    url = f"{shop.url('gateway-stripe')}/webhooks/stripe/{shop.id}"

    def send(times: int) -> list[int]:
        with requests.Session() as http:
            headers = {"Stripe-Signature": header}
            return [http.post(url, data=body, headers=headers, timeout=30).status_code for _ in range(times)]

    began = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        statuses = [status for found in pool.map(send, [count // CONNECTIONS] * CONNECTIONS) for status in found]
    run.figure("copies sent", len(statuses))
    run.figure("  answered a second", len(statuses) / (time.monotonic() - began))
    run.stage.settle()
    run.require("every answer was 2xx", set(statuses) == {200}, sorted(set(statuses)))
    counts = [
        run.system.sql(service, f"SELECT count(*) FROM {table} WHERE business_id = %s", shop.id)[0][0]
        for service, table in (("payments", "payments"), ("billing", "transfers"), ("notifications", "emails"))
    ]
    run.require("one payment, one posting, one receipt", counts == [1, 1, 1], counts)


def _signed_copy(run: Run, shop: Shop, intent_id: str) -> tuple[bytes, str]:
    """The notice of a payment, signed anew as Stripe would."""
    rows = run.system.sql(
        "gateway-stripe",
        "SELECT body FROM notices WHERE business_id = %s AND type = 'payment_intent.succeeded'",
        shop.id,
    )
    body = next(bytes(body) for (body,) in rows if json.loads(body)["data"]["object"]["id"] == intent_id)
    ((sealed,),) = run.system.sql(
        "gateway-stripe", "SELECT webhook_secret FROM stripe_keys WHERE business_id = %s", shop.id
    )
    sealer = Sealer(run.system.folder / "keys" / "seal.key.json")
    secret = sealer.open(sealed, f"{shop.id}/test/webhook_secret")
    said = body.decode()
    return body, str(stripe.WebhookSignature.generate_signature_header(said, secret, int(time.time())))


def paypal_copies(run: Run) -> None:
    """One message of PayPal's, sent ten thousand times over fifty connections."""
    business, clients = run.stage.studio(1)
    account = PayPalAccount(business)
    lines = {"client_id": clients[0]["id"], "lines": [{"description": "Lesson", "amount_minor": 2000}]}
    number = business.call("POST", "billing", "/invoices", json=lines).json()["number"]
    account.pay("20.00", number)

    def counts() -> list[int]:
        query = "SELECT count(*) FROM {} WHERE business_id = %s AND {}"
        return [
            run.system.sql(service, query.format(table, what), business.id)[0][0]
            for service, table, what in (
                ("payments", "payments", "true"), ("billing", "transfers", "kind = 'payment'"),
                ("notifications", "emails", "kind = 'receipt'"),
            )
        ]  # fmt: skip

    run.system.eventually(lambda: counts() == [1, 1, 1], "the payment")
    ((body,),) = run.system.sql("gateway-paypal", "SELECT body FROM notices WHERE business_id = %s", business.id)
    count = 1_000 if run.quick else 10_000

    def send(times: int) -> list[tuple[int, bytes]]:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        with requests.Session() as http:
            answers = [http.post(account.notify_url, data=body, headers=headers, timeout=30) for _ in range(times)]
            return [(answer.status_code, answer.content) for answer in answers]

    began = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        answers = [found for part in pool.map(send, [count // CONNECTIONS] * CONNECTIONS) for found in part]
    run.figure("copies sent", len(answers))
    run.figure("  answered a second", len(answers) / (time.monotonic() - began))
    run.stage.settle()
    run.require("every answer was 200 and empty", set(answers) == {(200, b"")}, sorted(set(answers))[:3])
    run.require("one payment, one posting, one receipt", counts() == [1, 1, 1], counts())


def paypal_unverified(run: Run) -> None:
    """PayPal's verification is away for an hour, and the service is killed meanwhile."""
    count = 10 if run.quick else 100
    business, _ = run.stage.studio(1)
    account = PayPalAccount(business)
    sandbox = run.system.url("sandbox")

    def in_tray() -> int:
        query = "SELECT count(*) FROM unmatched WHERE business_id = %s"
        return int(run.system.sql("payments", query, business.id)[0][0])

    def notices(state: str) -> int:
        query = "SELECT count(*) FROM notices WHERE business_id = %s AND state = %s"
        return int(run.system.sql("gateway-paypal", query, business.id, state)[0][0])

    for number, fault in enumerate(("away", "html", "redirect", "slow")):
        faults = {"paypal": {"verifier": fault, "seconds": 40}}
        assert requests.put(f"{sandbox}/faults", json=faults, timeout=10).ok
        for place in range(count // 4):
            account.pay(f"{number + 1}.{place:02}")
        run.system.eventually(lambda seen=number + 1: notices("received") == count // 4 * seen, "the messages", 60)
        for name in ("gateway-paypal-worker", "gateway-paypal-web"):
            run.system.kill(name)
            run.system.start(name)
        run.system.wait_ready("gateway-paypal-web")
        run.stage.move_clock(HOUR_SECONDS // 4)
    run.require("nothing is recorded before it is verified", in_tray() == 0, in_tray())
    assert requests.put(f"{sandbox}/faults", json={"paypal": {}}, timeout=10).ok
    began = time.monotonic()
    run.stage.move_clock(HOUR_SECONDS)  # to the next tries
    run.system.eventually(lambda: notices("done") == count // 4 * 4, "every message to be verified", 120)
    run.figure("all verified after, s", time.monotonic() - began)
    run.system.eventually(lambda: in_tray() == count // 4 * 4, "all of it in the tray", 60)
    run.stage.settle()
    run.require("each is there once", in_tray() == count // 4 * 4, in_tray())


def silence(run: Run) -> None:
    """Charges that Stripe makes and does not answer."""
    count = 25 if run.quick else 500  # fifths of it are whole
    shop = Shop(run, 4)
    shop.save_cards()
    run.system.eventually(lambda: shop.recorded() == len(shop.clients), "the first payments")
    kinds = ("charge_then_hang", "charge_then_500", "charge_then_409", "charge_then_429", "charge_then_reset")
    seen: dict[str, int] = {}
    for kind in kinds:
        shop.faults(fail_next="all", fail_with=kind, fail_at="payment_intents", seconds=3)
        with ThreadPoolExecutor(THREADS) as pool:
            for status in pool.map(lambda n, kind=kind: _click(run, shop, kind, n), range(count // len(kinds))):
                seen[status] = seen.get(status, 0) + 1
    shop.faults()
    run.figure("answers while Stripe was silent", str(seen))
    wanted = len(shop.clients) + count // len(kinds) * len(kinds)
    began = time.monotonic()
    # Their callbacks came all the same, or the operations are found out by asking.
    run.system.eventually(lambda: shop.recorded() == wanted, f"{wanted} payments", 120)
    run.figure("all recorded after, s", time.monotonic() - began)
    run.stage.settle()
    shop.judge(wanted)


def _click(run: Run, shop: Shop, kind: str, number: int) -> str:
    mine = Business(run.system.api(), shop.id)
    client = shop.clients[number % len(shop.clients)]
    body = {"client_id": client["id"], "amount_minor": 2_000 + number}
    answer = mine.call("POST", "gateway-stripe", "/stripe/charges", json=body, key=f"{kind}-{number}")
    return str(answer.json().get("status", answer.status_code))


def lost(run: Run) -> None:
    """Every callback dropped for an hour while payments are made; one call finds them all. The worker is down for that
    hour, as its timer would find them before."""
    count = 20 if run.quick else 200
    shop = Shop(run, 5)
    shop.faults(drop_next="all")
    run.system.kill("gateway-stripe-worker")
    with ThreadPoolExecutor(THREADS) as pool:
        for quarter in range(4):
            list(pool.map(shop.pay, range(quarter * count // 4, (quarter + 1) * count // 4)))
            if quarter == 0:
                time.sleep(2)
                run.require("nothing was heard of", shop.recorded() == 0, shop.recorded())
            run.stage.move_clock(HOUR_SECONDS // 4)
    time.sleep(3)  # Stripe knows a payment's fee a moment after it: what is known later is news, not drift
    began = time.monotonic()
    report = shop.call("POST", "gateway-stripe", "/reconcile", json={"since_hours": 3}).json()
    run.figure("reconciled, s", time.monotonic() - began)
    run.require("one reconciliation finds them all", len(report["healed"]) == count, len(report["healed"]))
    run.system.start("gateway-stripe-worker")
    run.system.eventually(lambda: shop.recorded() == count, "every payment", 60)
    run.stage.settle()
    again = shop.call("POST", "gateway-stripe", "/reconcile", json={"since_hours": 3}).json()
    run.require("afterwards there is no drift", (again["healed"], again["drift"]) == ([], []), again["drift"][:3])
    run.require("each was recorded once", shop.recorded() == count, shop.recorded())
    balances, taken = sum(row["balance_minor"] for row in shop.business.balances()), shop.captured()
    run.require("balances = what Stripe took", balances == sum(row["amount"] for row in taken), f"{balances:,}")
    shop.faults()


EXPERIMENTS = [
    Experiment("gateway-copies", "one callback of Stripe's sent over and over", copies),
    Experiment("paypal-copies", "one message of PayPal's sent over and over", paypal_copies),
    Experiment("paypal-unverified", "PayPal's verification is away, and the service is killed", paypal_unverified),
    Experiment("gateway-silence", "Stripe charges and does not answer", silence),
    Experiment("gateway-lost", "every callback of Stripe's is lost", lost),
]
