"""Run the sandbox until SIGTERM or SIGINT: python -m sandbox."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import sys
import threading
from types import FrameType

from sandbox.box import SMTP_OFFSET, start

log = logging.getLogger("sandbox")


def main() -> int:
    """Read PORT_BASE, SANDBOX_BIND, SANDBOX_DIR and CLOCK_FILE, serve, and return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # aiosmtpd logs each line of each dialogue at INFO; that is slow and holds people's addresses.
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    text = os.environ.get("PORT_BASE", "8000")
    if not text.isdecimal() or not 1 <= int(text) <= 65535 - SMTP_OFFSET:
        log.error("PORT_BASE must be a number from 1 to %d, not %r", 65535 - SMTP_OFFSET, text)
        return 2
    # Before anything is started, so that a signal during the start also ends in a clean stop.
    done = threading.Event()

    def finish(_number: int, _frame: FrameType | None) -> None:
        done.set()

    signal.signal(signal.SIGTERM, finish)
    signal.signal(signal.SIGINT, finish)
    host, folder = os.environ.get("SANDBOX_BIND", "127.0.0.1"), os.environ.get("SANDBOX_DIR", "var/sandbox")
    try:
        sandbox = start(host, int(text), folder, os.environ.get("CLOCK_FILE"))
    except (OSError, sqlite3.Error, RuntimeError) as error:
        log.error("cannot start: %s", error)
        return 1
    log.info("inbox at %s/mail, SMTP at %s:%d", sandbox.web_url, sandbox.smtp_host, sandbox.smtp_port)
    log.info("Stripe at %s/stripe, PayPal at %s/paypal", sandbox.web_url, sandbox.web_url)
    done.wait()
    sandbox.stop()
    log.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
