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
        credit,
        invoices,
        overview,
        reports,
        schedules,
        sessions,
    )

    resources = (businesses, clients, overview, balances, catalog, sessions, invoices, credit, schedules, reports)
    return [*(resource.api for resource in resources), feed.blueprint()]
