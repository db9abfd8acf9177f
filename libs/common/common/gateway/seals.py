"""What every gateway does with its sealed secrets: opening one, and the command that seals all of them anew."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from common import sealing
from common.errors import Conflict
from common.gateway import calls
from common.runtime import Runtime


@dataclass(frozen=True)
class Sealed:
    """One secret: the row and column that hold it, and the place that it is sealed for."""

    row: Any
    column: str
    place: str


class DoesNotOpen(calls.Refused, Conflict):
    """A secret that this machine has no key for: to a job as if the gateway refused it, which holds up its own business
    only; to who asks an API, a conflict that says what to do."""

    def __init__(self, reason: object) -> None:
        words = f"The keys that are kept for this account do not open here ({reason}). Enter them anew."
        Conflict.__init__(self, "keys_do_not_open", words)
        self.message, self.param = words, None


def opened(runtime: Runtime, sealed: str, place: str) -> str:
    """The secret. Raises DoesNotOpen."""
    try:
        return runtime.sealer.open(sealed, place)
    except sealing.SealBroken as error:
        raise DoesNotOpen(error) from error


def opens(runtime: Runtime, sealed: str | None, place: str) -> bool:
    """Whether what is kept of a secret, if anything, opens on this machine."""
    try:
        return sealed is None or bool(opened(runtime, sealed, place))
    except DoesNotOpen:
        return False


def rotation(service: str, sealed: Callable[[Session], Iterable[Sealed]]) -> Callable[[Runtime, Sequence[str]], int]:
    """The command; `sealed` answers every secret, its row locked."""

    def rotate_seals(runtime: Runtime, arguments: Sequence[str]) -> int:
        """Seal every secret with the newest key of the key file; afterwards older keys may be taken out of it.
        Exit status 1: some do not open, and stay as they are."""
        parser = argparse.ArgumentParser(prog=f"remit {service} do rotate-seals", description=rotate_seals.__doc__)
        parser.add_argument(
            "--new-key", action="store_true", help="first add a key to the file, where it may be written"
        )
        if parser.parse_args(arguments).new_key:
            sealing.add_key(runtime.settings.seal_key_file or runtime.settings.var_dir / "keys" / "seal.key.json")
        sealer = runtime.sealer
        sealer.read()
        changed = broken = 0
        with runtime.database.write() as session:
            for held in sealed(session):
                secret = getattr(held.row, held.column)
                if secret and not sealer.is_current(secret):
                    try:
                        anew = sealer.seal(sealer.open(secret, held.place), held.place)
                    except sealing.SealBroken as error:
                        print(f"remit: {held.place}: {error}; have it entered anew")
                        broken += 1
                        continue
                    setattr(held.row, held.column, anew)
                    changed += 1
            session.flush()
        print(f"remit: {changed} secrets are sealed with the newest key")
        return 1 if broken else 0

    return rotate_seals
