"""The portal on its own, people for it, and a browser."""

import re
from pathlib import Path
from typing import Any

from common.testing import ServiceUnderTest
from portal.usecases import sessions, users
from services.portal.tests.others import Others

PASSWORD = "four words in a row"
_hashes: dict[str, str] = {}


class Visitor:
    """A browser: keeps cookies, and sends the token of the page that it saw."""

    def __init__(self, app: Any, address: str = "192.0.2.7") -> None:
        self.http = app.test_client()
        self._environ = {"REMOTE_ADDR": address}

    def get(self, path: str, **options: Any) -> Any:
        return self.http.get(path, environ_base=self._environ, **options)

    def post(self, path: str, data: dict[str, Any], page: str = "/sign-in", **options: Any) -> Any:
        seen = self.get(page)
        token = re.search(r'name="csrf" value="([^"]+)"', seen.text)
        assert token is not None, seen.text
        return self.http.post(path, data={**data, "csrf": token[1]}, environ_base=self._environ, **options)

    def sign_in(self, email: str, password: str = PASSWORD) -> Any:
        return self.post("/sign-in", {"email": email, "password": password})

    def cookie(self, name: str = "remit-session") -> str | None:
        held = self.http.get_cookie(name)
        return None if held is None else str(held.value)


class Portal:
    """The portal under test, its stand-ins, and people."""

    def __init__(self, folder: Path, others: Others, **environ: str) -> None:
        self.others = others
        self.service = ServiceUnderTest(
            "portal",
            folder,
            BILLING_URL=others.url,
            PAYMENTS_URL=others.url,
            GATEWAY_STRIPE_URL=others.url,
            NOTIFICATIONS_URL=others.url,
            **environ,
        )
        self.runtime = self.service.runtime

    def add(self, role: str, email: str, client_id: str | None = None, business_id: str = "b1", **more: str) -> None:
        with self.runtime.database.write() as session:
            user = users.ensure(session, business_id, role, email, more.get("name", "Someone"), client_id)
            password = more.get("password", PASSWORD)
            if password not in _hashes:  # made to be slow: once for all tests
                users.set_password(session, user, password)
                _hashes[password] = str(user.password_hash)
            user.password_hash = _hashes[password]

    def visitor(self, address: str = "192.0.2.7") -> Visitor:
        return Visitor(self.service.app, address)

    def client(self) -> Visitor:
        """Somebody signed in as the client c1."""
        self.add("client", "ada@home.example", "c1", name="Ada Lovelace")
        return self._signed_in("ada@home.example")

    def staff(self) -> Visitor:
        self.add("staff", "sam@harmony.example", name="Sam Staff")
        return self._signed_in("sam@harmony.example")

    def administrator(self) -> Visitor:
        self.add("administrator", "maria@harmony.example", name="Maria Harmony")
        return self._signed_in("maria@harmony.example")

    def _signed_in(self, email: str) -> Visitor:
        """As signing in leaves it, without the password: how that goes has tests of its own."""
        found = self.visitor()
        (user,) = users.by_email(self.runtime.database, email)
        with self.runtime.database.write() as session:
            found.http.set_cookie("remit-session", sessions.begin(session, session.merge(user)))
        return found
