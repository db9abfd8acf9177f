"""The web part of the sandbox: what programs ask for in JSON. The pages for people are in inbox.py."""

from __future__ import annotations

import io
import re

from flask import Blueprint, Flask, Response, jsonify, redirect, request, send_file, url_for
from werkzeug.wrappers import Response as AnyResponse

from sandbox import problems
from sandbox.clock import OffsetClock
from sandbox.content import Content, parse_content
from sandbox.inbox import create_inbox
from sandbox.knobs import create_knobs
from sandbox.mail import MailServer
from sandbox.paypal import Engine as Paypal
from sandbox.paypal import create_paypal
from sandbox.store import MailFilter, MailStore, StoredMail
from sandbox.stripe import Engine, create_stripe

LIMIT_DEFAULT = 50
LIMIT_MOST = 1000
NUMBER = re.compile(r"[0-9]{1,18}")
LARGEST_CURSOR = 10**18 - 1
REQUEST_BYTES = 64 * 1024
# For everything that is not one of our own pages: nothing in it may run or load, wherever it is shown.
INERT = "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def create_app(store: MailStore, server: MailServer, stripe: Engine, paypal: Paypal, clock: OffsetClock) -> Flask:
    """The web application over the mail, the Stripe and the PayPal whose faults it sets, and the clock it moves."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = REQUEST_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]
    problems.register(app)
    app.register_blueprint(_messages(store))
    app.register_blueprint(create_knobs(server, stripe, paypal, clock))
    app.register_blueprint(create_stripe(stripe))
    app.register_blueprint(create_paypal(paypal))
    app.register_blueprint(create_inbox(store, server))

    @app.get("/")
    def root() -> AnyResponse:
        return redirect(url_for("inbox.overview"))

    @app.get("/healthz")
    def healthz() -> Response:
        store.get(1)
        if not server.running:
            detail = "The mail server is not running."
            raise problems.Problem(503, "mail_server_stopped", "Unavailable", detail)
        return jsonify(status="ok")

    @app.after_request
    def guard(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", INERT)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return app


def _messages(store: MailStore) -> Blueprint:
    blueprint = Blueprint("messages", __name__, url_prefix="/mail")

    @blueprint.get("/messages")
    def listing() -> Response:
        return _listing(store)

    @blueprint.delete("/messages")
    def empty() -> AnyResponse:
        store.clear()
        return Response(status=204)

    @blueprint.get("/summary")
    def summary() -> Response:
        deliveries, distinct = store.tally(MailFilter(to=_argument("to")))
        return jsonify(deliveries=deliveries, distinct_message_ids=distinct)

    @blueprint.get("/messages/<int:key>")
    def message(key: int) -> Response:
        mail = store.get(key)
        item = _item(store, mail) if mail else None
        if item is None:
            raise problems.not_found("message")
        return jsonify(item)

    @blueprint.get("/messages/<int:key>/raw")
    def raw(key: int) -> Response:
        octets = store.raw(key)
        if octets is None:
            raise problems.not_found("message")
        return _download(octets, "message/rfc822", f"message-{key}.eml")

    @blueprint.get("/messages/<int:key>/attachments/<int:number>")
    def attachment(key: int, number: int) -> Response:
        octets = store.raw(key)
        attachments = parse_content(octets).attachments if octets is not None else []
        if not 1 <= number <= len(attachments):
            raise problems.not_found("attachment")
        found = attachments[number - 1]
        return _download(found.payload, found.content_type, found.name)

    return blueprint


def _listing(store: MailStore) -> Response:
    wanted = MailFilter(to=_argument("to"), subject=_argument("subject"), message_id=_argument("message_id"))
    limit = _number("limit", LIMIT_DEFAULT, 1, LIMIT_MOST) or LIMIT_DEFAULT
    # One more than asked for tells whether there is a next page.
    mails = store.page(wanted, limit=limit + 1, before=_number("cursor", None, 1, LARGEST_CURSOR))
    # Bodies are read one at a time, so that only the parsed parts of a page are in memory at once.
    items = [item for mail in mails[:limit] if (item := _item(store, mail)) is not None]
    cursor = str(mails[limit - 1].id) if len(mails) > limit else None
    return jsonify(items=items, next_cursor=cursor, total=store.count(wanted))


def _argument(name: str) -> str:
    return request.args.get(name, "").strip()


def _number(name: str, default: int | None, least: int, most: int) -> int | None:
    text = _argument(name)
    if not text:
        return default
    if not NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise problems.invalid(f"{name} must be a number from {least} to {most}")
    return int(text)


def _item(store: MailStore, mail: StoredMail) -> dict[str, object] | None:
    """The message as JSON shows it; None when the box was emptied in between."""
    raw = store.raw(mail.id)
    if raw is None:
        return None
    content = parse_content(raw)
    return {
        "id": mail.id,
        "received_at": mail.received_at,
        "message_id": mail.message_id,
        "from": mail.header_from or mail.envelope_from,
        "to": list(mail.recipients),
        "subject": mail.subject,
        "text": content.text,
        "html": content.html,
        "attachments": _attachments(mail.id, content),
    }


def _attachments(key: int, content: Content) -> list[dict[str, object]]:
    return [
        {
            "name": attachment.name,
            "content_type": attachment.content_type,
            "size_bytes": len(attachment.payload),
            "url": url_for("messages.attachment", key=key, number=number),
        }
        for number, attachment in enumerate(content.attachments, start=1)
    ]


def _download(octets: bytes, content_type: str, name: str) -> Response:
    """A response that a browser saves and never shows, with the name encoded so that it cannot break out."""
    return send_file(io.BytesIO(octets), mimetype=content_type, as_attachment=True, download_name=name)
