"""What both gateways' services answer alike: notices, replays, reconciling."""

from portal.peers.asking import Answer, Peer, Query, safe

SETTINGS = "gateway:settings"


class Gateway(Peer):
    """A gateway's service."""

    reads = "gateway:read"
    writes = "gateway:charge"

    def notices(self, query: Query) -> Answer:
        return self.get("/notices", query)

    def notice(self, notice_id: str) -> Answer:
        return self.get(f"/notices/{safe(notice_id)}")

    def replay(self, notice_id: str, *, preview: bool) -> Answer:
        params = {"preview": "true"} if preview else {}
        return self.post(f"/notices/{safe(notice_id)}/replay", scope=SETTINGS, params=params)

    def reconcile(self, body: Answer) -> Answer:
        return self.post("/reconcile", body, scope=SETTINGS, timeout_seconds=self._patience)

    def _start(self, path: str, body: Answer, key: str) -> tuple[Answer, bool]:
        """What was started, and whether it had been started before."""
        answer = self.ask("POST", path, body, key, timeout_seconds=self._patience)
        return dict(answer.json()), answer.headers.get("Idempotent-Replayed") == "true"

    @property
    def _patience(self) -> float:
        """A gateway, and a card's bank behind it, take their time."""
        return float(self._remit.runtime.settings.gateway_timeout_seconds)  # type: ignore[attr-defined]
