"""The command line: `remit <service> web|worker|migrate|inbox|outbox|jobs …`, and
`remit topology|keys|tokens|move|backup|restore|support-bundle`."""

import argparse
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ALIVE_FILE = Path(tempfile.gettempdir()) / "remit-worker-alive"
DEPTH_SECONDS = 2.0  # how long the broker may take to say what waits in a queue
METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"
_TTL = re.compile(r"(\d+)([smhd])")
_TTL_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[1:] == ["web"]:
        # prometheus_client decides at its first import whether several processes share their figures.
        os.environ.setdefault(METRICS_DIR, tempfile.mkdtemp(prefix="remit-metrics-"))
    from common.service import ServiceError  # noqa: PLC0415 - after the environment of `web` is prepared
    from common.settings import SettingsError  # noqa: PLC0415

    try:
        if arguments and arguments[0] in _TOOLS:
            return _TOOLS[arguments[0]](arguments[1:])
        return _service(arguments)
    except (ServiceError, SettingsError) as error:
        print(f"remit: {error}", file=sys.stderr)
        return 2


def _service(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="remit",
        description="Run a Remit service, or look after one.",
        epilog="Also: remit topology (declare queues), remit keys DIR (make keys), remit tokens issue …, remit move …,"
        " remit backup, remit restore, remit support-bundle",
    )
    parser.add_argument("service", help="payments, billing, notifications, …")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("web", help="serve the API")
    commands.add_parser("worker", help="relay, consume, retry and make outside calls")
    commands.add_parser("migrate", help="bring the database to its newest shape")
    commands.add_parser("status", help="what waits in outbox, inbox and jobs")
    from common import operations  # noqa: PLC0415

    operations.add_inbox(commands.add_parser("inbox", help="parked and dead events"))
    operations.add_outbox(commands.add_parser("outbox", help="events that wait for the bus"))
    operations.add_jobs(commands.add_parser("jobs", help="calls to the outside"))
    own = commands.add_parser("do", help="a command of the service's own; without a name they are listed")
    own.add_argument("name", nargs="?", default="")
    own.add_argument("arguments", nargs=argparse.REMAINDER)
    parsed = parser.parse_args(arguments)
    if parsed.command == "web":
        return _web(parsed.service)
    commands_run: dict[str, Callable[[Any, argparse.Namespace], int]] = {
        "worker": _work,
        "migrate": _migrate,
        "status": _status,
        "inbox": operations.run_inbox,
        "outbox": operations.run_outbox,
        "jobs": operations.run_jobs,
        "do": _do,
    }
    return commands_run[parsed.command](_open(parsed.service), parsed)


def _migrate(runtime: Any, _parsed: argparse.Namespace) -> int:
    from common import migrate  # noqa: PLC0415

    migrate.upgrade(runtime.service, runtime.database)
    print(f"remit: {runtime.service.name} database is up to date")
    return 0


def _status(runtime: Any, _parsed: argparse.Namespace) -> int:
    from common import operations  # noqa: PLC0415

    print(json.dumps(operations.status(runtime)))
    return 0


def _do(runtime: Any, parsed: argparse.Namespace) -> int:
    command = runtime.service.commands.get(parsed.name)
    if command is None:
        known = ", ".join(runtime.service.commands) or "no commands"
        print(f"remit: {runtime.service.name} has: {known}", file=sys.stderr)
        return 2
    return int(command(runtime, parsed.arguments))


def _open(name: str, metrics_dir: str | None = None, *, for_web: bool = False) -> Any:
    from common import clock, crash, logs  # noqa: PLC0415
    from common.runtime import Runtime  # noqa: PLC0415
    from common.service import find  # noqa: PLC0415

    service = find(name)
    settings = service.settings.read()
    logs.configure(name, settings.log_level)
    if settings.sandbox == "on":
        clock.use(clock.Clock(settings.clock_file))
        crash.use(settings.crash_file)
    return Runtime.open(service, settings, metrics_dir, for_web=for_web)


def _web(name: str) -> int:
    metrics_dir = os.environ[METRICS_DIR]
    shutil.rmtree(metrics_dir, ignore_errors=True)
    Path(metrics_dir).mkdir(parents=True)
    from common.web import server  # noqa: PLC0415

    try:
        return server.serve(name, lambda: _open(name, metrics_dir, for_web=True))
    finally:
        shutil.rmtree(metrics_dir, ignore_errors=True)


def _work(runtime: Any, _parsed: argparse.Namespace) -> int:
    from prometheus_client import start_http_server  # noqa: PLC0415

    from common.bus import rabbit  # noqa: PLC0415
    from common.worker import Worker  # noqa: PLC0415

    settings = runtime.settings
    if not settings.amqp_url:
        print(
            "remit: a worker of its own needs AMQP_URL; without a broker run all with `make run`",
            file=sys.stderr,
        )
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if settings.worker_metrics_port:
        start_http_server(settings.worker_metrics_port, settings.bind)
    worker = Worker(
        runtime,
        rabbit.RabbitBus(settings.amqp_url),
        lambda stopping: rabbit.consume(
            settings.amqp_url, runtime.consumer, settings.batch_size, stopping, settings.gather_seconds
        ),
        lambda: rabbit.depth(settings.amqp_url, runtime.service.name, DEPTH_SECONDS),
    )
    return worker.run(stop, ALIVE_FILE)


def _topology(arguments: Sequence[str]) -> int:
    argparse.ArgumentParser(prog="remit topology", description="Declare the exchange, queues and bindings.").parse_args(
        arguments
    )
    from common import events  # noqa: PLC0415
    from common.bus import rabbit  # noqa: PLC0415
    from common.settings import Settings, SettingsError  # noqa: PLC0415

    events.load_all()
    url = Settings.read().amqp_url
    if not url:
        raise SettingsError("AMQP_URL is not set")
    rabbit.declare(url)
    print("remit: exchange, queues and bindings are declared")
    return 0


def _keys(arguments: Sequence[str]) -> int:
    from common import auth  # noqa: PLC0415

    if arguments and arguments[0] in ("rotate", "retire"):
        return _change_key(arguments)
    parser = argparse.ArgumentParser(
        prog="remit keys",
        description="Make signing keys and the JWKS file, once.",
        epilog="Also: remit keys rotate NAME --folder DIR, and then remit keys retire NAME --folder DIR",
    )
    parser.add_argument("folder", type=Path)
    auth.make_keys(parser.parse_args(arguments).folder)
    return 0


def _change_key(arguments: Sequence[str]) -> int:
    from common import auth  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog="remit keys")
    commands = parser.add_subparsers(dest="what", required=True)
    for what, explanation in (
        ("rotate", "a new signing key; the older one stays trusted"),
        ("retire", "trust the older ones no longer"),
    ):
        command = commands.add_parser(what, help=explanation, description=explanation)
        command.add_argument("name", help="a service, or operator")
        command.add_argument("--folder", type=Path, default=Path(os.environ.get("KEYS_DIR", "var/keys")))
    parsed = parser.parse_args(arguments)
    if parsed.what == "rotate":
        kid = auth.rotate_key(parsed.folder, parsed.name)
        print(f"remit: {parsed.name} signs with {kid} once it is restarted; retire the older key when nobody uses it")
    else:
        gone = auth.retire_keys(parsed.folder, parsed.name)
        print(f"remit: no longer trusted: {', '.join(gone) or 'nothing; there was only the newest'}")
    return 0


def _tokens(arguments: Sequence[str]) -> int:
    from common import auth  # noqa: PLC0415
    from common.settings import SettingsError  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog="remit tokens", description="Mint a token for a team.")
    issue = parser.add_subparsers(dest="what", required=True).add_parser("issue")
    issue.add_argument("--caller", required=True, help="the team or program, such as reporting")
    issue.add_argument("--scope", required=True, help=f"separated by spaces: {' '.join(auth.SCOPES)}")
    issue.add_argument("--business", default="*", help="one business id, or * for all")
    issue.add_argument("--ttl", default="30d", help="how long it is good, such as 12h or 30d")
    issue.add_argument("--actor", default="", help="type:id:name of who acts, such as staff:42:Ann")
    issue.add_argument("--key", type=Path, default=None, help="the signing key; KEYS_DIR/operator.key.json unless told")
    parsed = parser.parse_args(arguments)
    wrong = set(parsed.scope.split()) - set(auth.SCOPES)
    ttl = _TTL.fullmatch(parsed.ttl)
    if wrong or ttl is None:
        raise SettingsError(
            f"unknown scope {' '.join(sorted(wrong))}" if wrong else "--ttl is a number and s, m, h or d"
        )
    key = parsed.key or Path(os.environ.get("KEYS_DIR", "var/keys")) / "operator.key.json"
    if not key.is_file():
        raise SettingsError(f"there is no signing key {key}; start Remit once, or name it with --key")
    actor = dict(zip(("type", "id", "name"), parsed.actor.split(":", 2), strict=False)) if parsed.actor else None
    seconds = int(ttl[1]) * _TTL_SECONDS[ttl[2]]
    print(auth.Signer(key).sign(parsed.caller, parsed.scope, parsed.business, seconds, actor))
    return 0


def _move(arguments: Sequence[str]) -> int:
    from common import move  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog="remit move", description="Copy what a stopped `make run` kept into PostgreSQL: every service, or none."
    )
    parser.add_argument("--from", dest="folder", type=Path, default=Path("var"), help="where `make run` kept its data")
    parser.add_argument(
        "--to", required=True, metavar="URL",
        help="each service's own database, such as postgresql://user:password@host/{service}, where {service} stands"
        " for its name; a password that is not in it is looked for in PGPASSFILE",
    )  # fmt: skip
    parsed = parser.parse_args(arguments)
    try:
        moved = move.move(parsed.folder, parsed.to, lambda line: print(f"  {line}", flush=True))
    except move.MoveError as error:
        print(f"remit: not all has moved: {error}", file=sys.stderr)
        return 2
    print(f"remit: {len(moved)} services moved with {sum(moved.values())} rows; every table's digest is equal")
    return 0


def _backup(arguments: Sequence[str]) -> int:
    from common.backup import command  # noqa: PLC0415

    return command.run_backup(arguments)


def _restore(arguments: Sequence[str]) -> int:
    from common.backup import command  # noqa: PLC0415

    return command.run_restore(arguments)


def _support_bundle(arguments: Sequence[str]) -> int:
    from common import support  # noqa: PLC0415

    return support.run(arguments)


_TOOLS = {
    "topology": _topology,
    "keys": _keys,
    "tokens": _tokens,
    "move": _move,
    "backup": _backup,
    "restore": _restore,
    "support-bundle": _support_bundle,
}


if __name__ == "__main__":
    sys.exit(main())
