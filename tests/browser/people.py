"""People at browsers: what they see is kept as pictures, wide and narrow.

Pictures go to var/screenshots, or to the folder that SCREENSHOTS names.
"""

import os
import re
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.harness.embedded import Embedded

WAIT_MS = 30_000
SIZES = {"1440": (1440, 900), "390": (390, 844), "360": (360, 740)}
WIDE = {"width": 1440, "height": 900}
GOOD_CARD, DECLINED_CARD, ASKING_CARD = "4242 4242 4242 4242", "4000 0000 0000 0002", "4000 0027 6000 3184"
PICTURES = Path(os.environ.get("SCREENSHOTS") or "var/screenshots")


class Person:
    """Somebody at a browser of their own. What the page's console complains of fails the test."""

    def __init__(self, browser: Browser, remit: Embedded) -> None:
        self.context = browser.new_context(viewport=WIDE)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.complaints: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.portal = str(remit.endpoints["portal"])

    def sign_in(self, who: dict[str, str]) -> None:
        self.page.goto(self.portal)
        self.page.get_by_label("E-mail address").fill(who["email"])
        self.page.get_by_label("Password").fill(who["password"])
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(re.compile(r"^(?!.*/sign-in)"))

    def type_card(self, number: str = GOOD_CARD) -> None:
        self.page.get_by_label("Card number").fill(number)
        self.page.get_by_label("Expiration date").fill("12 / 34")
        self.page.get_by_label("CVC").fill("123")

    def look(self, name: str) -> None:
        """Nothing is wider than the screen, down to the smallest; a picture of it is kept."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        for size, (width, height) in SIZES.items():
            self.page.set_viewport_size({"width": width, "height": height})
            wide = self.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{name} is {wide} px wide at {width}"
            if size != "360":
                self.page.screenshot(path=PICTURES / f"{name}-{size}.png", full_page=True)
        self.page.set_viewport_size(WIDE)  # type: ignore[arg-type]

    def leave(self) -> None:
        self.context.close()
        assert self.complaints == []
