"""Settings, E-mail texts: from whom mails come, which are sent, how they read, and what became of each."""

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from common.errors import Conflict, Invalid, NotFound, Refused
from portal import edge
from portal.domain import mails
from portal.edge import ADMINISTRATOR, screen
from portal.usecases import reading

screens = Blueprint("mail_texts", __name__)

WORDS = ("intro", "closing")


@screens.get("/settings/e-mails")
@screen(*ADMINISTRATOR)
def show() -> ResponseReturnValue:
    return _page(edge.remit().notifications.settings())


@screens.post("/settings/e-mails")
@screen(*ADMINISTRATOR)
def save() -> ResponseReturnValue:
    form = request.form
    wanted: dict[str, Any] = {name: form.get(name, "").strip() or None for name in ("from_name", "reply_to")}
    wanted |= {name: name in form for name in mails.SWITCHES}
    try:
        edge.remit().notifications.save_settings(wanted)
    except (Invalid, Conflict) as refused:
        return _page(wanted, refused), 422
    return edge.done("mail_texts.show", "saved")


def _page(settings: dict[str, Any], refused: Refused | None = None) -> str:
    own = {text["kind"] for text in edge.remit().notifications.texts() if text["intro"] or text["closing"]}
    return render_template(
        "mail_texts.html",
        settings=settings,
        mails=mails,
        own=own,
        errors=reading.beside(refused) if refused else {},
        problem_words=reading.detail_of(refused) if refused else None,
    )


# --- what became of each ---


@screens.get("/settings/e-mails/sent")
@screen(*ADMINISTRATOR)
def sent() -> ResponseReturnValue:
    typed = request.args
    query = {
        "to": typed.get("to", "").strip()[:254],
        "kind": typed.get("kind") if typed.get("kind") in mails.KINDS else None,
        "status": typed.get("status") if typed.get("status") in mails.STATES else None,
        "cursor": typed.get("cursor"),
    }
    found = edge.remit().notifications.emails(query)
    return render_template("mails_sent.html", found=found, typed=typed, mails=mails)


@screens.post("/settings/e-mails/sent/<email_id>/resend")
@screen(*ADMINISTRATOR)
def resend(email_id: str) -> ResponseReturnValue:
    edge.remit().notifications.resend(email_id)
    kept = {name: request.args[name] for name in ("to", "kind", "status", "cursor") if request.args.get(name)}
    return edge.done("mail_texts.sent", "email_again", **kept)


# --- how one kind reads ---


@screens.get("/settings/e-mails/<kind>")
@screen(*ADMINISTRATOR)
def edit(kind: str) -> ResponseReturnValue:
    held = _held(kind)
    return _editor(kind, held, _composed(kind))


@screens.post("/settings/e-mails/<kind>")
@screen(*ADMINISTRATOR)
def change(kind: str) -> ResponseReturnValue:
    _known(kind)
    typed = _typed()
    try:
        edge.remit().notifications.save_texts(kind, typed)
    except (Invalid, Conflict) as refused:
        return _editor(kind, typed, None, refused), 422
    return edge.done("mail_texts.edit", "texts_saved", kind=kind)


@screens.post("/settings/e-mails/<kind>/preview")
@screen(*ADMINISTRATOR)
def preview(kind: str) -> ResponseReturnValue:
    """What the mail says with the words that are typed, before they are saved."""
    _known(kind)
    typed, refused, mail = _typed(), None, None
    try:
        mail = _composed(kind, typed)
    except Invalid as wrong:
        refused = wrong
    if edge.wants_json():
        errors = reading.beside(refused) if refused else {}
        return {"panel": render_template("_mail.html", mail=mail, panel_errors=errors)}
    return _editor(kind, typed, mail, refused), 422 if refused else 200


@screens.post("/settings/e-mails/<kind>/page")
@screen(*ADMINISTRATOR)
def as_page(kind: str) -> ResponseReturnValue:
    """The mail as a mail program shows it, with the words that are typed."""
    _known(kind)
    return edge.shows_mail(_composed(kind, _typed() if any(name in request.form for name in WORDS) else {})["html"])


def _known(kind: str) -> None:
    if kind not in mails.KINDS:
        raise NotFound("not_found", "There is no such page.")


def _typed() -> dict[str, str]:
    return {name: request.form.get(name, "") for name in WORDS}


def _held(kind: str) -> dict[str, Any] | None:
    """The words that are saved; None for a kind that takes none. Raises NotFound."""
    _known(kind)
    return next((text for text in edge.remit().notifications.texts() if text["kind"] == kind), None)


def _composed(kind: str, words: dict[str, str] | None = None) -> dict[str, Any]:
    return edge.remit().notifications.preview({"kind": kind, **(words or {})})


def _editor(
    kind: str, words: dict[str, Any] | None, mail: dict[str, Any] | None, refused: Refused | None = None
) -> str:  # fmt: skip
    return render_template(
        "mail_text.html",
        kind=kind,
        words=words,
        mail=mail,
        mails=mails,
        panel_errors={},
        errors=reading.beside(refused) if refused else {},
        problem_words=reading.detail_of(refused) if refused else None,
    )
