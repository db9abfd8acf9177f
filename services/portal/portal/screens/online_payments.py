"""Account, Online Payments: which gateway takes payments, its settings, and the tests that prove them."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from common.errors import Conflict, Invalid, Refused
from portal import edge
from portal.domain import gateways
from portal.edge import ADMINISTRATOR, screen
from portal.usecases import reading

screens = Blueprint("online_payments", __name__)

Settings = dict[str, Any]


@screens.get("/online-payments")
@screen(*ADMINISTRATOR)
def show() -> ResponseReturnValue:
    remit = edge.remit()
    return render_template(
        "online_payments.html",
        by_stripe=edge.piece(lambda: gateways.state_of_stripe(remit.stripe.settings())),
        by_paypal=edge.piece(lambda: gateways.state_of_paypal(remit.paypal.settings())),
    )


# --- Stripe ---


@screens.get("/online-payments/stripe")
@screen(*ADMINISTRATOR)
def stripe() -> ResponseReturnValue:
    return _stripe()


@screens.post("/online-payments/stripe")
@screen(*ADMINISTRATOR)
def save_stripe() -> ResponseReturnValue:
    form = request.form
    body = {
        "mode": form.get("mode", ""),
        "allow_client_initiated_payments": "allow_client_initiated_payments" in form,
        "mail_and_telephone_orders": "mail_and_telephone_orders" in form,
        **_filled(gateways.STRIPE_KEYS),
    }
    try:
        edge.remit().stripe.save_settings(body)
    except (Invalid, Conflict) as refused:
        return _stripe(refused=refused), _status(refused)
    return edge.done("online_payments.stripe", "gateway_saved")


@screens.post("/online-payments/stripe/test")
@screen(*ADMINISTRATOR)
def test_stripe() -> ResponseReturnValue:
    return _tested(edge.remit().stripe.test_transaction, _stripe)


def _stripe(result: Settings | None = None, refused: Refused | None = None) -> str:
    settings = edge.remit().stripe.settings()
    return render_template(
        "gateway_stripe.html",
        settings=settings,
        state=gateways.state_of_stripe(settings),
        gateways=gateways,
        result=result,
        **_typed(settings, refused),
    )


# --- PayPal ---


@screens.get("/online-payments/paypal")
@screen(*ADMINISTRATOR)
def paypal() -> ResponseReturnValue:
    return _paypal()


@screens.post("/online-payments/paypal")
@screen(*ADMINISTRATOR)
def save_paypal() -> ResponseReturnValue:
    form = request.form
    body = {
        "mode": form.get("mode", ""),
        "checkout": form.get("checkout", ""),
        "business_email": form.get("business_email", "").strip(),
        "allow_client_initiated_payments": "allow_client_initiated_payments" in form,
        **_filled(("merchant_id", "client_id", "client_secret")),
    }
    try:
        edge.remit().paypal.save_settings(body)
    except (Invalid, Conflict) as refused:
        return _paypal(refused=refused), _status(refused)
    return edge.done("online_payments.paypal", "gateway_saved")


@screens.post("/online-payments/paypal/test")
@screen(*ADMINISTRATOR)
def test_paypal() -> ResponseReturnValue:
    return _tested(edge.remit().paypal.test_notification, _paypal)


def _paypal(result: Settings | None = None, refused: Refused | None = None) -> str:
    remit = edge.remit()
    settings = remit.paypal.settings()
    return render_template(
        "gateway_paypal.html",
        settings=settings,
        state=gateways.state_of_paypal(settings),
        instructions=edge.piece(remit.paypal.instructions),
        gateways=gateways,
        result=result,
        **_typed(settings, refused),
    )


# --- both ---


def _filled(names: Mapping[str, str] | tuple[str, ...]) -> dict[str, str]:
    """What was typed into fields that keep what is there when they are left empty."""
    typed = {name: request.form.get(name, "").strip() for name in names}
    return {name: value for name, value in typed.items() if value}


def _typed(settings: Settings, refused: Refused | None) -> Settings:
    """The form as it is shown: what is saved, or what was typed and refused. Secrets are never shown again."""
    if refused is None:
        return {"form": settings, "errors": {}, "problem_words": None}
    form = {**settings, **request.form.to_dict()}
    for switch in ("allow_client_initiated_payments", "mail_and_telephone_orders"):
        form[switch] = switch in request.form
    errors = {name: gateways.in_words(words) for name, words in reading.beside(refused).items()}
    words = reading.detail_of(refused)
    if refused.errors:
        words = "Nothing was saved. Look at the fields that are marked. Keys and secrets have to be pasted again."
    return {"form": form, "errors": errors, "problem_words": words}


def _tested(run: Callable[[], Settings], page: Callable[[Settings], str]) -> ResponseReturnValue:
    """Run a gateway's test. A script is answered with the panel alone, so that nothing typed beside it is lost."""
    try:
        result = run()
    except Refused as refused:
        result = {"ok": False, "steps": [], "refused": refused.detail}
    if edge.wants_json():
        return {"panel": render_template("_test_result.html", result=result)}
    return page(result)


def _status(refused: Refused) -> int:
    return 409 if isinstance(refused, Conflict) else 422
