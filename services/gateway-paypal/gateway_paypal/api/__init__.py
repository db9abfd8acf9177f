"""gateway-paypal's HTTP edge: parse, call, answer. One blueprint per resource."""

from collections.abc import Sequence

from flask_openapi3 import APIBlueprint

from common.gateway import api as gateway_api
from common.web import feed


def blueprints() -> Sequence[APIBlueprint]:
    from gateway_paypal.api import callbacks, checkouts, settings  # noqa: PLC0415 - built when the app is
    from gateway_paypal.usecases import notices  # noqa: PLC0415

    kept = gateway_api.blueprint(notices.translate_notice, notices.shown)
    return [settings.api, checkouts.api, callbacks.api, kept, feed.blueprint()]
