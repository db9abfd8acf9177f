"""Notices: Stripe's callbacks as they came, what became of them, and translating one again."""

from typing import Any

import orjson
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel

from common.web.app import B, caller, endpoint, runtime, session
from common.web.fields import BusinessPath, Id, PageQuery
from common.web.paging import decode_cursor, page
from gateway_stripe.models import Notice
from gateway_stripe.usecases import notices

api = APIBlueprint("stripe_notices", __name__, abp_tags=[Tag(name="Notices")], abp_security=[{"bearer": []}])


class NoticePath(BusinessPath):
    notice_id: Id


class ReplayQuery(BaseModel):
    preview: bool = False


def as_json(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.notice_id,
        "event_id": notice.event_id,
        "type": notice.type,
        "mode": notice.mode,
        "status": notice.state,
        "reason": notice.reason,
        "received_at": notice.received_at,
    }


@api.get(f"{B}/notices")
@endpoint("gateway:read")
def list_notices(path: BusinessPath, query: PageQuery) -> dict[str, Any]:
    """Notices, the newest first"""
    caller().require_staff("business")
    found = notices.newest_first(path.business_id, decode_cursor(query.cursor, str))
    rows = session().scalars(found.limit(query.limit + 1)).all()
    more = [rows[query.limit - 1].notice_id] if len(rows) > query.limit else None
    return page([as_json(row) for row in rows], query.limit, more)


@api.get(f"{B}/notices/<string:notice_id>")
@endpoint("gateway:read")
def get_notice(path: NoticePath) -> dict[str, Any]:
    """One notice with its body as it came, without the secrets in it"""
    caller().require_staff("business")
    notice = notices.find(session(), path.business_id, path.notice_id)
    return {**as_json(notice), "body": _body(notice)}


@api.post(f"{B}/notices/<string:notice_id>/replay")
@endpoint("gateway:settings", in_stages=True)
def replay_notice(path: NoticePath, query: ReplayQuery) -> tuple[dict[str, Any], int]:
    """Translate a notice again; what was told already is not told again. With preview=true: what that would tell"""
    caller().require_staff("business")
    if query.preview:
        return notices.preview(runtime(), path.business_id, path.notice_id), 200
    with runtime().database.write() as transaction:
        return as_json(notices.replay(transaction, path.business_id, path.notice_id)), 202


def _body(notice: Notice) -> Any:
    """The event; the text of what is none."""
    try:
        return orjson.loads(notice.body)
    except orjson.JSONDecodeError:
        return notice.body
