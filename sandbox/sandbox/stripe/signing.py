"""The Stripe-Signature header."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence


def signature(body: bytes, secrets: Sequence[str], now: int) -> str:
    """t=…,v1=… for each secret: during a roll-over the old one signs too. now: Unix seconds."""
    signed = f"{now}.".encode() + body
    marks = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={now}", *(f"v1={mark}" for mark in marks)])
