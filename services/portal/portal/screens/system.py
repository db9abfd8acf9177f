"""System, for whoever operates Remit: how each service is, what it could not handle, what the gateways told, and
whether they agree with us."""

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from common import clock
from common.errors import Conflict, Invalid, NotFound, Refused
from portal import edge
from portal.domain import operating
from portal.edge import OPERATOR, screen
from portal.peers import Remit
from portal.peers.paypal import PayPal
from portal.peers.stripe import Stripe
from portal.usecases.reading import Form, beside, day

screens = Blueprint("system", __name__)

MOST_DAYS = 30


@screens.get("/system")
@screen(*OPERATOR)
def show() -> ResponseReturnValue:
    """One call for each service; who is away is shown as away."""
    found = [(service, words, edge.piece(edge.operations(service).state)) for service, words in SERVICES]
    return render_template("system.html", services=found, operating=operating)


# --- what one service could not handle ---


@screens.get("/system/<service>")
@screen(*OPERATOR)
def events(service: str) -> ResponseReturnValue:
    state = _one_of(operating.EVENT_STATES, "state")
    found = edge.operations(service).events({"state": state, "cursor": request.args.get("cursor")})
    return render_template(
        "system_events.html", found=found, state=state, states=operating.EVENT_STATES, **_of(service)
    )


@screens.get("/system/<service>/inbox/<path:event_id>")
@screen(*OPERATOR)
def event(service: str, event_id: str) -> ResponseReturnValue:
    return _event(service, event_id)


@screens.post("/system/<service>/inbox/<path:event_id>/preview")
@screen(*OPERATOR)
def preview(service: str, event_id: str) -> ResponseReturnValue:
    """What trying it again would do; the page says so, and nothing was changed."""
    return _event(service, event_id, preview=edge.operations(service).preview(event_id))


@screens.post("/system/<service>/inbox/<path:event_id>/replay")
@screen(*OPERATOR)
def replay(service: str, event_id: str) -> ResponseReturnValue:
    edge.operations(service).replay(event_id)
    return edge.done("system.events", "event_replayed", service=service)


@screens.get("/system/<service>/inbox/<path:event_id>/discard")
@screen(*OPERATOR)
def ask_discard(service: str, event_id: str) -> ResponseReturnValue:
    return _discard_form(service, event_id)


@screens.post("/system/<service>/inbox/<path:event_id>/discard")
@screen(*OPERATOR)
def discard(service: str, event_id: str) -> ResponseReturnValue:
    reason = request.form.get("reason", "").strip()
    if not reason:
        return _discard_form(service, event_id, errors={"reason": "Say why. Others will read it."}), 422
    try:
        edge.operations(service).discard(event_id, reason)
    except Invalid as refused:
        return _discard_form(service, event_id, refused.detail, beside(refused), reason), 422
    return edge.done("system.events", "event_discarded", service=service)


@screens.get("/system/<service>/jobs")
@screen(*OPERATOR)
def jobs(service: str) -> ResponseReturnValue:
    state = _one_of(operating.JOB_STATES, "state")
    found = edge.operations(service).jobs({"state": state, "cursor": request.args.get("cursor")})
    return render_template("system_jobs.html", found=found, state=state, states=operating.JOB_STATES, **_of(service))


@screens.post("/system/<service>/jobs/retry")
@screen(*OPERATOR)
def retry(service: str) -> ResponseReturnValue:
    edge.operations(service).retry(request.form.get("kind", ""), request.form.get("key", ""))
    return edge.done("system.jobs", "job_retried", service=service)


# --- gateways, of the operator's own business ---


@screens.get("/system/notices")
@screen(*OPERATOR)
def notices() -> ResponseReturnValue:
    gateway = _one_of(operating.GATEWAYS, "gateway") or "stripe"
    found = _gateway(edge.remit(), gateway).notices({"cursor": request.args.get("cursor")})
    return render_template("system_notices.html", found=found, gateway=gateway, gateways=operating.GATEWAYS)


@screens.get("/system/notices/<gateway>/<notice_id>")
@screen(*OPERATOR)
def notice(gateway: str, notice_id: str) -> ResponseReturnValue:
    return _notice(gateway, notice_id)


@screens.post("/system/notices/<gateway>/<notice_id>/preview")
@screen(*OPERATOR)
def preview_notice(gateway: str, notice_id: str) -> ResponseReturnValue:
    try:
        seen = _gateway(edge.remit(), gateway).replay(notice_id, preview=True)
    except Conflict as refused:
        return _notice(gateway, notice_id, problem_words=refused.detail), 409
    return _notice(gateway, notice_id, preview=seen)


@screens.post("/system/notices/<gateway>/<notice_id>/replay")
@screen(*OPERATOR)
def replay_notice(gateway: str, notice_id: str) -> ResponseReturnValue:
    try:
        _gateway(edge.remit(), gateway).replay(notice_id, preview=False)
    except Conflict as refused:
        return _notice(gateway, notice_id, problem_words=refused.detail), 409
    return edge.done("system.notice", "notice_replayed", gateway=gateway, notice_id=notice_id)


@screens.get("/system/drift")
@screen(*OPERATOR)
def ask_drift() -> ResponseReturnValue:
    return _drift_page({})


@screens.post("/system/drift")
@screen(*OPERATOR)
def drift() -> ResponseReturnValue:
    """Compare, and show the report on the page that asked: it is made now, and kept nowhere."""
    remit, form = edge.remit(), Form(request.form)
    gateway = form.get("gateway")
    since = form.read("since", day)
    today = clock.today(str(remit.billing.business()["time_zone"]))
    if since is not None and not 0 <= (today - since).days < MOST_DAYS:
        form.note("since", f"Choose a day of the last {MOST_DAYS}.")
    try:
        peer = _gateway(remit, gateway)
        form.check("Nothing was compared. Look at the field that is marked.")
        assert since is not None  # what could not be read was refused
        report = peer.reconcile({"since_hours": ((today - since).days + 1) * 24})
    except (Invalid, Conflict) as refused:
        return _drift_page(request.form, problem_words=refused.detail, errors=beside(refused)), _status_of(refused)
    return _drift_page(request.form, report=report)


SERVICES = tuple(edge.SERVICE_WORDS.items())


def _of(service: str) -> dict[str, str]:
    return {"service": service, "words": edge.SERVICE_WORDS[service]}


def _one_of(known: dict[str, str], name: str) -> str:
    wanted = request.args.get(name, "")
    return wanted if wanted in known else ""


def _event(service: str, event_id: str, preview: dict[str, Any] | None = None) -> str:
    found = edge.operations(service).event(event_id)
    return render_template(
        "system_event.html", event=found, preview=preview, states=operating.EVENT_STATES, **_of(service)
    )


def _discard_form(
    service: str, event_id: str, problem_words: str = "", errors: dict[str, str] | None = None, reason: str = ""
) -> str:
    found = edge.operations(service).event(event_id)
    return render_template(
        "system_discard.html",
        event=found,
        problem_words=problem_words,
        errors=errors or {},
        reason=reason,
        **_of(service),
    )


def _gateway(remit: Remit, gateway: str) -> Stripe | PayPal:
    """Raises NotFound."""
    peers = {"stripe": remit.stripe, "paypal": remit.paypal}
    if gateway not in peers:
        raise NotFound("not_found", "There is no such page.")
    return peers[gateway]  # type: ignore[return-value]


def _notice(gateway: str, notice_id: str, **more: Any) -> str:
    found = _gateway(edge.remit(), gateway).notice(notice_id)
    shown = {"preview": None, "problem_words": "", **more}
    name = operating.GATEWAYS[gateway]
    return render_template("system_notice.html", notice=found, gateway=gateway, name=name, **shown)


def _drift_page(typed: Any, **more: Any) -> str:
    business = edge.remit().billing.business()
    shown = {"report": None, "problem_words": "", "errors": {}, **more}
    return render_template(
        "system_drift.html", typed=typed, gateways=list(operating.GATEWAYS.items()), operating=operating,
        today=clock.today(str(business["time_zone"])), currency=business["currency"], **shown,
    )  # fmt: skip


def _status_of(refused: Refused) -> int:
    return 409 if isinstance(refused, Conflict) else 422
