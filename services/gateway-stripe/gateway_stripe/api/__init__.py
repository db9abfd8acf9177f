"""gateway-stripe's HTTP edge: parse, call, answer. One blueprint per resource."""

from collections.abc import Sequence

from flask_openapi3 import APIBlueprint

from common.web import feed


def blueprints() -> Sequence[APIBlueprint]:
    from gateway_stripe.api import cards, intents, notices, settings, webhooks  # noqa: PLC0415 - built when the app is

    resources = (settings, intents, cards, notices, webhooks)
    return [*(resource.api for resource in resources), feed.blueprint()]
