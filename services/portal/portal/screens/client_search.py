"""For the client field of forms: who fits what is typed, as JSON."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from portal import edge
from portal.edge import STAFF, screen
from portal.usecases.picking import OFFERED

screens = Blueprint("client_search", __name__)


@screens.get("/clients/find")
@screen(*STAFF)
def find() -> ResponseReturnValue:
    words = request.args.get("q", "").strip()[:200]
    found = edge.remit().billing.clients_like(words, OFFERED) if words else []
    return {"items": [{name: client[name] for name in ("id", "name", "email", "status")} for client in found]}
