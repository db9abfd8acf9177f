"""A business's Stripe account: keys and settings saved, sealed, registered, and opened for a call."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from common import clock, jobs
from common.errors import Conflict, FieldError, Forbidden, Invalid
from common.gateway import seals
from common.runtime import Runtime
from gateway_stripe.client import Stripe
from gateway_stripe.domain import keys as rules
from gateway_stripe.domain.translate import Context
from gateway_stripe.models import Account, Intent, Keys

REGISTER = "register"
MODES = ("test", "live")
SWITCHES = ("allow_client_initiated_payments", "mail_and_telephone_orders")


@dataclass(frozen=True)
class Opened:
    """An account ready for calls."""

    business_id: str
    mode: str
    stripe: Stripe
    publishable_key: str
    context: Context


def settings_of(runtime: Runtime, session: Session, business_id: str) -> dict[str, Any]:
    """A business's settings as they may be shown: of secret keys only the end, and whether those of the mode that is
    on open here."""
    account = session.get(Account, business_id)
    found: dict[str, Any] = {
        "mode": account.mode if account else "test",
        **{name: bool(account and getattr(account, name)) for name in SWITCHES},
        "keys_open": True,
    }
    for mode in MODES:
        keys = session.get(Keys, (business_id, mode))
        found[f"{mode}_publishable_key"] = keys.publishable_key if keys else None
        found[f"{mode}_secret_key"] = f"…{keys.secret_key_end}" if keys and keys.secret_key_end else None
        found[f"{mode}_webhook"] = {"state": keys.state, "reason": keys.reason} if keys else None
        if keys and mode == found["mode"]:
            found["keys_open"] = seals.opens(runtime, keys.secret_key, place(business_id, mode, "secret_key"))
    return found


def save(runtime: Runtime, session: Session, business_id: str, wanted: dict[str, Any]) -> None:
    """Save what is named; what is left out stays. Keys that are new are registered at Stripe by a job. Raises
    Invalid naming each field that is wrong, Conflict."""
    new_keys = {field: wanted[field].strip() for field in rules.FIELDS if wanted.get(field)}
    errors = [
        FieldError(field, words, code="key_wrong")
        for field, key in new_keys.items()
        if (words := rules.problem(field, key)) is not None
    ]
    if errors:
        raise Invalid("key_wrong", f"{errors[0].field}: {errors[0].message}. Nothing was saved.", errors)
    account = session.get(Account, business_id, with_for_update=True)
    if account is None:
        account = Account(business_id=business_id, mode="test", **dict.fromkeys(SWITCHES, False))
        session.add(account)
    _refuse_test_after_live(session, account, wanted["mode"])
    account.mode = wanted["mode"]
    for name in SWITCHES:
        if wanted[name] is not None:
            setattr(account, name, wanted[name])
    account.updated_at = clock.now()
    session.flush()
    for mode in MODES:
        mine = {field.removeprefix(f"{mode}_"): key for field, key in new_keys.items() if field.startswith(mode)}
        if mine:
            _save_keys(runtime, session, business_id, mode, mine)


def _refuse_test_after_live(session: Session, account: Account, mode: str) -> None:
    if mode in (account.mode, "live"):
        return
    live = select(Intent.intent_id).where(Intent.business_id == account.business_id, Intent.mode == "live").limit(1)
    if session.execute(live).first() is not None:
        raise Conflict(
            "live_payments_exist",
            "This business has taken real money; test money would mix with it. Use another business to test.",
        )


def _save_keys(runtime: Runtime, session: Session, business_id: str, mode: str, new: dict[str, str]) -> None:
    keys = session.get(Keys, (business_id, mode))
    if keys is None:
        keys = Keys(business_id=business_id, mode=mode, state="registering")
        session.add(keys)
    if "publishable_key" in new:
        keys.publishable_key = new["publishable_key"]
    if "secret_key" in new:
        keys.secret_key = runtime.sealer.seal(new["secret_key"], place(business_id, mode, "secret_key"))
        keys.secret_key_end = new["secret_key"][-4:]
        keys.state, keys.reason, keys.account_id = "registering", None, None
        session.flush()
        key = f"{business_id}:{mode}"
        if not jobs.retry(session, REGISTER, key):
            jobs.add_if_new(session, (REGISTER, key, business_id, {"mode": mode}))
    session.flush()


def place(business_id: str, mode: str, field: str) -> str:
    """Where a secret belongs; it opens nowhere else."""
    return f"{business_id}/{mode}/{field}"


def stripe_of(runtime: Runtime, keys: Keys) -> Stripe:
    """Stripe with the keys' secret. Raises calls.Refused when it does not open."""
    assert keys.secret_key is not None
    secret = seals.opened(runtime, keys.secret_key, place(keys.business_id, keys.mode, "secret_key"))
    settings: Any = runtime.settings
    return Stripe(settings.api_base, secret, settings.stripe_timeout_seconds)


def open_account(runtime: Runtime, session: Session, business_id: str, mode: str | None = None) -> Opened:
    """The account of the business's mode, or of `mode`. Raises Conflict when it is not set up."""
    account = session.get(Account, business_id)
    keys = session.get(Keys, (business_id, mode or account.mode)) if account else None
    if keys is None or not keys.secret_key or not keys.publishable_key:
        raise Conflict(
            "stripe_not_set_up",
            "Card payments are not set up. Enter both Stripe keys under Account, Online Payments first.",
        )
    if keys.account_id is None:
        raise Conflict(
            "stripe_not_ready",
            "Stripe is still being set up with these keys."
            if keys.state == "registering"
            else f"Stripe did not accept the keys: {keys.reason}. Enter them again.",
        )
    context = Context(business_id, keys.account_id)
    return Opened(business_id, keys.mode, stripe_of(runtime, keys), keys.publishable_key, context)


def require_client_payments(session: Session, business_id: str) -> None:
    """Raise Forbidden unless the business lets its clients pay by themselves."""
    account = session.get(Account, business_id)
    if account is None or not account.allow_client_initiated_payments:
        raise Forbidden(
            "client_payments_not_allowed",
            "This business takes card payments through its staff only. Ask them to take the payment.",
        )


def require_mail_and_telephone_orders(session: Session, business_id: str) -> None:
    """Raise Forbidden unless the business says that Stripe has enabled its account for them."""
    account = session.get(Account, business_id)
    if account is None or not account.mail_and_telephone_orders:
        raise Forbidden(
            "moto_not_enabled",
            "Mail and telephone orders are off. Ask Stripe's support to enable them for the account, then turn them"
            " on under Account, Online Payments.",
        )
