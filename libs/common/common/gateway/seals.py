"""The command that seals every secret anew, the same at every gateway."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from common import sealing
from common.runtime import Runtime


@dataclass(frozen=True)
class Sealed:
    """One secret: the row and column that hold it, and the place that it is sealed for."""

    row: Any
    column: str
    place: str


def rotation(service: str, sealed: Callable[[Session], Iterable[Sealed]]) -> Callable[[Runtime, Sequence[str]], int]:
    """The command; `sealed` answers every secret, its row locked."""

    def rotate_seals(runtime: Runtime, arguments: Sequence[str]) -> int:
        """Seal every secret with the newest key of the key file; afterwards older keys may be taken out of it."""
        parser = argparse.ArgumentParser(prog=f"remit {service} do rotate-seals", description=rotate_seals.__doc__)
        parser.add_argument(
            "--new-key", action="store_true", help="first add a key to the file, where it may be written"
        )
        if parser.parse_args(arguments).new_key:
            sealing.add_key(runtime.settings.seal_key_file or runtime.settings.var_dir / "keys" / "seal.key.json")
        sealer = runtime.sealer
        sealer.read()
        changed = 0
        with runtime.database.write() as session:
            for held in sealed(session):
                secret = getattr(held.row, held.column)
                if secret and not sealer.is_current(secret):
                    setattr(held.row, held.column, sealer.seal(sealer.open(secret, held.place), held.place))
                    changed += 1
            session.flush()
        print(f"remit: {changed} secrets are sealed with the newest key")
        return 0

    return rotate_seals
