"""Ids and moments as PayPal writes them."""

from __future__ import annotations

import hashlib
import secrets
import string
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

ALPHABET = string.ascii_uppercase + string.digits
PACIFIC = ZoneInfo("America/Los_Angeles")
# Not strftime's: those follow the locale.
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def new_id(length: int = 17) -> str:
    """Random upper-case letters and digits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def derived_id(kind: str, text: str) -> str:
    """13 upper-case letters and digits that are always the same for a text."""
    number = int.from_bytes(hashlib.sha256(f"{kind}:{text}".encode()).digest())
    letters = []
    for _ in range(13):
        number, rest = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[rest])
    return "".join(letters)


def merchant_id(email: str) -> str:
    """The receiver_id of a business."""
    return derived_id("merchant", email.lower())


def payer_id(email: str) -> str:
    """The id of whoever pays with this address."""
    return derived_id("payer", email.lower())


def iso(moment: float) -> str:
    """2026-11-25T10:00:00Z."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_offset(moment: float) -> str:
    """2026-11-25T10:00:00+0000, as reports have it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def pacific(moment: float) -> str:
    """02:00:00 Nov 25, 2026 PST, as IPNs have it."""
    there = datetime.fromtimestamp(moment, PACIFIC)
    return f"{there:%H:%M:%S} {MONTHS[there.month - 1]} {there:%d, %Y %Z}"
