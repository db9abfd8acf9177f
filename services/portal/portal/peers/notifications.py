"""notifications: mails, how they read, and which are sent."""

from portal.peers.asking import Answer, Peer, Query, safe


class Notifications(Peer):
    name = "notifications"
    reads = "notifications:read"
    writes = "notifications:write"

    def emails(self, query: Query) -> Answer:
        return self.get("/emails", query)

    def resend(self, email_id: str) -> Answer:
        return self.post(f"/emails/{safe(email_id)}/resend")

    def send(self, body: Answer, key: str) -> Answer:
        """Mail that carries a secret link, which does not travel in events."""
        return self.post("/emails", body, key)

    def preview(self, body: Answer) -> Answer:
        return self.post("/emails/preview", body, scope=self.reads)

    def settings(self) -> Answer:
        return self.get("/email-settings")

    def save_settings(self, body: Answer) -> Answer:
        return self.put("/email-settings", body)

    def texts(self) -> list[Answer]:
        """The business's own words, of each kind that takes some: {kind, intro, closing}."""
        return self.items("/email-texts")

    def save_texts(self, kind: str, body: Answer) -> Answer:
        return self.put(f"/email-texts/{safe(kind)}", body)
