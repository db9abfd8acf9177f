"""Events: past-tense facts, immutable and versioned, owned by the service that produces them.

The class is the contract. `event.to_wire()` and `decode()` are the only ways in and out of JSON; the envelope
carries CloudEvents 1.0 names, and everything else stands under `data`.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticUndefined

from common import clock
from common.ids import new_id

MAX_EVENT_BYTES = 256 * 1024
# What an event's id may be: a key in every database, so no NUL, no blanks, not long.
ID_PATTERN = r"^[\x21-\x7e]{1,100}$"

# Attributes of every event that travel in the envelope, by their CloudEvents names.
ENVELOPE = {
    "event_id": "id",
    "occurred_at": "time",
    "business_id": "businessid",
    "sequence": "sequence",
    "correlation_id": "correlationid",
    "causation_id": "causationid",
    "producer": "source",
}


class UndecodableEvent(Exception):
    """A body that is not an event this system knows; the message says what is wrong with it."""


# What pydantic keeps of a model besides its fields.
_UNUSED = (("__pydantic_extra__", None), ("__pydantic_private__", None))


class Event(BaseModel):
    """One fact about one business. Subclasses add what happened; they never change once a consumer has seen them:
    a change is a new class with `version` raised."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: ClassVar[int] = 1
    producers: ClassVar[tuple[str, ...]] = ()
    # The attribute that names what the event is about.
    subject_field: ClassVar[str] = "business_id"

    business_id: str = Field(min_length=1, max_length=64)
    sequence: int = Field(default=1, ge=1, description="Rises with every event about the same subject")
    event_id: str = Field(default_factory=new_id, pattern=ID_PATTERN)
    occurred_at: datetime = Field(default_factory=clock.now)
    correlation_id: str | None = Field(default=None, max_length=100)
    causation_id: str | None = Field(default=None, max_length=100)
    producer: str = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.producers:
            REGISTRY[schema_of(cls)] = cls

    @property
    def subject(self) -> str:
        return str(getattr(self, self.subject_field))

    def routing_key(self, producer: str) -> str:
        return f"{producer}.{snake(type(self).__name__)}.v{self.version}"

    def to_wire(self, producer: str) -> bytes:
        """The event as a CloudEvents JSON document, UTF-8."""
        values = self.__dict__
        return orjson.dumps(
            {
                "specversion": "1.0",
                "id": values["event_id"],
                "source": f"/remit/{producer}",
                "type": type(self).__name__,
                "time": values["occurred_at"],
                "subject": self.subject,
                "dataschema": schema_of(type(self)),
                "datacontenttype": "application/json",
                "businessid": values["business_id"],
                "sequence": values["sequence"],
                "correlationid": values["correlation_id"] or values["event_id"],
                "causationid": values["causation_id"],
                "data": {name: value for name, value in values.items() if name not in ENVELOPE},
            },
            default=_plain,
            option=orjson.OPT_UTC_Z,
        )

    @classmethod
    def known(cls, **values: Any) -> Self:
        """An event of values that are known to be right: nothing is checked, and filled in is only what has a plain
        default. For those who make thousands at once, a tenth of what checking takes."""
        values = _defaults(cls) | values
        event = cls.__new__(cls)
        for name, value in (("__dict__", values), ("__pydantic_fields_set__", set(values)), *_UNUSED):
            object.__setattr__(event, name, value)
        return event

    @classmethod
    def from_envelope(cls, envelope: dict[str, Any]) -> Self:
        values = dict(envelope["data"])
        for name, wire_name in ENVELOPE.items():
            values[name] = envelope.get(wire_name)
        values["producer"] = str(values["producer"] or "").removeprefix("/remit/")
        return cls.model_validate(values)


@cache
def _defaults(event_type: type[Event]) -> dict[str, Any]:
    fields = event_type.model_fields.items()
    return {name: field.default for name, field in fields if field.default is not PydanticUndefined}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.__dict__
    raise TypeError(f"{type(value).__name__} cannot travel in an event")


# dataschema → class
REGISTRY: dict[str, type[Event]] = {}


@cache
def snake(name: str) -> str:
    """PaymentRecorded → payment_recorded."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


@cache
def schema_of(event_type: type[Event]) -> str:
    return f"urn:remit:event:{snake(event_type.__name__)}.v{event_type.version}"


def caused_by(cause: Event) -> dict[str, Any]:
    """Keyword arguments that tie a new event to the one that brought it about."""
    return {"correlation_id": correlation_of(cause), "causation_id": cause.event_id}


def correlation_of(event: Event) -> str:
    """What the event belongs to: itself when nothing brought it about."""
    return event.correlation_id or event.event_id


def decode(body: bytes) -> Event:
    """The event in `body`. Raises UndecodableEvent with the reason when it is not one that this system knows."""
    if len(body) > MAX_EVENT_BYTES:
        raise UndecodableEvent(f"{len(body)} bytes are more than an event may have ({MAX_EVENT_BYTES})")
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UndecodableEvent(f"not JSON: {error}") from None
    if not isinstance(envelope, dict) or not isinstance(envelope.get("data"), dict):
        raise UndecodableEvent("not an event envelope: a JSON object with an object under 'data' is expected")
    event_type = REGISTRY.get(str(envelope.get("dataschema")))
    if event_type is None:
        raise UndecodableEvent(f"unknown type {envelope.get('type')!r} (schema {envelope.get('dataschema')!r})")
    try:
        return event_type.from_envelope(envelope)
    except ValidationError as error:
        raise UndecodableEvent("; ".join(_reasons(error))) from None


def _reasons(error: ValidationError) -> Iterator[str]:
    for item in error.errors()[:10]:
        yield f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"


def load_all() -> None:
    """Import every contract, so that the registry is whole."""
    from common.events import billing, gateways, notifications, payments  # noqa: F401, PLC0415 - imported for registration
