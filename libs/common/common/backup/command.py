"""`remit backup` and `remit restore`: they read the environment, show what is done, and say what to do next."""

import argparse
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from common import backup, events
from common.backup import BackupSettings, Place, Restored
from common.backup.manifest import BackupError
from common.bus.rabbit import BROKER_ERRORS

# A disk that is full, a server that stops: nothing that could be checked before.
OF_THE_MACHINE = (OSError, SQLAlchemyError, psycopg.Error, sqlite3.Error, *BROKER_ERRORS)


def run_backup(arguments: Sequence[str]) -> int:
    """Answers the exit status: 0 only when there is a whole backup."""
    settings = BackupSettings.read()
    parser = argparse.ArgumentParser(prog="remit backup", description="Back up every service at one instant.")
    parser.add_argument("--to", type=Path, default=settings.backup_dir, help="below which folder (BACKUP_DIR)")
    parser.add_argument("--keep", type=int, default=0, metavar="N", help="remove all but the newest N; 0 keeps all")
    parsed = parser.parse_args(arguments)
    began = time.monotonic()
    try:
        place = Place.read(settings)
        parsed.to.mkdir(parents=True, exist_ok=True)
        with backup.alone(parsed.to):
            made = backup.make(place, parsed.to, _say)
            if parsed.keep > 0:
                backup.prune(parsed.to, place.kind, parsed.keep, _say)
    except (BackupError, *OF_THE_MACHINE) as error:
        print(f"remit: no backup was made: {error}", file=sys.stderr)
        return 2
    size_mb = sum(path.stat().st_size for path in made.rglob("*") if path.is_file()) / 1e6
    print(f"remit: {made} is whole: {size_mb:.1f} MB in {time.monotonic() - began:.1f} s. Copy it to another machine")
    return 0


def run_restore(arguments: Sequence[str]) -> int:
    """Answers the exit status: 0 only when everything is restored."""
    settings = BackupSettings.read()
    parser = argparse.ArgumentParser(prog="remit restore", description="Bring every service back to a backup.")
    parser.add_argument("name", help="the backup's folder, or latest")
    parser.add_argument(
        "--from", dest="folder", type=Path, default=settings.backup_dir, help="below which (BACKUP_DIR)"
    )
    parser.add_argument("--overwrite", action="store_true", help="lose what the databases hold now")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--keys", action="store_true", help="take the keys out of it as well: on another machine")
    which.add_argument(
        "--without-keys",
        action="store_true",
        help="go on where nothing opens its gateways' keys: they are entered anew",
    )
    parsed = parser.parse_args(arguments)
    events.load_all()
    try:
        place = Place.read(settings)
        chosen = backup.choose(parsed.folder, place.kind, parsed.name)
        with backup.alone(parsed.folder):
            restored = backup.restore(
                place, chosen, _say, overwrite=parsed.overwrite, with_keys=parsed.keys, without_keys=parsed.without_keys
            )
    except BackupError as error:
        print(f"remit: not restored: {error}", file=sys.stderr)
        return 2
    except OF_THE_MACHINE as error:
        print(
            f"remit: not all is restored: {error}\nStart nothing. Mend that, and run it again with --overwrite",
            file=sys.stderr,
        )
        return 2
    _report(restored)
    return 0


def _report(restored: Restored) -> None:
    print(f"remit: everything is as it was at {restored.made_at:%Y-%m-%d %H:%M:%S} UTC")
    resent = ", ".join(f"{count} of {name}" for name, count in restored.resent.items() if count)
    print(f"  events that will be sent again, as somebody did not have them: {resent or 'none'}")
    if not restored.due:
        print("  outside calls that were open then: none")
    for name, count in restored.due.items():
        print(f"  {name} will make {count} outside calls that were open then: see Restoring in docs/operations.md")
    if restored.is_shut:
        print(
            "  gateways' keys do NOT open here: when all is started, have each business enter its own anew under"
            " Account, Online Payments in the portal, before you ask them"
        )
    since = restored.made_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    print(
        "Next: start everything, and ask both gateways what they took since:\n"
        f"  remit gateway-stripe do reconcile --since {since}\n"
        f"  remit gateway-paypal do reconcile --since {since}\n"
        "  remit billing do prove\n"
        "What people recorded by hand since then is gone, and must be recorded again."
    )


def _say(line: str) -> None:
    print(f"  {line}", flush=True)
