"""Payments' HTTP edge: parse, call, answer. One blueprint per resource."""

from collections.abc import Sequence

from flask_openapi3 import APIBlueprint

from common.web import feed


def blueprints() -> Sequence[APIBlueprint]:
    from payments.api import batches, gateways, payments, receipts, revenue  # noqa: PLC0415 - built when the app is

    return [batches.api, payments.api, gateways.api, receipts.api, revenue.api, feed.blueprint()]
