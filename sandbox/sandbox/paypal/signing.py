"""The certificate whose key signs webhooks: made once, kept in the sandbox's folder."""

from __future__ import annotations

import base64
import binascii
import threading
import zlib
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

ALGORITHM = "SHA256withRSA"
KEY_BITS = 2048
# The sandbox's clock goes far.
VALID_FROM = datetime(2000, 1, 1, tzinfo=UTC)
VALID_UNTIL = datetime(2199, 12, 31, tzinfo=UTC)


class Certificate:
    """Signs for PayPal. Key and certificate are one PEM file, made when they are first needed."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "paypal-certificate.pem"
        self._lock = threading.Lock()
        self._loaded: tuple[rsa.RSAPrivateKey, x509.Certificate] | None = None

    @property
    def id(self) -> str:
        """The name under which it is served."""
        return f"CERT-{self._load()[1].fingerprint(hashes.SHA256()).hex()[:24]}"

    @property
    def pem(self) -> bytes:
        """The certificate without its key."""
        return self._load()[1].public_bytes(serialization.Encoding.PEM)

    def sign(self, text: bytes) -> str:
        """The signature in base64."""
        return base64.b64encode(self._load()[0].sign(text, padding.PKCS1v15(), hashes.SHA256())).decode()

    def verified(self, text: bytes, signature: str) -> bool:
        """Whether it signed this."""
        try:
            octets = base64.b64decode(signature, validate=True)
            self._load()[0].public_key().verify(octets, text, padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True

    def _load(self) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
        with self._lock:
            if self._loaded is None:
                if not self._file.exists():
                    self._make()
                octets = self._file.read_bytes()
                key = serialization.load_pem_private_key(octets, password=None)
                if not isinstance(key, rsa.RSAPrivateKey):
                    raise RuntimeError(f"{self._file} holds no RSA key: delete it")
                self._loaded = key, x509.load_pem_x509_certificate(octets)
            return self._loaded

    def _make(self) -> None:
        key = new_key()
        name = x509.Name([
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Sandbox, not PayPal"),
            x509.NameAttribute(NameOID.COMMON_NAME, "messageverificationcerts.sandbox.paypal.com"),
        ])  # fmt: skip
        made = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(VALID_FROM).not_valid_after(VALID_UNTIL)
            .sign(key, hashes.SHA256())
        )  # fmt: skip
        plain = serialization.NoEncryption()
        text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        # Renamed as a whole, so that a death in between leaves no half a file.
        fresh = self._file.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(text + made.public_bytes(serialization.Encoding.PEM))
        fresh.replace(self._file)


def new_key() -> rsa.RSAPrivateKey:
    """A fresh RSA key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


def signed_text(transmission_id: str, transmission_time: str, webhook_id: str, body: bytes) -> bytes:
    """What a webhook's signature is over."""
    return f"{transmission_id}|{transmission_time}|{webhook_id}|{zlib.crc32(body)}".encode()


def foreign_signature(text: bytes) -> str:
    """A signature by a key that nobody knows."""
    return base64.b64encode(new_key().sign(text, padding.PKCS1v15(), hashes.SHA256())).decode()
