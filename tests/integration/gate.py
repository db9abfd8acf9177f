"""The pre-pay gate under concurrency, on any running Remit: requests at once never pass it together."""

import threading
from collections import Counter
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from common.testing import eventually
from tests.integration.remit import Remit


class Desk:
    """A client with a balance, before the gate of its business."""

    def __init__(self, remit: Remit, threshold_minor: int, balance_minor: int) -> None:
        self._remit = remit
        control = {"prepayment_required": True, "threshold_minor": threshold_minor, "reserve_scheduled": True}
        assert remit.call("PATCH", "billing", "", json={"session_control": control}).ok
        self.client_id = remit.call("POST", "billing", "/clients", json={"name": "Gate"}).json()["id"]
        names = len(remit.call("GET", "billing", "/services").json()["items"])
        service = {"name": f"Lesson {names}", "price_minor": 3000, "duration_minutes": 45}
        self._service_id = remit.call("POST", "billing", "/services", json=service).json()["id"]
        self.pay(balance_minor)

    def pay(self, amount_minor: int) -> None:
        before = self.figures()["balance_minor"]
        body = {"client_id": self.client_id, "amount_minor": amount_minor, "method": "cash"}
        assert self._remit.call("POST", "payments", "/payments", json=body).status_code == 201
        eventually(lambda: self.figures()["balance_minor"] == before + amount_minor, "the payment to be booked")

    def figures(self) -> dict[str, Any]:
        return dict(self._remit.call("GET", "billing", f"/clients/{self.client_id}/balance").json())

    def add_at_once(self, count: int, price_minor: int) -> list[requests.Response]:
        """`count` sessions added at the same moment."""
        barrier = threading.Barrier(count)
        answers: list[requests.Response] = []

        def add() -> None:
            barrier.wait()
            body = {
                "client_id": self.client_id, "service_id": self._service_id, "price_minor": price_minor,
                "starts_at": "2026-12-24T10:00:00Z",
            }  # fmt: skip
            answer = self._remit.call("POST", "billing", "/sessions", json=body)
            while answer.status_code == 503:  # busy: nothing was changed, and it says to try again
                answer = self._remit.call("POST", "billing", "/sessions", json=body)
            answers.append(answer)

        threads = [threading.Thread(target=add) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers


def check_two_at_once(remit: Remit) -> None:
    desk = Desk(remit, threshold_minor=3000, balance_minor=3000)
    answers = sorted(desk.add_at_once(2, 3000), key=lambda answer: answer.status_code)
    assert [answer.status_code for answer in answers] == [201, 409]
    refused = answers[1].json()
    assert (refused["code"], refused["shortfall_minor"]) == ("balance_below_threshold", 3000)
    desk.pay(int(parse_qs(urlsplit(refused["pay_url"]).query)["amount_minor"][0]))
    assert [answer.status_code for answer in desk.add_at_once(1, 3000)] == [201]


def check_many_at_once(remit: Remit, price_minor: int, balance_minor: int, expected: int) -> None:
    desk = Desk(remit, threshold_minor=3000, balance_minor=balance_minor)
    answers = desk.add_at_once(200, price_minor)
    assert Counter(answer.status_code for answer in answers) == Counter({201: expected, 409: 200 - expected})
    figures = desk.figures()
    assert (figures["reserved_minor"], figures["available_minor"]) == (
        expected * price_minor,
        balance_minor - expected * price_minor,
    )


# (price, balance, how many pass): at the threshold's price, below it, and above it.
CROWDS = [(3000, 30_000, 10), (1000, 10_000, 8), (7000, 50_000, 7)]
