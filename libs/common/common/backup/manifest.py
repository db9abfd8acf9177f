"""What a backup says of itself, and whether that is so."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ValidationError

from common import migrate
from common.auth import write_private
from common.service import Service

NAME = "manifest.json"
FORMAT = 1

Kind = Literal["postgresql", "sqlite"]
Say = Callable[[str], None]


class BackupError(Exception):
    """Why nothing was done, or how far it came; and what to do next."""


class TableSaved(BaseModel):
    columns: list[str]
    rows: int
    digest: str


class ServiceSaved(BaseModel):
    """One service's database: its migration revisions, and what each table held. Digests as in `common.move`."""

    revisions: list[str]
    tables: dict[str, TableSaved]

    def unknown_revisions(self, service: Service) -> list[str]:
        known = migrate.revisions(service)
        return [revision for revision in self.revisions if revision not in known]


class FileSaved(BaseModel):
    bytes: int
    sha256: str


class Manifest(BaseModel):
    """`seal_keys` are the ids of the keys that sealed what the gateways' databases keep secret."""

    format: Literal[1]
    made_at: datetime
    version: str
    kind: Kind
    services: dict[str, ServiceSaved]
    seal_keys: list[str]
    files: dict[str, FileSaved]

    @classmethod
    def of(
        cls, folder: Path, kind: Kind, made_at: datetime, services: Mapping[str, ServiceSaved], seal_keys: Sequence[str]
    ) -> Self:
        """The manifest of what lies in `folder`."""
        return cls(
            format=FORMAT, made_at=made_at, version=running_version(), kind=kind, services=dict(services),
            seal_keys=list(seal_keys), files={str(path.relative_to(folder)): _look(path) for path in _files(folder)},
        )  # fmt: skip

    @classmethod
    def read(cls, folder: Path) -> Self:
        try:
            return cls.model_validate_json((folder / NAME).read_bytes())
        except (OSError, ValidationError) as error:
            raise BackupError(
                f"{folder / NAME} cannot be read as a manifest ({str(error).splitlines()[0]}); take another backup"
            ) from error

    def write(self, folder: Path) -> None:
        write_private(folder / NAME, self.model_dump_json(indent=1) + "\n")

    def verify(self, folder: Path) -> None:
        """Raise BackupError unless each file is there as it was written, and no other is."""
        found = {str(path.relative_to(folder)) for path in _files(folder)}
        wrong = sorted(self.files.keys() ^ found)
        wrong += [name for name in sorted(found & self.files.keys()) if _look(folder / name) != self.files[name]]
        if wrong:
            raise BackupError(
                f"{folder.name} is damaged: {', '.join(wrong)} is missing, added or changed; nothing was touched."
                " Take another copy of it, or another backup"
            )


def kind_of(folder: Path) -> str | None:
    """What kind of databases the backup says it is of; None when that cannot be read."""
    try:
        return str(json.loads((folder / NAME).read_bytes())["kind"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def running_version() -> str:
    """The version that runs here, with the image's tag where there is one."""
    tag = os.environ.get("REMIT_VERSION", "")
    return version("remit-common") + (f" ({tag})" if tag else "")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != NAME)


def _look(path: Path) -> FileSaved:
    with path.open("rb") as file:
        return FileSaved(bytes=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())
