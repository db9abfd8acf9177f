"""Signatures over what the portal hands out and takes back: forms, links, choices. No secret beside its own key."""

import base64
import binascii
import hmac

from cryptography.exceptions import InvalidSignature

from common.auth import Signer, keys_of
from common.runtime import Runtime


def mark(signer: Signer, purpose: str, value: str) -> str:
    """The signature of `value` for one purpose; the prefix holds characters that no token begins with."""
    return base64.urlsafe_b64encode(signer.sign_bytes(_said(purpose, value))).decode().rstrip("=")


def fits(runtime: Runtime, purpose: str, value: str, given: str) -> bool:
    """Whether the portal has signed this. Signatures are deterministic, so that of its own key is compared; after a
    rotation those of the key before, which is trusted until it is retired, are verified."""
    if hmac.compare_digest(mark(runtime.signer, purpose, value).encode(), given.encode()):
        return True
    try:
        signature = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))
    except (binascii.Error, ValueError):
        return False
    for key in keys_of(runtime.jwks, runtime.service.name):
        try:
            key.verify(signature, _said(purpose, value))
        except InvalidSignature:
            continue
        return True
    return False


def _said(purpose: str, value: str) -> bytes:
    return f"portal/{purpose}:{value}".encode()
