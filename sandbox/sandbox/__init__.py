"""Remit's sandbox: stand-ins for the outside world. So far a mail server in a box."""

from sandbox.box import Sandbox, start
from sandbox.mail import MailServer
from sandbox.store import MailStore
from sandbox.web import create_app

__all__ = ["MailServer", "MailStore", "Sandbox", "create_app", "start"]
