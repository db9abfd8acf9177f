"""Stand-ins for the services that the portal asks: they answer what a test told them, and note who asked."""

from typing import Any

import jwt
from flask import Flask, Response, jsonify, request

from common.testing import free_port
from common.web.threads import ThreadedServer

BUSINESS = {"id": "b1", "name": "Harmony Music School", "currency": "USD", "time_zone": "UTC"}
BALANCE = {
    "client_id": "c1", "currency": "USD", "balance_minor": 3000, "reserved_minor": 0, "provisional_minor": 0,
    "in_words": "has $30.00 left",
}  # fmt: skip
INVOICE = {
    "id": "i1", "number": "INV-000012", "client_id": "c1", "status": "pending", "overdue": False, "currency": "USD",
    "total_minor": 4500, "outstanding_minor": 4500, "due_on": "2026-12-01",
}  # fmt: skip
STRIPE = {
    "mode": "test", "allow_client_initiated_payments": True, "mail_and_telephone_orders": False,
    "test_publishable_key": "pk_test_x", "test_secret_key": "…0000", "keys_open": True,
}  # fmt: skip
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
INTENT = {"payment_intent_id": "pi_1", "client_secret": "pi_1_secret_x", "publishable_key": "pk_test_x"}
CARD = {"id": "pm_1", "brand": "visa", "last4": "4242", "expires": "2034-12"}


class Others:
    """`answers`: (method, path below the business) → (status, body). `asked`: what came, with its actor."""

    def __init__(self) -> None:
        client = {"id": "c1", "name": "Ada Lovelace", "email": "ada@home.example", "status": "active"}
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {
            ("GET", ""): (200, BUSINESS),
            ("GET", "/clients"): (200, {"items": [client]}),
            ("GET", "/clients/c1"): (200, client),
            ("GET", "/clients/c1/balance"): (200, BALANCE),
            ("GET", "/clients/c1/overview"): (
                200,
                {"client": client, "balance": BALANCE, "invoices": [INVOICE], "sessions": []},
            ),
            ("GET", "/clients/c1/payment-methods"): (200, {"items": [CARD]}),
            ("GET", "/invoices"): (200, {"items": [INVOICE]}),
            ("GET", "/invoices/INV-000012"): (200, INVOICE),
            ("GET", "/payments"): (200, {"items": []}),
            ("GET", "/stripe"): (200, STRIPE),
            ("POST", "/stripe/payment-intents"): (201, INTENT),
            ("POST", "/stripe/payment-intents/pi_1/sync"): (200, {"status": "succeeded", "payment_recorded": True}),
        }
        self.turns: dict[tuple[str, str], list[tuple[int, Any]]] = {}
        self.asked: list[dict[str, Any]] = []
        self.is_repeat = False
        app = Flask("others")
        app.add_url_rule(
            "/v1/businesses/<business_id>", view_func=self._answer, defaults={"path": ""}, methods=METHODS
        )  # fmt: skip
        app.add_url_rule("/v1/businesses/<business_id>/<path:path>", view_func=self._answer, methods=METHODS)
        app.add_url_rule("/v1/operations/<path:path>", view_func=self._answer_operator, methods=METHODS)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._server = ThreadedServer(app, "127.0.0.1", port, name="others", threads=4)
        self._server.start()

    def close(self) -> None:
        self._server.stop()

    def tell(self, method: str, path: str, status: int, body: Any) -> None:
        self.answers[method, path] = (status, body)

    def tell_in_turn(self, method: str, path: str, answers: list[tuple[int, Any]]) -> None:
        """One after the other; when they are used up, what was told before."""
        self.turns[method, path] = list(answers)

    def last(self, path: str) -> dict[str, Any]:
        """The last request for a path."""
        return [asked for asked in self.asked if asked["path"] == path][-1]

    def _answer_operator(self, path: str) -> Response:
        """What is asked of no business stands here below /operations."""
        return self._answer("*", f"operations/{path}")

    def _answer(self, business_id: str, path: str) -> Response:
        path = f"/{path}" if path else ""
        token = request.headers["Authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, options={"verify_signature": False})
        self.asked.append(
            {
                "method": request.method, "path": path, "query": request.args.to_dict(), "claims": claims,
                "body": request.get_json(silent=True), "key": request.headers.get("Idempotency-Key"),
                "text": request.get_data(as_text=True), "accept": request.headers.get("Accept"),
            }
        )  # fmt: skip
        missing = {"code": "not_found", "detail": "There is no such thing."}
        turns = self.turns.get((request.method, path))
        status, body = turns.pop(0) if turns else self.answers.get((request.method, path), (404, missing))
        response = Response(body, mimetype="application/pdf") if path.endswith(".pdf") else jsonify(body)
        if path.endswith(".pdf"):
            response.headers["Content-Disposition"] = 'inline; filename="file.pdf"'
        response.status_code = status
        if self.is_repeat and request.method == "POST":
            response.headers["Idempotent-Replayed"] = "true"
        return response
