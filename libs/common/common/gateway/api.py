"""What is the same at every gateway's edge: the blueprint of notices, and answers that a repeat is given again."""

from collections.abc import Callable
from typing import Any

from flask import jsonify
from flask.wrappers import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from common.gateway import notices
from common.gateway.models import Notice
from common.gateway.notices import Translate
from common.web.app import B, caller, endpoint, runtime, session
from common.web.fields import Body, BusinessPath, Id, PageQuery
from common.web.idempotency import given_key
from common.web.paging import decode_cursor, page


class NoticePath(BusinessPath):
    notice_id: Id


class ReplayQuery(BaseModel):
    preview: bool = False


class ReconcileBody(Body):
    since_hours: int = Field(default=24, ge=1, le=24 * 30)


def request_key() -> str | None:
    """The caller's Idempotency-Key: an operation keeps it. Raises Invalid."""
    return given_key()


def marked(answer: dict[str, Any], is_repeat: bool) -> Response | dict[str, Any]:
    """An operation's answer, marked when it is a repeat's."""
    if not is_repeat:
        return answer
    response: Response = jsonify(answer)
    response.headers["Idempotent-Replayed"] = "true"
    return response


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


def blueprint(translate: Translate, shown: Callable[[bytes], dict[str, Any]]) -> APIBlueprint:
    """`translate` is the notice job's call; `shown` answers what of a body is shown, without secrets."""
    api = APIBlueprint("notices", __name__, abp_tags=[Tag(name="Notices")], abp_security=[{"bearer": []}])

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
        return {**as_json(notice), **shown(notice.body)}

    @api.post(f"{B}/notices/<string:notice_id>/replay")
    @endpoint("gateway:settings", in_stages=True)
    def replay_notice(path: NoticePath, query: ReplayQuery) -> tuple[dict[str, Any], int]:
        """Translate a notice again; what was told already is not told again. With preview=true: what that would tell"""
        caller().require_staff("business")
        if query.preview:
            return notices.preview(runtime(), translate, path.business_id, path.notice_id), 200
        with runtime().database.write() as transaction:
            return as_json(notices.replay(transaction, path.business_id, path.notice_id)), 202

    return api
