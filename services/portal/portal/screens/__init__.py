"""The portal's screens: parse, ask, show. One blueprint per subject."""

from collections.abc import Sequence
from importlib import import_module

from flask import Blueprint

SUBJECTS = (
    "api_tokens",
    "assist",
    "balances",
    "calendar",
    "catalog",
    "client_search",
    "client_settings",
    "clients",
    "help",
    "home",
    "invoices",
    "mail_texts",
    "many",
    "online_payments",
    "pay_link",
    "payments",
    "paypal",
    "reminders",
    "revenue",
    "service_reports",
    "session_control",
    "signing_in",
    "system",
    "team",
    "token_exchange",
    "tray",
)


def blueprints() -> Sequence[Blueprint]:
    """Each subject's `screens`; imported when the app is built."""
    return [import_module(f"portal.screens.{subject}").screens for subject in SUBJECTS]
