"""Billing's HTTP edge: parse, call, answer. One blueprint per resource."""

from collections.abc import Sequence

from flask_openapi3 import APIBlueprint

from common.web import feed


def blueprints() -> Sequence[APIBlueprint]:
    from billing.api import balances, businesses, clients  # noqa: PLC0415 - built when the app is

    return [businesses.api, clients.api, balances.api, feed.blueprint()]
