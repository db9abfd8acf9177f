"""What a backup needs of the keys: what unseals the gateways' keys, and the public keys that old links were signed
with. They are locked with the operator's passphrase; passwords and private signing keys are made anew instead."""

import base64
import json
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from common import auth, sealing
from common.backup.manifest import BackupError, Say

if TYPE_CHECKING:
    from common.backup import Place

NAME = "keys.locked.json"
MIN_PASSPHRASE = 12
SALT_BYTES, NONCE_BYTES = 16, 12
COST = {"n": 2**15, "r": 8, "p": 1}


def ids(seal_key_file: Path) -> list[str]:
    """The ids of the keys in it; none when there is no such file."""
    return sorted(json.loads(seal_key_file.read_text())["keys"]) if seal_key_file.is_file() else []


def save(place: "Place", folder: Path, say: Say) -> Sequence[str]:
    """Lock the keys into `folder`; answers the ids of those that seal. Without a passphrase they are left out."""
    if not place.passphrase:
        say("BACKUP_PASSPHRASE is not set: the keys are NOT in this backup, and without them gateways' keys must be"
            " entered anew on another machine, where it is restored with --without-keys")  # fmt: skip
        return ids(place.seal_key_file)
    if len(place.passphrase) < MIN_PASSPHRASE:
        raise BackupError(f"BACKUP_PASSPHRASE is shorter than {MIN_PASSPHRASE} characters; choose a longer one")
    paths = {"seal.key.json": place.seal_key_file, "jwks.json": place.keys_dir / "jwks.json"}
    if missing := [str(path) for path in paths.values() if not path.is_file()]:
        raise BackupError(f"there is no {', '.join(missing)} to put into it; name it with SEAL_KEY_FILE, or KEYS_DIR")
    held = {name: json.loads(path.read_text()) for name, path in paths.items()}
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    locked = AESGCM(_key(place.passphrase, salt)).encrypt(nonce, json.dumps(held).encode(), None)
    told = {"salt": salt, "nonce": nonce, "locked": locked}
    auth.write_private(
        folder / NAME, json.dumps({name: base64.b64encode(value).decode() for name, value in told.items()})
    )
    say("keys: locked with BACKUP_PASSPHRASE; keep it somewhere else than the backups")
    return ids(place.seal_key_file)


def check(place: "Place", folder: Path) -> None:
    """Raise BackupError unless the keys in the backup open."""
    _open(place, folder)


def load(place: "Place", folder: Path, say: Say) -> None:
    """Add the backup's keys to those that are here, as after a rotation; none of these is changed."""
    held = _open(place, folder)
    auth.make_keys(place.keys_dir)
    sealing.make_key(place.seal_key_file)
    with TemporaryDirectory(dir=place.keys_dir) as opened:
        for name, content in held.items():
            auth.write_private(Path(opened) / name, json.dumps(content))
        if "jwks.json" in held:
            auth.adopt_keys(place.keys_dir, Path(opened))
        if "seal.key.json" in held:
            sealing.adopt_keys(place.seal_key_file, Path(opened) / "seal.key.json")
    say("keys: what the backup sealed opens again, and what was signed before is believed again")


def _open(place: "Place", folder: Path) -> dict[str, Any]:
    if not (folder / NAME).is_file():
        raise BackupError(
            "there are no keys in it: it was made without BACKUP_PASSPHRASE. Restore without --keys where the old"
            " `vault` (or var/keys) is, or else with --without-keys"
        )
    if not place.passphrase:
        raise BackupError("set BACKUP_PASSPHRASE to the one that the backup was made with, and restore again")
    told = {name: base64.b64decode(value) for name, value in json.loads((folder / NAME).read_text()).items()}
    try:
        opened = AESGCM(_key(place.passphrase, told["salt"])).decrypt(told["nonce"], told["locked"], None)
    except InvalidTag:
        raise BackupError(
            "BACKUP_PASSPHRASE is not the one that the backup was made with; nothing was touched"
        ) from None
    return dict(json.loads(opened))


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, **COST).derive(passphrase.encode())
