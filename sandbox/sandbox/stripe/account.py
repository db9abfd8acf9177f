"""The account that a key belongs to."""

from __future__ import annotations

from sandbox.stripe.call import Call
from sandbox.stripe.params import EXPAND, Params
from sandbox.stripe.routes import operation
from sandbox.stripe.store import Body


@operation("GET", "account", EXPAND)
def retrieve(call: Call, _params: Params) -> Body:
    """The account; every account that a key names is there."""
    name = call.world.account
    return {
        "id": f"acct_{name}",
        "object": "account",
        "business_profile": {"mcc": None, "name": name, "support_email": None, "url": None},
        "business_type": "company",
        "capabilities": {"card_payments": "active", "us_bank_account_ach_payments": "active"},
        "charges_enabled": True,
        "country": "US",
        "created": 0,
        "default_currency": "usd",
        "details_submitted": True,
        "email": f"{name.lower()}@accounts.sandbox.example",
        "metadata": {},
        "payouts_enabled": True,
        "settings": {"dashboard": {"display_name": name, "timezone": "Etc/UTC"}},
        "type": "standard",
    }
