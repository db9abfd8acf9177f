"""The signature of PayPal's webhooks: an RSA signature over who, when, which webhook, and the body's checksum."""

import base64
import binascii
import warnings
import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import certifi
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

NAMES = ("transmission-id", "transmission-time", "transmission-sig", "cert-url", "auth-algo")
ALGORITHM = "SHA256withRSA"
SIGNER = "messageverificationcerts.paypal.com"
# PayPal tries for three days, each time signed anew.
TOLERANCE = timedelta(days=4)


class Headers(Protocol):
    """A request's headers, in whatever case they are asked for."""

    def get(self, name: str, default: str, /) -> str: ...


class NotSigned(Exception):
    """The webhook is not signed as it must be; the message says what is wrong."""


def headers_of(headers: Headers) -> dict[str, str]:
    """What of a request's headers the signature needs, by their names without PAYPAL-."""
    return {name: headers.get(f"PAYPAL-{name}", "")[:500] for name in NAMES}


def verify(headers: Mapping[str, str], body: bytes, webhook_id: str, pem: bytes, now: datetime) -> None:
    """Raises NotSigned unless the certificate's key signed it for this webhook, not long ago."""
    if headers["auth-algo"] != ALGORITHM:
        raise NotSigned(f"its algorithm is not {ALGORITHM}")
    try:
        sent_at = datetime.fromisoformat(headers["transmission-time"])
        is_near = abs(now - sent_at) <= TOLERANCE
        signature = base64.b64decode(headers["transmission-sig"], validate=True)
    except (ValueError, TypeError, binascii.Error):
        raise NotSigned("its headers are missing or garbled") from None
    if not is_near:
        raise NotSigned("its time is past the tolerance")
    key = _leaf(pem).public_key()
    if not isinstance(key, RSAPublicKey):
        raise NotSigned("its certificate has no RSA key")
    said = f"{headers['transmission-id']}|{headers['transmission-time']}|{webhook_id}|{zlib.crc32(body)}"
    try:
        key.verify(signature, said.encode(), PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise NotSigned("its signature is not that of this body for this webhook") from None


def is_trusted(pem: bytes, now: datetime) -> bool:
    """Whether the certificate leads to one that browsers trust, and is PayPal's for signing."""
    leaf, *others = x509.load_pem_x509_certificates(pem)
    try:
        verifier = PolicyBuilder().store(_roots()).time(now).build_server_verifier(x509.DNSName(SIGNER))
        verifier.verify(leaf, others)
    except (VerificationError, x509.UnsupportedGeneralNameType):
        return False
    return True


@lru_cache(maxsize=1)
def _roots() -> Store:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some old root has a serial number that is not allowed any more
        return Store(x509.load_pem_x509_certificates(Path(certifi.where()).read_bytes()))


def _leaf(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(pem)[0]
    except (ValueError, IndexError):
        raise NotSigned("what is at its certificate's address is no certificate") from None
