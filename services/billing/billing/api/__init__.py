"""Billing's HTTP edge: parse, call, answer. One blueprint per resource."""

from collections.abc import Sequence

from flask_openapi3 import APIBlueprint

from common.web import feed


def blueprints() -> Sequence[APIBlueprint]:
    from billing.api import (  # noqa: PLC0415 - built when the app is
        balances,
        businesses,
        catalog,
        clients,
        invoices,
        reports,
        schedules,
        sessions,
    )

    return [
        businesses.api, clients.api, balances.api, catalog.api, sessions.api, invoices.api, schedules.api, reports.api,
        feed.blueprint(),
    ]  # fmt: skip
