"""Driving the PayPal in a box over HTTP, and receiving its IPNs and webhooks."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import requests

SECONDS = 30
RETURN = "https://shop.test/back"
CANCEL = "https://shop.test/canceled"
PAYER = {"email": "ada@home.test", "first_name": "Ada", "last_name": "Byron"}


@dataclass
class Came:
    """One POST as it came."""

    path: str
    body: bytes
    headers: dict[str, str]

    def fields(self, charset: str = "windows-1252") -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("ascii"), keep_blank_values=True, encoding=charset))


class Listener:
    """An endpoint of ours: keeps what is posted and answers with `status`; shows browsers its `page`."""

    def __init__(self) -> None:
        self.status = 200
        self.page = ""
        self.came: list[Came] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.came.append(Came(self.path, body, dict(self.headers)))
                self.send_response(listener.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(f"<!doctype html><title>Shop</title>{listener.page}".encode())

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/ipn"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Merchant:
    """A sandbox under test, seen from a merchant with an account of its own: pages, API, control, faults, clock."""

    def __init__(self, url: str, name: str | None = None) -> None:
        self.url = url
        self.base = f"{url}/paypal"
        self.client_id = name or f"shop-{uuid.uuid4().hex[:8]}"
        self.email = f"{self.client_id}@business.example"
        self._token = ""

    def another(self) -> Merchant:
        return Merchant(self.url)

    # --- website ---

    def form(self, **more: str) -> dict[str, str]:
        return {
            "cmd": "_xclick", "business": self.email, "amount": "45.00", "currency_code": "EUR", "invoice": "INV-1",
            "item_name": "Lessons", "item_number": "7", "custom": "token-1", "return": RETURN, "cancel_return": CANCEL,
            "rm": "1", "no_shipping": "1", **more,
        }  # fmt: skip

    def open(self, **more: str) -> requests.Response:
        return requests.post(f"{self.base}/cgi-bin/webscr", data=self.form(**more), timeout=SECONDS)

    def pay(self, answers: dict[str, str] | None = None, **more: str) -> requests.Response:
        data = {**self.form(**more), **PAYER, "pay_with": "balance", "action": "pay", **(answers or {})}
        return requests.post(f"{self.base}/webscr/pay", data=data, timeout=SECONDS, allow_redirects=False)

    def check(self, body: bytes, **headers: str) -> requests.Response:
        return requests.post(
            f"{self.base}/cgi-bin/webscr", data=b"cmd=_notify-validate&" + body, timeout=SECONDS, headers=headers,
            allow_redirects=False,
        )  # fmt: skip

    # --- API ---

    def ask(self, method: str, path: str, json: Any = None, **more: Any) -> requests.Response:
        if not self._token:
            self._token = self.token().json()["access_token"]
        headers = {"Authorization": f"Bearer {self._token}", **more.pop("headers", {})}
        timeout = more.pop("timeout", SECONDS)
        return requests.request(method, f"{self.base}{path}", json=json, headers=headers, timeout=timeout, **more)

    def token(self, client_id: str | None = None) -> requests.Response:
        auth = (client_id or self.client_id, "secret")
        data = {"grant_type": "client_credentials"}
        return requests.post(f"{self.base}/v1/oauth2/token", auth=auth, data=data, timeout=SECONDS)

    def order(self, request_id: str = "", amount: str = "45.00", currency: str = "EUR", **unit: str) -> Any:
        made = self.ask("POST", "/v2/checkout/orders", {
            "intent": "CAPTURE",
            "purchase_units": [{"amount": {"currency_code": currency, "value": amount}, **unit}],
            "payment_source": {"paypal": {"experience_context": {"return_url": RETURN, "cancel_url": CANCEL}}},
        }, headers={"PayPal-Request-Id": request_id} if request_id else {})  # fmt: skip
        assert made.status_code in (200, 201), made.text
        return made.json()

    def approve(self, order_id: str, pay_with: str = "balance", action: str = "approve") -> requests.Response:
        data = {"token": order_id, **PAYER, "pay_with": pay_with, "action": action}
        return requests.post(f"{self.base}/checkoutnow", data=data, timeout=SECONDS, allow_redirects=False)

    def capture(self, order_id: str, request_id: str = "", **more: Any) -> requests.Response:
        headers = {"PayPal-Request-Id": request_id} if request_id else {}
        return self.ask("POST", f"/v2/checkout/orders/{order_id}/capture", headers=headers, **more)

    def captured(self, pay_with: str = "balance", **unit: str) -> Any:
        """A capture of a fresh order that was approved."""
        order = self.order(**unit)
        self.approve(order["id"], pay_with)
        done = self.capture(order["id"])
        assert done.status_code == 201, done.text
        return done.json()["purchase_units"][0]["payments"]["captures"][0]

    # --- control ---

    def control(self, method: str, path: str, json: Any = None) -> Any:
        answer = requests.request(method, f"{self.base}/_control/{path}", json=json, timeout=SECONDS)
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.content else None

    def act(self, txn_id: str, action: str, **wanted: Any) -> Any:
        return self.control("POST", f"transactions/{txn_id}/{action}", wanted)

    def transactions(self) -> list[dict[str, Any]]:
        return [found for found in self.control("GET", "transactions")["data"] if found["account"] == self.email]

    def settings(self, **wanted: str) -> Any:
        return self.control("PUT", f"accounts/{self.email}", wanted)

    def faults(self, **wanted: Any) -> None:
        answer = requests.put(f"{self.url}/faults", json={"paypal": wanted}, timeout=SECONDS)
        assert answer.status_code == 200, answer.text

    def clock(self, offset_seconds: float) -> None:
        requests.post(f"{self.url}/clock", json={"offset_seconds": offset_seconds}, timeout=SECONDS).raise_for_status()
