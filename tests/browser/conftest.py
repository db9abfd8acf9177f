"""Debian's Chromium, driven by Playwright; nothing is downloaded from elsewhere."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import NoReturn

import pytest
from playwright.sync_api import Browser, Error, sync_playwright

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
]  # fmt: skip
INSTALL_SECONDS = 240


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or _install()
    with sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        except Error as error:
            _go_without(f"Chromium does not start: {str(error)[:300]}")
        yield found
        found.close()


def _install() -> str:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        _go_without("there is no chromium, and only root on Debian could install it")
    done = None
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            _go_without("installing chromium took too long")
    path = shutil.which("chromium")
    if path is None:
        _go_without(f"chromium could not be installed: {done.stderr[-300:] if done else None}")
    return path


def _go_without(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"no browser to test with: {reason}")
    pytest.skip(reason)
