"""What a team's program may be given, in words; never what operates Remit itself, nor the keys of gateways."""

from collections.abc import Iterable

SCOPES: dict[str, str] = {
    "payments:read": "See payments, receipts and revenue",
    "payments:write": "Record and void payments, assign unmatched ones, send receipts",
    "payments:refund": "Refund payments",
    "billing:read": "See clients, balances, sessions, invoices and reports",
    "billing:write": "Change clients, services, sessions and invoices",
    "billing:adjust": "Correct balances",
    "gateway:read": "See which online payments are set up, and what gateways told",
    "gateway:charge": "Charge saved cards and begin online payments",
    "notifications:read": "See e-mails and how they read",
    "notifications:write": "Send e-mails, and change how they read",
    "events:read": "Follow what happens, as a feed of events",
}


def known(scopes: Iterable[str]) -> list[str]:
    """Those that a team may have, in one order."""
    given = set(scopes)
    return [scope for scope in SCOPES if scope in given]


def in_words(scopes: Iterable[str]) -> list[str]:
    return [SCOPES[scope] for scope in known(scopes)]
