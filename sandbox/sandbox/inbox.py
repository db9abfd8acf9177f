"""The pages for people: the inbox and one message. No scripts, nothing from other hosts."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, Response, make_response, render_template, request

from sandbox import problems
from sandbox.content import parse_content
from sandbox.headers import listed
from sandbox.mail import MailServer
from sandbox.store import MailFilter, MailStore

PER_PAGE = 25
# For the HTML part of a message, which anybody may have written: no scripts, no forms, nothing loaded from
# anywhere, an origin of its own. Links may open a new tab, for a demo has to be able to follow them.
MESSAGE_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:;"
    " style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
# Links have to leave the frame, where a page from elsewhere would be refused.
MESSAGE_START = '<!doctype html><base target="_blank">'


def create_inbox(store: MailStore, server: MailServer) -> Blueprint:
    """The pages under /mail."""
    blueprint = Blueprint("inbox", __name__, url_prefix="/mail", static_folder="static")
    blueprint.add_app_template_filter(_moment, "moment")
    blueprint.add_app_template_filter(_size, "size")

    @blueprint.get("")
    def overview() -> Response:
        words = request.args.get("q", "").strip()
        wanted = MailFilter(words=words)
        total = store.count(wanted)
        last = max(1, -(-total // PER_PAGE))
        page = min(max(request.args.get("page", 1, type=int), 1), last)
        mails = store.page(wanted, limit=PER_PAGE, offset=(page - 1) * PER_PAGE)
        return _page(
            "inbox.html",
            mails=mails,
            words=words,
            total=total,
            page=page,
            last=last,
            faults=server.faults.faults,
        )

    @blueprint.get("/messages/<int:key>/view")
    def view(key: int) -> Response:
        mail, raw = store.get(key), store.raw(key)
        if mail is None or raw is None:
            raise problems.not_found("message")
        return _page("message.html", mail=mail, content=parse_content(raw), headers=listed(raw))

    @blueprint.get("/messages/<int:key>/html")
    def html(key: int) -> Response:
        raw = store.raw(key)
        text = parse_content(raw).html_with_images() if raw is not None else None
        if text is None:
            raise problems.not_found("message with an HTML part")
        response = Response(MESSAGE_START + text, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = MESSAGE_POLICY
        return response

    @blueprint.after_request
    def guard(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", problems.PAGE_POLICY)
        return response

    return blueprint


def _page(template: str, **values: object) -> Response:
    return make_response(render_template(template, **values))


def _moment(received_at: str) -> str:
    return datetime.fromisoformat(received_at).strftime("%-d %b %Y, %H:%M:%S UTC")


def _size(octets: int) -> str:
    if octets < 1024:
        return f"{octets} bytes"
    if octets < 1024**2:
        return f"{octets / 1024:.1f} KiB"
    return f"{octets / 1024**2:.1f} MiB"
