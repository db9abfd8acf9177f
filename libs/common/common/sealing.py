"""Secrets at rest: AES-256-GCM, bound to where they belong, with the key's id so that keys can be rotated.

The key file is JSON: `{"current": "k2", "keys": {"k1": "<base64>", "k2": "<base64>"}}`. New secrets take the current
key; older ones open as long as theirs is there.
"""

import base64
import json
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.auth import write_private
from common.ids import new_id

NONCE_BYTES = 12


class SealBroken(Exception):
    """A sealed secret that does not open here: its key is gone, or it was put where it does not belong."""


class Sealer:
    """Seals and opens secrets with the keys of one file."""

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file
        self.read()

    def read(self) -> None:
        """Read the key file, again when keys were added to it."""
        content = json.loads(self._key_file.read_text())
        self._current: str = content["current"]
        self._keys = {name: AESGCM(base64.b64decode(key)) for name, key in content["keys"].items()}

    def seal(self, secret: str, place: str) -> str:
        """`secret` as text that only opens for the same `place`, such as `<business>/live_secret_key`."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._keys[self._current].encrypt(nonce, secret.encode(), place.encode())
        return f"{self._current}.{base64.b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, place: str) -> str:
        """The secret. Raises SealBroken."""
        name, _, content = sealed.partition(".")
        if name not in self._keys:
            self.read()  # a key may have been added since
        if name not in self._keys:
            raise SealBroken(f"its key {name} is not in the key file")
        raw = base64.b64decode(content)
        try:
            return self._keys[name].decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], place.encode()).decode()
        except InvalidTag:
            raise SealBroken(f"it does not belong to {place}, or was changed") from None

    def is_current(self, sealed: str) -> bool:
        return sealed.partition(".")[0] == self._current


def make_key(key_file: Path) -> None:
    """Make the key file if there is none."""
    if not key_file.exists():
        _write(key_file, {})


def add_key(key_file: Path) -> None:
    """Add a key and make it the current one; the older ones stay, to open what they sealed."""
    _write(key_file, json.loads(key_file.read_text())["keys"])


def adopt_keys(key_file: Path, other: Path) -> None:
    """Open also what the keys of the file `other` sealed; the current key stays."""
    kept, theirs = (json.loads(file.read_text()) for file in (key_file, other))
    write_private(key_file, json.dumps({**kept, "keys": {**theirs["keys"], **kept["keys"]}}))


def _write(key_file: Path, keys: dict[str, str]) -> None:
    name = f"k{new_id()[-8:]}"
    key = base64.b64encode(AESGCM.generate_key(bit_length=256)).decode()
    write_private(key_file, json.dumps({"current": name, "keys": {**keys, name: key}}))
