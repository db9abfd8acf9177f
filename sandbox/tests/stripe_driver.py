"""Driving the Stripe in a box with Stripe's own SDK, and receiving its webhooks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests
import stripe

import sandbox

SECONDS = 30
RETURN = "https://shop.test/back"
stripe.enable_telemetry = False


class Shop:
    """A sandbox under test, seen from a shop: the SDK's client, the control API, faults and the clock."""

    def __init__(self, running: sandbox.Sandbox) -> None:
        self.running = running
        self.url = running.web_url
        self.base = f"{running.web_url}/stripe"
        self.client = self.client_for("sk_test_shop")
        self.v1 = self.client.v1

    def client_for(self, key: str, retries: int = 0, timeout: float = SECONDS) -> stripe.StripeClient:
        http = stripe.RequestsClient(timeout=timeout)
        return stripe.StripeClient(
            key, base_addresses={"api": self.base}, max_network_retries=retries, http_client=http
        )

    def pay(self, method: str = "pm_card_visa", amount: int = 2000, **more: Any) -> stripe.PaymentIntent:
        options = more.pop("options", {})
        params = {"amount": amount, "currency": "usd", "payment_method": method, "confirm": True, "return_url": RETURN}
        return self.v1.payment_intents.create({**params, **more}, options)  # type: ignore[typeddict-item]

    def declined(self, method: str, **more: Any) -> stripe.CardError:
        try:
            self.pay(method, **more)
        except stripe.CardError as error:
            return error
        raise AssertionError("the card was not declined")

    def control(self, path: str, **wanted: Any) -> dict[str, Any]:
        response = requests.post(f"{self.base}/_control/{path}", json=wanted, timeout=SECONDS)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def look(self, path: str) -> list[dict[str, Any]]:
        return list(requests.get(f"{self.base}/_control/{path}", timeout=SECONDS).json()["data"])

    def faults(self, **wanted: Any) -> None:
        response = requests.put(f"{self.url}/faults", json={"stripe": wanted}, timeout=SECONDS)
        assert response.status_code == 200, response.text

    def clock(self, offset_seconds: float) -> None:
        response = requests.post(f"{self.url}/clock", json={"offset_seconds": offset_seconds}, timeout=SECONDS)
        assert response.status_code == 200, response.text

    def types(self) -> list[str]:
        """The types of all events, oldest first."""
        return [event.type for event in self.v1.events.list({"limit": 100}).data][::-1]

    def raw(self, method: str, path: str, key: str = "sk_test_shop", **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
        return requests.request(method, f"{self.base}/v1/{path}", headers=headers, timeout=SECONDS, **more)


@dataclass
class Hook:
    """One webhook as it came."""

    body: bytes
    signature: str


class Receiver:
    """An endpoint of ours: keeps what comes and answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.hooks: list[Hook] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.hooks.append(Hook(body, self.headers["Stripe-Signature"]))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def events(self, secret: str) -> list[stripe.Event]:
        """What came, each verified by the SDK."""
        return [stripe.Webhook.construct_event(hook.body, hook.signature, secret) for hook in list(self.hooks)]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def wait_for(condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """What the condition answers, once it is true."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.03)
    raise AssertionError("it did not happen")
