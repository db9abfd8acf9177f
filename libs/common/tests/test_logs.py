"""Logs are lost sooner than work, and nobody writes a line of their own into them."""

import json
import subprocess
import sys

WITHOUT_ROOM = """
import errno, io, logging, sys

class Full(io.StringIO):
    def write(self, text):
        raise OSError(errno.ENOSPC, "No space left on device")
    flush = lambda self: self.write("")

sys.stderr = Full()
from common import logs
logs.configure("payments")
logs.get("tests").warning("ours")
logging.getLogger("somebody").warning("somebody else's")
print("went on")
"""


def test_a_full_disk_beneath_the_logs_is_no_failure():
    done = subprocess.run([sys.executable, "-c", WITHOUT_ROOM], capture_output=True, text=True, check=False)

    assert done.stdout == "went on\n"


FORGING = """
import logging
from common import logs
logs.configure("payments")
forged = 'x\\r\\n{"event": "paid", "service": "payments"}\\u2028\\x1b[2J'
logs.get("tests").warning(forged, reason=forged, **{forged: forged})
logging.getLogger("somebody").warning("%s", forged)
"""


def test_what_is_logged_begins_no_line_of_its_own():
    done = subprocess.run([sys.executable, "-c", FORGING], capture_output=True, check=True)

    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert all(json.loads(line)["event"].startswith("x\r\n") for line in lines)
    assert b"\x1b" not in done.stderr
