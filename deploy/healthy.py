"""Health checks that need no package: `healthy.py web PORT` and `healthy.py worker`. Exit status 0 means healthy."""

import http.client
import sys
import time
from pathlib import Path

ALIVE_FILE = Path("/tmp/remit-worker-alive")  # noqa: S108 - a tmpfs of the container's own; as in common.runner
ALIVE_SECONDS = 30
TIMEOUT_SECONDS = 4


def web(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def worker() -> bool:
    return ALIVE_FILE.exists() and time.time() - ALIVE_FILE.stat().st_mtime < ALIVE_SECONDS


if __name__ == "__main__":
    sys.exit(0 if (web(int(sys.argv[2])) if sys.argv[1] == "web" else worker()) else 1)
