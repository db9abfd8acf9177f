"""What of a log may leave the house."""

import json

import pytest

from common import support
from common.logs import REDACTED

OURS = {
    "event": "request failed", "level": "error", "service": "payments", "name": "Ada Lovelace", "address": "Rome 1",
    "reason": "IntegrityError: duplicate key\nDETAIL:  Key (email)=(ada@example.com) already exists.",
    "exception": 'Traceback (most recent call last):\n  File "/app/x.py", line 3, in pay\n    pay("Ada")\n'
    "ValueError: no card for Ada Lovelace",
}  # fmt: skip


def test_of_our_own_lines_what_happened_stays_and_whom_it_was_about_goes():
    kept = json.loads(support.clean_log("\x1b[2K" + json.dumps(OURS)))  # as Compose prints it
    assert kept == {
        "event": "request failed", "level": "error", "service": "payments", "reason": "IntegrityError: duplicate key",
        "exception": ["Traceback", 'File "/app/x.py", line 3, in pay', "ValueError"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("LOG:  duration: 1200.1 ms  statement: SELECT * FROM clients WHERE name = 'Ada'", "LOG:  duration: 1200.1 ms"),
        ("DETAIL:  Parameters: $1 = 'Ada Lovelace'", ""),
        ("\tFROM clients WHERE name = 'Ada'", ""),
        ("ERROR:  invalid input syntax for type integer: 'Ada'", "ERROR:  invalid input syntax for type integer: '…'"),
        ("550 no mailbox <ada.lovelace@example.com>", f"550 no mailbox <{REDACTED}>"),
        ("amqp://user:password@rabbitmq:5672/remit is away", f"amqp://{REDACTED}@rabbitmq:5672/remit is away"),
        ("Authorization: Bearer eyJhbGciOi.eyJzdWIi.c2ln", f"Authorization: Bearer {REDACTED}"),
        ('["Ada Lovelace"]', ""),
    ],
)
def test_of_others_lines_values_and_addresses_go(line: str, kept: str):
    assert support.clean_log(line).strip() == kept
