"""What every service tells operators of itself, whichever business they are of: how it is, what it could not handle,
and its calls to the outside."""

from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from portal.peers.asking import Answer, Peer, Query

if TYPE_CHECKING:
    from portal.peers import Remit


class Operations(Peer):
    """One service. Made by `edge.operations`, which looks whether the person is an operator."""

    reads: ClassVar[str] = "operations:read"
    writes: ClassVar[str] = "operations:write"
    root = "/v1/operations"
    business_id = "*"

    def __init__(self, remit: "Remit", service: str) -> None:
        super().__init__(remit)
        self.name = service

    def state(self) -> Answer:
        return self.get("/state")

    def events(self, query: Query) -> Answer:
        """What could not be handled, oldest first; filter state (parked, dead, discarded)."""
        return self.get("/inbox", query)

    def event(self, event_id: str) -> Answer:
        return self.get(_at(event_id))

    def preview(self, event_id: str) -> Answer:
        """{would_emit, would_fail}: what replaying would do. Changes nothing."""
        answer = self.ask("POST", f"{_at(event_id)}/replay", params={"preview": "true"})
        return dict(answer.json())

    def replay(self, event_id: str) -> Answer:
        return self.post(f"{_at(event_id)}/replay")

    def discard(self, event_id: str, reason: str) -> Answer:
        return self.post(f"{_at(event_id)}/discard", {"reason": reason})

    def jobs(self, query: Query) -> Answer:
        """Calls to the outside that are not done, oldest first; filter state (due, claimed, failed)."""
        return self.get("/jobs", query)

    def retry(self, kind: str, key: str) -> Answer:
        return self.post("/jobs/retry", {"kind": kind, "key": key})


def _at(event_id: str) -> str:
    """Ids of events may be anything that others send."""
    return f"/inbox/{quote(event_id, safe='')}"
