"""A Stripe in a box: what Stripe's SDK and Stripe.js need, kept in one SQLite file."""

from sandbox.stripe.engine import Engine
from sandbox.stripe.web import create_stripe

__all__ = ["Engine", "create_stripe"]
