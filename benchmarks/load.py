"""Load on an HTTP endpoint from a few kept connections. It must cost little: it runs on the cores that are measured."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson

from benchmarks.stage import Payer


@dataclass(frozen=True)
class Answer:
    """One answer: when it had arrived (time.time), and its JSON."""

    at: float
    json: bytes


class Connection:
    """One kept connection that sends bytes made beforehand and reads only what it must."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = f"{parts.hostname}:{parts.port}"
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(
        self, path: str, body: bytes, headers: str = "", content_type: str = "application/json"
    ) -> tuple[int, bytes]:
        """(status, body) of the answer."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n{headers}\r\n"
        )
        self._socket.sendall(head.encode() + body)
        return self._read()

    def get(self, path: str, headers: str = "") -> tuple[int, bytes]:
        """(status, body) of the answer."""
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n{headers}\r\n".encode())
        return self._read()

    def _read(self) -> tuple[int, bytes]:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        parts = [body]
        left = length - len(body)
        while left > 0:
            parts.append(self._more())
            left -= len(parts[-1])
        return int(head[9:12]), b"".join(parts)

    def _more(self) -> bytes:
        more = self._socket.recv(1 << 20)
        if not more:
            raise ConnectionError("the server closed the connection")
        return more

    def close(self) -> None:
        self._socket.close()


def pay(connection: Connection, payer: Payer, amount_minor: int, token: str, key: str | None = None) -> bytes:
    """Record one payment; answers the JSON of the 201."""
    body = orjson.dumps({"client_id": payer.client_id, "amount_minor": amount_minor, "method": "cash"})
    headers = f"Authorization: Bearer {token}\r\n" + (f"Idempotency-Key: {key}\r\n" if key else "")
    status, answer = connection.post(f"/v1/businesses/{payer.business_id}/payments", body, headers)
    if status != 201:
        raise RuntimeError(f"{status}: {answer[:500]!r}")
    return answer


def press(
    url: str,
    for_seconds: float,
    connections: int,
    send: Callable[[Connection, int], bytes],
    per_second: float | None = None,
) -> list[Answer]:
    """What `send(connection, number)` was answered by `connections` threads: as fast as they can, or `per_second`
    in all, each at its appointed time or as soon after as it is free."""
    answers: list[list[Answer]] = [[] for _ in range(connections)]
    errors: list[BaseException] = []
    starts_at = time.time() + 0.05

    def work(place: int) -> None:
        connection = Connection(url)
        try:
            for number, due in enumerate(_times(starts_at, for_seconds, place, connections, per_second)):
                time.sleep(max(0.0, due - time.time()))
                body = send(connection, place + number * connections)
                answers[place].append(Answer(time.time(), body))
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(place,)) for place in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [answer for lane in answers for answer in lane]


def per_second(answers: Sequence[Answer], for_seconds: float) -> float:
    """Answers a second, the first fifth of the time left out."""
    first = min(answer.at for answer in answers)
    counted = [answer for answer in answers if first + for_seconds / 5 <= answer.at <= first + for_seconds]
    return len(counted) / (for_seconds * 4 / 5)


def _times(
    starts_at: float, for_seconds: float, place: int, connections: int, per_second: float | None
) -> Iterator[float]:
    if per_second is None:
        yield starts_at
        while time.time() < starts_at + for_seconds:
            yield 0.0
        return
    gap = connections / per_second
    due = starts_at + gap * place / connections
    while due < starts_at + for_seconds:
        yield due
        due += gap
