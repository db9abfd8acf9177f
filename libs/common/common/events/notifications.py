"""What notifications tells: which mails were handed over, and which cannot be."""

from typing import ClassVar

from common.events import Event


class _EmailFacts(Event):
    subject_field: ClassVar[str] = "email_id"

    email_id: str
    kind: str
    client_id: str | None = None
    about: str


class EmailSent(_EmailFacts):
    """The mail server took the mail."""

    producers = ("notifications",)


class EmailFailed(_EmailFacts):
    """The mail was refused for good, or every attempt failed."""

    producers = ("notifications",)

    reason: str
