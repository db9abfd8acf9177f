"""`remit support-bundle`: one archive for whoever helps, about the system and not about anybody's clients.

What may be in it is listed here, and everything else is left out: counts instead of rows, and of the logs the fields
that say what happened. Every text is redacted as logs are, loses e-mail addresses whole, and the secrets that can be
read here are looked for once more in what would be written.
"""

import argparse
import io
import json
import os
import platform
import re
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from sqlalchemy import MetaData, func, select, text

from common import events, logs, migrate, move, operations
from common.auth import Signer
from common.backup import BackupSettings, Place
from common.backup.manifest import BackupError, running_version
from common.bus import rabbit
from common.runtime import Runtime
from common.service import find

TIMEOUT_SECONDS = 5
MOST_LINES = 2_000
SHORTEST_SECRET = 8
# Of a line of ours. `reason` and `exception` are cut to what cannot hold data.
KEPT = frozenset({
    "timestamp", "level", "service", "component", "event", "method", "route", "status", "took_ms", "correlation_id",
    "request_id", "event_id", "type", "events", "kind", "attempts", "code", "count", "confirmed", "queue", "loop",
    "timer", "outcome", "dead", "business_id",
})  # fmt: skip
CONTAINER_FIELDS = ("Service", "Name", "Image", "State", "Status", "Health", "ExitCode")
# What PostgreSQL adds of the statement and its values.
_OF_VALUES = re.compile(r"^\s|\b(?:DETAIL|STATEMENT|CONTEXT|QUERY): |parameters:")
_AND_ON = re.compile(r"\s*(?:\[SQL|\[parameters|DETAIL|statement:|execute \S+:|bind \S+:|parse \S+:|\n).*", re.DOTALL)
_QUOTED = re.compile(r"'[^']*'?|\([^()]*\)=\([^()]*\)")
_ADDRESS = re.compile(r"[^\s\"'<>:=,;(]+@[^\s\"'<>,;)]+")
_TERMINAL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # Compose draws, whoever listens; a line that begins so is no JSON
_RAISED = re.compile(r"[\w.]+")

Files = dict[str, bytes]


def run(arguments: Sequence[str]) -> int:
    """Answers the exit status; prints where the archive is."""
    settings = BackupSettings.read()
    parser = argparse.ArgumentParser(prog="remit support-bundle", description="Collect what helps whoever helps you.")
    parser.add_argument("--to", type=Path, default=settings.backup_dir, help="into which folder (BACKUP_DIR)")
    parser.add_argument("--given", type=Path, help="a folder with what Docker says, from deploy/support_bundle.sh")
    parser.add_argument("--log", type=Path, help="a file that the output of `make run` was kept in")
    parsed = parser.parse_args(arguments)
    events.load_all()
    place = Place.read(settings)
    try:
        files = collect(place, settings, parsed.given, parsed.log)
        written = write(parsed.to, files, known_secrets(place, os.environ))
    except (BackupError, OSError) as error:
        print(f"remit: no bundle was made: {error}", file=sys.stderr)
        return 2
    size_kb = written.stat().st_size / 1e3
    print(f"remit: {written} ({size_kb:.0f} kB, {len(files)} files): look through it, then send it to who helps you")
    return 0


def collect(place: Place, settings: BackupSettings, given: Path | None, log: Path | None) -> Files:
    """Name in the archive → content. What cannot be had is said in its place, and keeps nothing else out."""
    files = {
        "about.json": _json(_about(place)),
        "settings.json": _json(
            {name: os.environ[name] for name in sorted(os.environ) if name in _setting_names(place)}
        ),
        "queues.json": _json(_or_why(lambda: rabbit.depths(place.amqp_url)) if place.amqp_url else "no broker"),
    }
    for name in place.urls:
        files[f"services/{name}.json"] = _json(_service(place, settings, name))
        for where, address in _metrics(settings, name):
            found = _or_why(lambda address=address: _get(address, place).text)  # type: ignore[misc]
            files[f"metrics/{where}.txt"] = _clean_text(str(found)).encode()
    if given is not None:
        files |= _of_docker(given)
    if log is not None:
        files["logs/run.log"] = clean_log(log.read_text("utf-8", "replace")).encode()
    return files


def write(folder: Path, files: Files, secrets: Sequence[str]) -> Path:
    """Write the archive; a secret that is found in it after all is taken out."""
    made_at = datetime.now(UTC)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = folder / f"support-{made_at:%Y%m%dT%H%M%SZ}.tar.gz"
    target.touch(mode=0o600)
    with tarfile.open(target, "w:gz") as archive:
        for name, content in files.items():
            for secret in secrets:
                content = content.replace(secret.encode(), logs.REDACTED.encode())  # noqa: PLW2901
            entry = tarfile.TarInfo(f"{target.name.removesuffix('.tar.gz')}/{name}")
            entry.size, entry.mtime, entry.mode = len(content), int(made_at.timestamp()), 0o600
            archive.addfile(entry, io.BytesIO(content))
    return target


def known_secrets(place: Place, environ: Mapping[str, str]) -> list[str]:
    """Every secret that can be read here: keys, passwords, and what the environment holds."""
    found = {place.passphrase}
    for path in place.keys_dir.glob("*.key.json"):
        with suppress(OSError, ValueError):
            key = json.loads(path.read_text())
            found |= {key.get("d", ""), *key.get("keys", {}).values()}
    if place.seal_key_file.is_file():
        found |= set(json.loads(place.seal_key_file.read_text())["keys"].values())
    found |= {path.read_text() for path in (place.keys_dir.parent / "passwords").glob("*")}
    for value in environ.values():
        if "://" in value:
            with suppress(ValueError):
                found.add(urlsplit(value).password or "")
    return sorted(secret for secret in found if len(secret) >= SHORTEST_SECRET)


def clean_log(said: str) -> str:
    """The last lines of a log with what may be shown of each."""
    lines = [_clean_line(line) for line in _TERMINAL.sub("", said).splitlines()[-MOST_LINES:]]
    return "\n".join(line for line in lines if line) + "\n"


def _clean_line(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return "" if _OF_VALUES.search(line) else _clean_text(_AND_ON.sub("", line))
    if not isinstance(entry, dict):
        return ""
    kept = {name: value for name, value in entry.items() if name in KEPT}
    if entry.get("reason"):
        kept["reason"] = _AND_ON.sub("", str(entry["reason"]))
    if entry.get("exception"):
        kept["exception"] = list(_where(str(entry["exception"])))
    return json.dumps(_clean_tree(kept), ensure_ascii=False)


def _where(exception: str) -> Iterator[str]:
    """Of a traceback: the places, and what was raised, without its words."""
    for line in exception.splitlines():
        if line.startswith("  File "):
            yield line.strip()
        elif line and not line[0].isspace() and (raised := _RAISED.match(line)):
            yield raised[0]


def _clean_text(said: str) -> str:
    return _ADDRESS.sub(_without_user, logs.redact(_QUOTED.sub("'…'", said)))


def _without_user(found: re.Match[str]) -> str:
    """Nothing of an e-mail address; of a URL with somebody's name in it the rest."""
    scheme, slashes, _ = found[0].rpartition("//")
    return f"{scheme}{slashes}{logs.REDACTED}" + (found[0][found[0].rindex("@") :] if slashes else "")


def _clean_tree(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _clean_tree(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_clean_tree(part) for part in value]
    return _ADDRESS.sub(_without_user, value) if isinstance(value, str) else value


def _json(value: Any) -> bytes:
    return json.dumps(_clean_tree(logs.redact_tree(value)), indent=1, ensure_ascii=False, default=str).encode()


def _about(place: Place) -> dict[str, Any]:
    return {
        "made_at": datetime.now(UTC), "version": running_version(), "kept_in": place.kind, "python": sys.version,
        "machine": platform.platform(), "cores": os.cpu_count(), "load": os.getloadavg(),
    }  # fmt: skip


def _setting_names(place: Place) -> set[str]:
    fields = set(BackupSettings.model_fields)
    for name in place.urls:
        fields |= set(find(name).settings.model_fields)
    return {field.upper() for field in fields} | {"DEMO", "STRIPE_API_BASE", "PAYPAL_API_BASE"}


def _service(place: Place, settings: BackupSettings, name: str) -> dict[str, Any]:
    base = settings.url_of(name)
    return {
        "healthz": _or_why(lambda: _get(f"{base}/healthz", place).json()),
        "readyz": _or_why(lambda: _get(f"{base}/readyz", place).json()),
        "database": _or_why(lambda: _database(place, settings, name)),
    }


def _database(place: Place, settings: BackupSettings, name: str) -> dict[str, Any]:
    """Revisions, what waits, and how many rows each table has; notices and unmatched money by their state."""
    service = find(name)
    with ExitStack() as stack:
        database = place.database(name, stack, "remit-support")
        status = operations.status(Runtime(service, settings, database))
        session = stack.enter_context(database.snapshot())
        tables = MetaData()
        tables.reflect(session.connection())
        counts = {
            table.name: session.execute(select(func.count()).select_from(table)).scalar_one()
            for table in tables.sorted_tables
        }
        return {
            "status": status,
            "revisions": move.revisions(session.connection()),
            "newest_known": sorted(migrate.heads(service)),
            "rows": counts,
            "inbox": _grouped(session, "inbox", "state, type") if "inbox" in counts else None,
            "jobs": _grouped(session, "jobs", "state, kind") if "jobs" in counts else None,
            "notices": _grouped(session, "notices", "state, type, mode") if "notices" in counts else None,
            "operations": _grouped(session, "operations", "state, kind") if "operations" in counts else None,
        }


def _grouped(session: Any, table: str, columns: str) -> list[list[Any]]:
    query = f"SELECT {columns}, count(*) FROM {table} GROUP BY {columns} ORDER BY {columns}"  # noqa: S608 - fixed
    return [list(row) for row in session.execute(text(query))]


def _metrics(settings: BackupSettings, name: str) -> Iterator[tuple[str, str]]:
    base = settings.url_of(name)
    yield f"{name}-web", f"{base}/metrics"
    host = urlsplit(base).hostname or ""
    if settings.worker_metrics_port and host.endswith("-web") and find(name).handlers:
        worker = host.removesuffix("-web") + "-worker"
        yield f"{name}-worker", f"http://{worker}:{settings.worker_metrics_port}/metrics"


def _get(address: str, place: Place) -> requests.Response:
    key = place.keys_dir / "operator.key.json"
    token = Signer(key).sign("support", "operations:read", "*", 60) if key.is_file() else ""
    return requests.get(address, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_SECONDS)


def _of_docker(given: Path) -> Files:
    """What deploy/support_bundle.sh wrote down before: settings, containers, and their logs."""
    files = {}
    config, containers = given / "config.json", given / "containers.json"
    if config.is_file():
        files["compose.json"] = _json(_or_why(lambda: json.loads(config.read_text())))
    if containers.is_file():
        lines = [json.loads(line) for line in containers.read_text().splitlines() if line.startswith("{")]
        files["containers.json"] = _json([{name: line.get(name) for name in CONTAINER_FIELDS} for line in lines])
    for path in sorted((given / "logs").glob("*.log")):
        files[f"logs/{path.name}"] = clean_log(path.read_text("utf-8", "replace")).encode()
    return files


def _or_why(ask: Callable[[], Any]) -> Any:
    """What it answers, or what kept it from answering; never the words of it, which may quote anything."""
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 - a system that is broken is what the bundle is for
        return {"not_to_be_had": type(error).__name__}
