"""Merchants' accounts, known by their business e-mail and made when they are first mentioned."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from sandbox.paypal.marks import merchant_id
from sandbox.paypal.store import Store

# As in the table.
DEFAULT_CHARSET = "windows-1252"
EMAIL = re.compile(r"[^@\s]{1,127}@[^@\s]{1,127}")


@dataclass(frozen=True)
class Account:
    """notify_url: where IPNs go that have no URL of their own. charset: the language encoding of IPNs."""

    email: str
    merchant_id: str
    notify_url: str
    charset: str

    def as_dict(self) -> dict[str, str]:
        """The account as the control API shows it."""
        return asdict(self)


def account_of(store: Store, email: str) -> Account:
    """The account of this business. Raises ValueError when that is no address."""
    email = email.strip().lower()
    if not EMAIL.fullmatch(email):
        raise ValueError(f"This is no e-mail address: {email or '(empty)'}")
    store.run("INSERT OR IGNORE INTO account (email) VALUES (?)", email)
    notify_url, charset = store.rows("SELECT notify_url, charset FROM account WHERE email = ?", email)[0]
    return Account(email, merchant_id(email), notify_url, charset)


def change(store: Store, email: str, notify_url: str | None, charset: str | None) -> Account:
    """The account after its settings were changed; None leaves one as it is. Raises ValueError."""
    account = account_of(store, email)
    if charset is not None and not known_charset(charset):
        raise ValueError(f"There is no such character encoding: {charset}")
    if notify_url and not notify_url.startswith(("http://", "https://")):
        raise ValueError("notify_url must begin with http:// or https://")
    store.run(
        "UPDATE account SET notify_url = ?, charset = ? WHERE email = ?",
        account.notify_url if notify_url is None else notify_url, charset or account.charset, account.email,
    )  # fmt: skip
    return account_of(store, email)


def bind(store: Store, email: str, client_id: str) -> Account:
    """Have this client of the API act for this account."""
    account = account_of(store, email)
    store.run("INSERT OR REPLACE INTO client (id, account) VALUES (?,?)", client_id, account.email)
    return account


def account_of_client(store: Store, client_id: str) -> Account:
    """The account that a client of the API acts for: the bound one, or one named after it."""
    rows = store.rows("SELECT account FROM client WHERE id = ?", client_id)
    if rows:
        return account_of(store, rows[0][0])
    plain = re.sub(r"[@\s]", "_", client_id.lower())
    return account_of(store, f"{plain}@business.example")


def known_charset(name: str) -> bool:
    """Whether texts can be written in it, with plain letters as in ASCII."""
    try:
        return "x\u00e9".encode(name, "replace").startswith(b"x")
    except (LookupError, ValueError):
        return False
