"""The portal as visitors meet it over HTTP: every route of it by name, people who sign in, and what stands in paths."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from pathlib import Path
from typing import Any

import requests

from common.testing import ServiceUnderTest
from tests.harness.embedded import Embedded

PASSWORD = "several words in a row"
HEALTH = {"/healthz", "/readyz", "/metrics"}


@dataclass(frozen=True)
class Route:
    """One page or form. `roles` is empty where it is open."""

    endpoint: str
    rule: str
    method: str
    roles: tuple[str, ...]

    @property
    def arguments(self) -> list[str]:
        return re.findall(r"<(?:\w+:)?(\w+)>", self.rule)

    def path(self, facts: dict[str, str]) -> str:
        """Its path, with `facts` in the place of its arguments; raises KeyError when one is not known. A fact may be
        for the pages of one subject, as `mail_texts.kind` is."""
        subject = self.endpoint.partition(".")[0]
        return re.sub(
            r"<(?:\w+:)?(\w+)>", lambda found: facts.get(f"{subject}.{found[1]}") or facts[found[1]], self.rule
        )


def routes(folder: Path) -> list[Route]:
    """Every route of the portal, health and files aside."""
    portal = ServiceUnderTest("portal", folder)
    found = [
        Route(rule.endpoint, rule.rule, method, tuple(getattr(portal.app.view_functions[rule.endpoint], "roles", ())))
        for rule in portal.app.url_map.iter_rules()
        if rule.rule not in HEALTH and rule.endpoint != "static"
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]
    portal.close()
    return found


class Visitor:
    """Somebody with a browser of their own, without the browser."""

    def __init__(self, portal: str) -> None:
        self.portal = portal
        self._http = requests.Session()

    def get(self, path: str, **options: Any) -> requests.Response:
        return self._http.get(self.portal + path, timeout=60, allow_redirects=False, **options)

    def post(self, path: str, said: dict[str, Any], **options: Any) -> requests.Response:
        """With the token that this visitor's pages carry."""
        return self._http.post(
            self.portal + path, data={**said, "csrf": self._token}, timeout=60, allow_redirects=False, **options
        )  # fmt: skip

    def sign_in(self, email: str, password: str = PASSWORD) -> "Visitor":
        self.__dict__.pop("_token", None)
        page = self.get("/sign-in")
        answer = self._http.post(
            f"{self.portal}/sign-in", data={"email": email, "password": password, "csrf": token_of(page)},
            timeout=60, allow_redirects=False,
        )  # fmt: skip
        assert answer.status_code == 303, f"{email} cannot sign in: {answer.status_code}"
        return self

    @cached_property
    def _token(self) -> str:
        page = self.get("/account")
        return token_of(page if page.ok and "csrf" in page.text else self.get("/sign-in"))


def token_of(page: requests.Response) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return unescape(found[1])


def invitation(
    remit: Embedded, role: str, email: str, client_id: str | None = None, business_id: str | None = None
) -> str:
    """The link of an invitation, as operators make one."""
    command = [
        sys.executable, "-m", "common.runner", "portal", "do", "invite", "--business", business_id or remit.id,
        "--email", email, "--role", role, *(["--client", client_id] if client_id else []),
    ]  # fmt: skip
    told = subprocess.run(command, env=remit.environ, capture_output=True, text=True, timeout=60, check=True)
    return told.stdout.strip().splitlines()[-1]


def invited(
    remit: Embedded, role: str, email: str, client_id: str | None = None, business_id: str | None = None
) -> Visitor:
    """Somebody who was invited, has set a password, and is signed in."""
    link = invitation(remit, role, email, client_id, business_id)
    http = requests.Session()
    page = http.get(link, timeout=30)
    said = {"password": PASSWORD, "again": PASSWORD, "csrf": token_of(page)}
    assert http.post(link, data=said, timeout=30).ok
    return Visitor(remit.url("portal")).sign_in(email)


def pages_with(found: list[Route], role: str) -> Iterator[Route]:
    """The pages that a role may open."""
    for route in found:
        if route.method == "GET" and role in route.roles:
            yield route
