"""Remit's sandbox: stand-ins for the outside world. A mail server and a Stripe in a box."""

from sandbox.box import Sandbox, start
from sandbox.mail import MailServer
from sandbox.store import MailStore
from sandbox.web import create_app

__all__ = ["MailServer", "MailStore", "Sandbox", "create_app", "start"]
