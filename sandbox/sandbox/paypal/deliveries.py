"""The way of IPNs and webhooks to whoever listens: several at once, in no certain order, until they are taken."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from sandbox.paypal import messages
from sandbox.paypal.marks import iso
from sandbox.paypal.signing import ALGORITHM, foreign_signature, signed_text

if TYPE_CHECKING:
    from sandbox.paypal.engine import Engine

FIRST_GAP_SECONDS = 10
LONGEST_WEBHOOK_GAP_SECONDS = 4 * 3600 + 40 * 60
# One and 15 more, which with the gaps doubled takes four days; for webhooks 25, which takes three.
MOST_IPN_TRIES = 16
MOST_WEBHOOK_TRIES = 25
TIMEOUT_SECONDS = (3, 30)
AT_ONCE = 16
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Due:
    """A delivery that is due. webhook: None for an IPN."""

    seq: int
    message: str
    webhook: str | None
    transmission: str
    tries: int


def gap_seconds(tries: int, *, webhook: bool) -> float:
    """How long to wait after so many tries that failed: 10, 20, 40, … seconds."""
    gap = FIRST_GAP_SECONDS * 2 ** (tries - 1)
    return float(min(gap, LONGEST_WEBHOOK_GAP_SECONDS) if webhook else gap)


class Sender:
    """Takes due deliveries out of the store and posts them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._under_way: set[int] = set()

    def send_due(self) -> None:
        """Begin with what is due and not under way."""
        with self._lock:
            busy = set(self._under_way)
        rows = self._engine.store.rows(
            "SELECT seq, message, webhook, transmission, tries FROM delivery WHERE state = 'due' AND due <= ?"
            " ORDER BY due, seq LIMIT ?",
            self._engine.clock.now(), AT_ONCE + len(busy),
        )  # fmt: skip
        fresh = [due for due in (Due(*row) for row in rows) if due.seq not in busy]
        for due in fresh[: max(0, AT_ONCE - len(busy))]:
            with self._lock:
                self._under_way.add(due.seq)
            # Daemons: a process that ends does not wait for a listener that hangs; after its start it sends again.
            threading.Thread(target=self._deliver, args=(due,), name="paypal-delivery", daemon=True).start()

    def _deliver(self, due: Due) -> None:
        try:
            status = self._post(due)
            if status is None:
                self._note(due, "failed", None, 0)
                return
            tries, webhook = due.tries + 1, due.webhook is not None
            taken = 200 <= status < 300 if webhook else status == 200
            most = MOST_WEBHOOK_TRIES if webhook else MOST_IPN_TRIES
            state = "done" if taken else "due" if tries < most else "failed"
            self._note(due, state, status, self._engine.clock.now() + gap_seconds(tries, webhook=webhook))
        except Exception:
            if not self._engine.stopping.is_set():
                log.exception("a message could not be handled")
        finally:
            with self._lock:
                self._under_way.discard(due.seq)
            self._engine.wake.set()

    def _post(self, due: Due) -> int | None:
        """The status of the answer, 0 for none; None when there is nobody to send it to any more."""
        found = self._engine.store.rows("SELECT body, url FROM message WHERE id = ?", due.message)
        if not found:
            return None
        body, url = found[0]
        if due.webhook is None:
            return _post(url, body, {
                "Content-Type": "application/x-www-form-urlencoded",
                "User-Agent": "PayPal IPN ( https://www.paypal.com/ipn )",
            })  # fmt: skip
        hook = self._engine.store.rows("SELECT url, address FROM webhook WHERE id = ?", due.webhook)
        return _post(hook[0][0], body, self._signed(due, body, hook[0][1])) if hook else None

    def _signed(self, due: Due, body: bytes, address: str) -> dict[str, str]:
        moment = iso(self._engine.clock.now())
        text = signed_text(due.transmission, moment, due.webhook or "", body)
        certificate = self._engine.certificate
        wrong = self._engine.faults.take("wrong_signature_next")
        return {
            "Content-Type": "application/json",
            "User-Agent": "PayPal/AUHD-1.0-1",
            "PAYPAL-TRANSMISSION-ID": due.transmission,
            "PAYPAL-TRANSMISSION-TIME": moment,
            "PAYPAL-TRANSMISSION-SIG": foreign_signature(text) if wrong else certificate.sign(text),
            "PAYPAL-CERT-URL": f"{address}/v1/notifications/certs/{certificate.id}",
            "PAYPAL-AUTH-ALGO": ALGORITHM,
            "CORRELATION-ID": messages.digest(body)[:13],
        }

    def _note(self, due: Due, state: str, status: int | None, next_due: float) -> None:
        self._engine.store.run(
            "UPDATE delivery SET state = ?, tries = ?, status = ?, due = ? WHERE seq = ?",
            state, due.tries + (status is not None), status, next_due, due.seq,
        )  # fmt: skip


def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    try:
        with requests.post(url, data=body, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False,
                           stream=True) as answer:  # fmt: skip
            return answer.status_code
    except (requests.RequestException, ValueError):
        return 0
