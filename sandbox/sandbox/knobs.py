"""What tests turn: faults and the clock."""

from __future__ import annotations

import math
from typing import Any

from flask import Blueprint, Response, jsonify, request

from sandbox import problems
from sandbox.clock import OffsetClock
from sandbox.faults import InvalidFaultsError, mail_faults
from sandbox.mail import MailServer
from sandbox.paypal import Engine as Paypal
from sandbox.paypal.faults import paypal_faults
from sandbox.stripe import Engine
from sandbox.stripe.faults import stripe_faults

FURTHEST_SECONDS = 100 * 366 * 24 * 3600


def create_knobs(server: MailServer, stripe: Engine, paypal: Paypal, clock: OffsetClock) -> Blueprint:
    """GET and PUT /faults, GET and POST /clock."""
    blueprint = Blueprint("knobs", __name__)

    @blueprint.get("/faults")
    def read_faults() -> Response:
        return jsonify(
            mail=server.faults.faults.as_dict(),
            stripe=stripe.faults.faults.as_dict(),
            paypal=paypal.faults.faults.as_dict(),
        )

    @blueprint.put("/faults")
    def write_faults() -> Response:
        wanted = _object()
        unknown = sorted(set(wanted) - {"mail", "stripe", "paypal"})
        if unknown:
            raise problems.invalid(f"unknown faults: {', '.join(unknown)}")
        try:
            mail, pay = mail_faults(wanted.get("mail", {})), stripe_faults(wanted.get("stripe", {}))
            pal = paypal_faults(wanted.get("paypal", {}))
        except InvalidFaultsError as error:
            raise problems.invalid(str(error)) from error
        server.faults.set(mail)
        stripe.faults.set(pay)
        paypal.faults.set(pal)
        return read_faults()

    @blueprint.get("/clock")
    def read_clock() -> Response:
        return jsonify(offset_seconds=clock.offset(), now=clock.now())

    @blueprint.post("/clock")
    def move_clock() -> Response:
        wanted = _object()
        offset: Any = wanted.get("offset_seconds")
        if set(wanted) != {"offset_seconds"} or type(offset) not in (int, float):
            raise problems.invalid("The body must be offset_seconds with a number.")
        if not math.isfinite(offset) or abs(offset) > FURTHEST_SECONDS:
            raise problems.invalid(f"offset_seconds must be from -{FURTHEST_SECONDS} to {FURTHEST_SECONDS}")
        clock.move(offset)
        stripe.wake.set()
        paypal.wake.set()
        return read_clock()

    return blueprint


def _object() -> dict[str, object]:
    wanted = request.get_json(force=True)
    if not isinstance(wanted, dict):
        raise problems.invalid("The body must be a JSON object.")
    return wanted
