"""A business's PayPal account: settings saved, credentials sealed, and opened for a call."""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from common import clock, jobs
from common.errors import Conflict, FieldError, Forbidden, Invalid
from common.gateway import seals
from common.runtime import Runtime
from gateway_paypal.client import PayPal
from gateway_paypal.domain.translate import Context
from gateway_paypal.models import Account, Transaction

REGISTER = "register"
# What the API calls PayPal's sandbox is Remit's test mode.
MODES = {"sandbox": "test", "live": "live"}
NAMES = {mode: name for name, mode in MODES.items()}
STANDARD, ORDERS = "standard", "orders"
RETIRING = (
    "PayPal is retiring Website Payments Standard: it gets security fixes only and may be switched off at any time from"
    " 2027 on. Use Orders, which needs a REST app's client id and secret."
)
MERCHANT_ID = re.compile(r"[A-Z0-9]{13}")


@dataclass(frozen=True)
class Opened:
    """An account ready for calls. `api` is None without credentials."""

    business_id: str
    mode: str
    business_email: str
    merchant_id: str | None
    checkout: str
    webhook_id: str | None
    api: PayPal | None

    @property
    def context(self) -> Context:
        return Context(self.business_id, (self.merchant_id or self.business_email)[:100])

    def called(self) -> PayPal:
        """The API. Raises Conflict without credentials."""
        if self.api is None:
            raise Conflict(
                "paypal_credentials_missing",
                "This needs a REST app's client id and secret. Enter both under Account, Online Payments.",
            )
        return self.api


def settings_of(runtime: Runtime, session: Session, business_id: str) -> dict[str, Any]:
    """A business's settings as they may be shown: of the secret only the end, and whether it opens here."""
    account = session.get(Account, business_id)
    if account is None:
        return {
            "mode": "sandbox", "checkout": ORDERS, "checkout_notice": None, "business_email": None,
            "merchant_id": None, "allow_client_initiated_payments": False, "client_id": None, "client_secret": None,
            "webhook": None, "keys_open": True, "is_ready": False,
        }  # fmt: skip
    has_api = bool(account.client_id and account.client_secret)
    keys_open = seals.opens(runtime, account.client_secret, place(business_id))
    return {
        "mode": NAMES[account.mode],
        "checkout": account.checkout,
        "checkout_notice": RETIRING if account.checkout == STANDARD else None,
        "business_email": account.business_email,
        "merchant_id": account.merchant_id,
        "allow_client_initiated_payments": account.allow_client_initiated_payments,
        "client_id": account.client_id,
        "client_secret": f"…{account.client_secret_end}" if account.client_secret_end else None,
        "webhook": {"state": account.webhook_state, "reason": account.webhook_reason},
        "keys_open": keys_open,
        "is_ready": keys_open and (account.checkout == STANDARD or has_api),
    }


def save(runtime: Runtime, session: Session, business_id: str, wanted: dict[str, Any]) -> None:
    """Save what is named; what is left out stays. New credentials have a webhook registered by a job. Raises Invalid
    naming each field that is wrong, Conflict."""
    account = session.get(Account, business_id, with_for_update=True)
    _check(account, wanted)
    if account is None:
        account = Account(
            business_id=business_id, mode="test", checkout=ORDERS, allow_client_initiated_payments=False,
            webhook_state="none",
        )  # fmt: skip
        session.add(account)
    mode = MODES[wanted["mode"]]
    _refuse_test_after_live(session, account, mode)
    is_another = mode != account.mode or any(wanted[name] for name in ("client_id", "client_secret"))
    account.mode, account.updated_at = mode, clock.now()
    account.business_email = wanted["business_email"].strip().casefold()
    for name in ("checkout", "allow_client_initiated_payments", "merchant_id", "client_id"):
        if wanted[name] is not None:
            setattr(account, name, wanted[name])
    if wanted["client_secret"]:
        account.client_secret = runtime.sealer.seal(wanted["client_secret"], place(business_id))
        account.client_secret_end = wanted["client_secret"][-4:]
    session.flush()
    if is_another and account.client_id and account.client_secret:
        account.webhook_id, account.webhook_state, account.webhook_reason = None, "registering", None
        session.flush()
        if not jobs.retry(session, REGISTER, business_id):
            jobs.add_if_new(session, (REGISTER, business_id, business_id, {}))


def _check(account: Account | None, wanted: dict[str, Any]) -> None:
    errors = []
    if wanted["merchant_id"] and not MERCHANT_ID.fullmatch(wanted["merchant_id"]):
        errors.append(FieldError("merchant_id", "a merchant id has 13 capital letters and digits", code="invalid"))
    checkout = wanted["checkout"] or (account.checkout if account else ORDERS)
    for name in ("client_id", "client_secret"):
        if checkout == ORDERS and not wanted[name] and not (account and getattr(account, name)):
            words = 'Orders needs it; copy it from your REST app at developer.paypal.com, or choose "standard"'
            errors.append(FieldError(name, words, code="missing"))
    if errors:
        raise Invalid("settings_wrong", f"{errors[0].field}: {errors[0].message}. Nothing was saved.", errors)


def _refuse_test_after_live(session: Session, account: Account, mode: str) -> None:
    if mode in (account.mode, "live"):
        return
    live = select(Transaction.txn_id).where(Transaction.business_id == account.business_id, Transaction.mode == "live")
    if session.execute(live.limit(1)).first() is not None:
        raise Conflict(
            "live_payments_exist",
            "This business has taken real money; test money would mix with it. Use another business to test.",
        )


def place(business_id: str) -> str:
    """Where the secret belongs; it opens nowhere else."""
    return f"{business_id}/paypal/client_secret"


def open_account(runtime: Runtime, session: Session, business_id: str) -> Opened:
    """The business's account. Raises Conflict when it is not set up, calls.Refused when its secret does not open."""
    account = session.get(Account, business_id)
    if account is None:
        raise Conflict(
            "paypal_not_set_up", "PayPal is not set up. Enter its settings under Account, Online Payments first."
        )
    api = None
    settings: Any = runtime.settings
    if account.client_id and account.client_secret:
        secret = seals.opened(runtime, account.client_secret, place(business_id))
        api = PayPal(settings, account.mode, account.client_id, secret)
    return Opened(
        business_id, account.mode, account.business_email, account.merchant_id, account.checkout, account.webhook_id,
        api,
    )  # fmt: skip


def require_client_payments(session: Session, business_id: str) -> None:
    """Raise Forbidden unless the business lets its clients pay by themselves."""
    account = session.get(Account, business_id)
    if account is None or not account.allow_client_initiated_payments:
        raise Forbidden(
            "client_payments_not_allowed",
            "This business takes no PayPal payments from its clients here. Ask them how to pay.",
        )
