"""Signatures over what the portal hands out and takes back: forms, links, choices. No secret beside its own key."""

import base64
import hmac

from common.auth import Signer


def mark(signer: Signer, purpose: str, value: str) -> str:
    """The signature of `value` for one purpose. Signatures are deterministic, so it is compared, not verified; the
    prefix holds characters that no token begins with."""
    raw = signer.sign_bytes(f"portal/{purpose}:{value}".encode())
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def fits(signer: Signer, purpose: str, value: str, given: str) -> bool:
    return hmac.compare_digest(mark(signer, purpose, value).encode(), given.encode())
