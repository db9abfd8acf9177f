"""The events feed for internal teams: a service's own events, in the order the relay confirmed them, for 30 days."""

from typing import Any

import orjson
from flask_openapi3 import APIBlueprint, Tag

from common import outbox
from common.web.app import B, endpoint, session
from common.web.fields import BusinessPath, PageQuery
from common.web.paging import decode_cursor, encode_cursor


def blueprint() -> APIBlueprint:
    api = APIBlueprint("events", __name__, abp_tags=[Tag(name="Events")], abp_security=[{"bearer": []}])

    class FeedQuery(PageQuery):
        types: str | None = None

    @api.get(f"{B}/events")
    @endpoint("events:read")
    def list_events(path: BusinessPath, query: FeedQuery) -> dict[str, Any]:
        """This service's events about the business

        In the order they were handed to the bus. `types` is a comma-separated list of names such as PaymentRecorded.
        `next_cursor` is null at the end; keep `resume_cursor` and ask with it later for what came since.
        """
        after = decode_cursor(query.cursor, int)
        types = [name.strip() for name in (query.types or "").split(",") if name.strip()]
        rows = session().execute(outbox.feed(path.business_id, types, after[0] if after else 0, query.limit)).all()
        last = rows[-1][0] if rows else (after[0] if after else 0)
        return {
            "items": [orjson.loads(body) for _, body in rows],
            "next_cursor": encode_cursor([last]) if len(rows) == query.limit else None,
            "resume_cursor": encode_cursor([last]),
        }

    return api
