"""Balance transactions: what a charge, a refund or a dispute does to the account, with Stripe's fee."""

from __future__ import annotations

from sandbox.stripe.call import Call
from sandbox.stripe.lists import list_spec, listed
from sandbox.stripe.params import EXPAND, Params
from sandbox.stripe.routes import operation
from sandbox.stripe.store import Body
from sandbox.stripe.tasks import task

FEE_THOUSANDTHS = 29
FEE_FIXED = 30
PAYOUT_SECONDS = 2 * 24 * 3600


def fee(amount: int) -> int:
    """2.9 % (half up) and 30, in minor units of any currency."""
    return (amount * FEE_THOUSANDTHS + 500) // 1000 + FEE_FIXED


def record(call: Call, kind: str, amount: int, currency: str, source: str, cost: int = 0) -> Body:
    """A new transaction of so many minor units; cost: what Stripe keeps of it."""
    details = {"amount": cost, "application": None, "currency": currency, "description": "Stripe processing fees",
               "type": "stripe_fee"}  # fmt: skip
    return call.add(
        call.head("txn", "balance_transaction")
        | {
            "amount": amount,
            "available_on": call.now + PAYOUT_SECONDS,
            "balance_type": "payments",
            "currency": currency,
            "description": None,
            "exchange_rate": None,
            "fee": cost,
            "fee_details": [details] if cost else [],
            "net": amount - cost,
            "reporting_category": {"adjustment": "dispute", "refund_failure": "refund_failure"}.get(kind, kind),
            "source": source,
            "status": "pending",
            "type": kind,
        }
    )


def settle(call: Call, charge: Body) -> str:
    """The id of a charge's transaction, made now unless there is one."""
    if charge["balance_transaction"] is None:
        amount, currency = charge["amount"], charge["currency"]
        charge["balance_transaction"] = record(call, "charge", amount, currency, charge["id"], fee(amount))["id"]
        call.save(charge)
        call.emit("charge.updated", charge, {"balance_transaction": None})
    return str(charge["balance_transaction"])


@task("fee")
def fee_known(call: Call, charge_id: str) -> None:
    """The fee of a charge, which Stripe tells a moment after the success."""
    settle(call, call.get("charge", charge_id))


@operation("GET", "balance_transactions/{id}", EXPAND)
def retrieve(call: Call, _params: Params, key: str) -> Body:
    """One transaction."""
    return call.get("balance_transaction", key)


@operation("GET", "balance_transactions", {**list_spec("source", "type", "currency")})
def page(call: Call, params: Params) -> Body:
    """Transactions."""
    return listed(call, "balance_transaction", params, "/v1/balance_transactions", "source", "type", "currency")
