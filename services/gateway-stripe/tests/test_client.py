"""What is said to Stripe goes over connections that are kept."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from stripe_shop import TEST_SECRET

from gateway_stripe.client import Stripe


class _Counting(ThreadingHTTPServer):
    """Answers every question with an account, and counts connections."""

    accepted = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        self.accepted += 1
        super().process_request(request, client_address)


class _Account(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b'{"id": "acct_1", "object": "account"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def counting() -> Iterator[_Counting]:
    server = _Counting(("127.0.0.1", 0), _Account)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_calls_of_all_accounts_share_one_connection(counting: _Counting) -> None:
    url = f"http://127.0.0.1:{counting.server_port}"
    accounts = [Stripe(url, f"{TEST_SECRET}{number}", 5.0) for number in range(20)]
    assert {account.account()["id"] for account in accounts} == {"acct_1"}
    assert counting.accepted == 1
