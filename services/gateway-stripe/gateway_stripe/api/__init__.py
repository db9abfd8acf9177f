"""gateway-stripe's HTTP edge: parse, call, answer. One blueprint per resource."""

from collections.abc import Sequence

from flask_openapi3 import APIBlueprint

from common.gateway import api as gateway_api
from common.web import feed


def blueprints() -> Sequence[APIBlueprint]:
    from gateway_stripe.api import cards, intents, settings, webhooks  # noqa: PLC0415 - built when the app is
    from gateway_stripe.usecases import notices  # noqa: PLC0415

    resources = (settings, intents, cards, webhooks)
    kept = gateway_api.blueprint(notices.translate_notice, notices.shown)
    return [*(resource.api for resource in resources), kept, feed.blueprint()]
