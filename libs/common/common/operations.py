"""What operators do with a service's events and jobs from the command line: list, show, preview, replay, discard."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import orjson

from common import clock, inbox, jobs, outbox
from common.bus import BusUnavailable, rabbit
from common.inbox import InboxRow
from common.jobs import JobRow
from common.runtime import Runtime

LISTED = 200
RESENT_AT_ONCE = 500


def add_inbox(parser: ArgumentParser) -> None:
    """`remit <service> inbox …`"""
    commands = parser.add_subparsers(dest="what", required=True)
    listing = commands.add_parser("list", help="parked, dead and discarded events")
    listing.add_argument("--state", choices=["parked", "dead", "discarded"], help="only these")
    for name, explanation in (
        ("show", "one event with its body and reason"),
        ("preview", "what handling it now would emit; changes nothing"),
        ("replay", "let it be tried again"),
        ("discard", "give it up for good"),
    ):
        command = commands.add_parser(name, help=explanation)
        command.add_argument("event_id", nargs="?" if name == "replay" else None)
        if name == "discard":
            command.add_argument("--reason", required=True, help="why; kept with the event")
        if name == "replay":
            command.add_argument("--all-dead", action="store_true", help="every dead event")


def add_outbox(parser: ArgumentParser) -> None:
    """`remit <service> outbox …`"""
    commands = parser.add_subparsers(dest="what", required=True)
    commands.add_parser("list", help=f"the {LISTED} oldest events that the bus has not confirmed")
    again = commands.add_parser("resend", help="send events again that the bus had confirmed and then lost")
    again.add_argument("--hours", type=float, required=True, help="what was sent in so many hours up to now")


def add_jobs(parser: ArgumentParser) -> None:
    """`remit <service> jobs …`"""
    commands = parser.add_subparsers(dest="what", required=True)
    listing = commands.add_parser("list", help="outside calls that are due, under way or failed")
    listing.add_argument("--state", choices=["due", "claimed", "failed"], help="only these")
    for name, explanation in (("show", "one call with what it is about"), ("retry", "make an ended call again")):
        command = commands.add_parser(name, help=explanation)
        command.add_argument("kind", nargs="?" if name == "retry" else None)
        command.add_argument("key", nargs="?" if name == "retry" else None)
        if name == "retry":
            command.add_argument("--all-failed", action="store_true", help="every failed call")


def run_inbox(runtime: Runtime, arguments: Namespace) -> int:
    """Answers the exit status; prints JSON lines."""
    action = {
        "list": _list, "show": _show, "preview": _preview, "replay": _replay, "discard": _discard,
    }[arguments.what]  # fmt: skip
    return action(runtime, arguments)


def run_outbox(runtime: Runtime, arguments: Namespace) -> int:
    """Answers the exit status; prints JSON lines."""
    return {"list": _list_unpublished, "resend": _resend}[arguments.what](runtime, arguments)


def _resend(runtime: Runtime, arguments: Namespace) -> int:
    """Whoever had received an event knows it again by its id, and does nothing."""
    bus = rabbit.RabbitBus(runtime.settings.amqp_url)
    since, last, sent = clock.now() - timedelta(hours=arguments.hours), 0, 0
    try:
        while True:
            with runtime.database.read() as session:
                messages = outbox.published(session, since, last, RESENT_AT_ONCE)
            if not messages:
                print(json.dumps({"resent": sent}))
                return 0
            confirmed = len(bus.publish(messages))
            sent, last = sent + confirmed, messages[-1].seq
            if confirmed < len(messages):
                raise BusUnavailable(f"{len(messages) - confirmed} of {len(messages)} were not confirmed")
    except BusUnavailable as reason:
        print(f"remit: {reason}; {sent} were sent. Run it again when the broker answers.", file=sys.stderr)
        return 1
    finally:
        bus.close()


def _list_unpublished(runtime: Runtime, _arguments: Namespace) -> int:
    with runtime.database.read() as session:
        messages = outbox.unpublished(session, LISTED)
    return _print_lines({"seq": one.seq, "event_id": one.event_id, "type": one.type} for one in messages)


def run_jobs(runtime: Runtime, arguments: Namespace) -> int:
    """Answers the exit status; prints JSON lines."""
    action = {"list": _list_jobs, "show": _show_job, "retry": _retry_jobs}[arguments.what]
    return action(runtime, arguments)


def _list_jobs(runtime: Runtime, arguments: Namespace) -> int:
    states = [arguments.state] if arguments.state else ["due", "claimed", "failed"]
    with runtime.database.read() as session:
        return _print_lines(_job_summary(row) for row in jobs.not_done(session, states, LISTED))


def _show_job(runtime: Runtime, arguments: Namespace) -> int:
    with runtime.database.read() as session:
        row = session.get(JobRow, (arguments.kind, arguments.key))
        if row is None:
            return _no_job(arguments)
        print(json.dumps({**_job_summary(row), "payload": json.loads(row.payload)}, indent=2, ensure_ascii=False))
    return 0


def _retry_jobs(runtime: Runtime, arguments: Namespace) -> int:
    with runtime.database.write() as session:
        if arguments.all_failed:
            keys = [(row.kind, row.key) for row in jobs.not_done(session, ["failed"], 10_000)]
        else:
            keys = [(arguments.kind or "", arguments.key or "")]
        retried = [" ".join(key) for key in keys if jobs.retry(session, *key)]
    if not retried and not arguments.all_failed:
        return _no_job(arguments)
    print(json.dumps({"due": retried, "next": "the worker makes them within seconds; list again to see"}))
    return 0


def _no_job(arguments: Namespace) -> int:
    what = f"no ended job {arguments.kind} {arguments.key}; `jobs list` shows what is not done"
    print(json.dumps({"error": what}))
    return 1


def _job_summary(row: JobRow) -> dict[str, object]:
    return {
        "kind": row.kind,
        "key": row.key,
        "business_id": row.business_id,
        "state": row.state,
        "attempts": row.attempts,
        "next_at": row.next_at.isoformat(),
        "reason": row.reason,
    }


def _list(runtime: Runtime, arguments: Namespace) -> int:
    states = [arguments.state] if arguments.state else ["parked", "dead", "discarded"]
    with runtime.database.read() as session:
        return _print_lines(_summary(row) for row in inbox.troubled(session, states))


def _print_lines(items: Iterable[Mapping[str, Any]]) -> int:
    """Programs read the lines; people are told when there is none."""
    lines = [json.dumps(item) for item in items]
    for line in lines:
        print(line)
    if not lines:
        print("remit: none", file=sys.stderr)
    return 0


def _show(runtime: Runtime, arguments: Namespace) -> int:
    with runtime.database.read() as session:
        row = session.get(InboxRow, arguments.event_id)
        if row is None:
            return _missing(arguments.event_id)
        print(json.dumps({**_summary(row), "body": row.body}, indent=2, ensure_ascii=False))
    return 0


def _preview(runtime: Runtime, arguments: Namespace) -> int:
    with runtime.database.read() as session:
        if session.get(InboxRow, arguments.event_id) is None:
            return _missing(arguments.event_id)
    try:
        emitted = runtime.consumer.preview(arguments.event_id)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the operator wants to know
        print(json.dumps({"event_id": arguments.event_id, "would_fail": inbox.reason_of(error)}))
        return 1
    print(orjson.dumps({"event_id": arguments.event_id, "would_emit": emitted}, option=orjson.OPT_INDENT_2).decode())
    return 0


def _replay(runtime: Runtime, arguments: Namespace) -> int:
    with runtime.database.write() as session:
        if arguments.all_dead:
            ids = [row.event_id for row in inbox.troubled(session, ["dead"], limit=10_000)]
        else:
            ids = [arguments.event_id or ""]
        replayed = [event_id for event_id in ids if inbox.replay(session, event_id)]
    if not replayed and not arguments.all_dead:
        return _missing(arguments.event_id)
    print(json.dumps({"replayed": replayed, "next": "the worker tries them within seconds; list again to see"}))
    return 0


def _discard(runtime: Runtime, arguments: Namespace) -> int:
    with runtime.database.write() as session:
        if not inbox.discard(session, arguments.event_id, arguments.reason):
            return _missing(arguments.event_id)
    print(json.dumps({"discarded": arguments.event_id}))
    return 0


def _missing(event_id: str | None) -> int:
    print(json.dumps({"error": f"no parked, dead or discarded event {event_id}; `inbox list` shows them"}))
    return 1


def _summary(row: InboxRow) -> dict[str, object]:
    return {
        "event_id": row.event_id,
        "type": row.type,
        "business_id": row.business_id,
        "state": row.state,
        "attempts": row.attempts,
        "received_at": row.received_at.isoformat(),
        "next_at": row.next_at.isoformat() if row.next_at else None,
        "reason": row.reason,
    }


def status(runtime: Runtime) -> dict[str, object]:
    """What waits where in one service."""
    with runtime.database.read() as session:
        waiting, oldest = outbox.waiting(session)
        return {
            "service": runtime.service.name,
            "outbox_waiting": waiting,
            "outbox_oldest": oldest.isoformat() if oldest else None,
            "inbox": inbox.count_by_state(session),
            "jobs": jobs.count_open(session),
        }
