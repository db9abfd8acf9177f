"""Debian's Chromium, driven by Playwright; nothing is downloaded from elsewhere."""

import os
import shutil
from collections.abc import Iterator
from typing import NoReturn

import pytest
from playwright.sync_api import Browser, Error, sync_playwright

from tests.harness import debian

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
]  # fmt: skip


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
    if not debian.can_install():
        _go_without("there is no chromium, and only root on Debian could install it")
    said = debian.install("chromium")
    path = shutil.which("chromium")
    if path is None:
        _go_without(f"chromium could not be installed: {said}")
    return path


def _go_without(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"no browser to test with: {reason}")
    pytest.skip(reason)
