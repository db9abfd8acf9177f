"""Notifications' HTTP edge: parse, call, answer. One blueprint per resource."""

from collections.abc import Sequence

from flask_openapi3 import APIBlueprint

from common.web import feed


def blueprints() -> Sequence[APIBlueprint]:
    from notifications.api import emails, settings, texts  # noqa: PLC0415 - built when the app is

    return [emails.api, settings.api, texts.api, feed.blueprint()]
