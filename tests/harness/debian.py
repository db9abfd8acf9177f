"""What tests need besides Python, installed where Debian and root can do it."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

INSTALL_SECONDS = 270  # less than one test may take
LOCK = Path(tempfile.gettempdir()) / "remit-tests-installing"


def can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(*arguments: str) -> str:
    """Install packages, one test process after the other; answers the end of what went wrong, if anything did."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            for command in (["update"], ["install", "-y", *arguments]):
                done = subprocess.run(
                    ["apt-get", "-qq", *command], env=environ, capture_output=True, text=True, timeout=INSTALL_SECONDS,
                    check=False,
                )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"not done within {INSTALL_SECONDS} s"
    return done.stderr[-300:]
