"""A PayPal in a box: the payer's pages, IPN, Orders v2 and webhooks, kept in one SQLite file."""

from sandbox.paypal.engine import Engine
from sandbox.paypal.web import create_paypal

__all__ = ["Engine", "create_paypal"]
