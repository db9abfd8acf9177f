"""A service is one page: its `service.py` declares this, and an entry point finds it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from flask import Flask
from flask_openapi3 import APIBlueprint
from sqlalchemy import MetaData
from sqlalchemy.orm import Session

from common import events, topology
from common.inbox import Handler
from common.jobs import Job
from common.settings import Settings
from common.timers import Timer

ENTRY_POINTS = "remit.services"


class ServiceError(Exception):
    """A service's page that does not hold together, or that is not there."""


@dataclass(frozen=True)
class Service:
    """What a service is made of.

    `migrations` are its Alembic folders; those of the outbox, inbox and jobs run before them. `commands` are further
    things that operators can do: name → function(runtime, arguments) → exit status. `measures` set gauges of the
    service's own: function(service name, session). A service for people instead of
    programs brings its own web app: `make_app(runtime)`, which calls `common.web.app.equip` before anything else.
    """

    name: str
    summary: str
    blueprints: Callable[[], Sequence[APIBlueprint]]
    handlers: Mapping[type[events.Event], Handler]
    metadata: Sequence[MetaData]
    migrations: Sequence[Path]
    jobs: Sequence[Job] = ()
    timers: Sequence[Timer] = ()
    settings: type[Settings] = Settings
    measures: Sequence[Callable[[str, Session], None]] = ()
    commands: Mapping[str, Callable[[Any, Sequence[str]], int]] = field(default_factory=dict)
    make_app: Callable[[Any], Flask] | None = None

    def check_topology(self) -> None:
        """Raise ServiceError unless the handlers are exactly what the topology says this service takes."""
        listed = set(topology.SUBSCRIPTIONS.get(self.name, ()))
        handled = set(self.handlers)
        if listed != handled:
            missing = ", ".join(sorted(t.__name__ for t in listed - handled)) or "none"
            extra = ", ".join(sorted(t.__name__ for t in handled - listed)) or "none"
            raise ServiceError(
                f"{self.name}: handlers and topology differ (no handler: {missing}; not listed: {extra})"
            )


def find(name: str) -> Service:
    """The installed service called `name`. Raises ServiceError when there is none."""
    events.load_all()
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name == name:
            service: Service = entry.load()
            service.check_topology()
            return service
    raise ServiceError(f"There is no service called '{name}'. Installed: {', '.join(names())}")


def names() -> list[str]:
    """The installed services, in alphabetical order."""
    return sorted(entry.name for entry in entry_points(group=ENTRY_POINTS))
