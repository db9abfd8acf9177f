"""Help: what each screen is for, in plain words; searchable; only what the reader may do."""

from flask import Blueprint, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from common.errors import NotFound
from portal import edge
from portal.domain import help as topics
from portal.domain.help import Topic
from portal.edge import CLIENT, STAFF, screen
from portal.usecases.users import Person

screens = Blueprint("help", __name__)

QUERY_LONGEST = 100


@screens.get("/help")
@screen(*STAFF, *CLIENT)
def show_all() -> ResponseReturnValue:
    mine = _readable(edge.person())
    words = request.args.get("q", "").strip()[:QUERY_LONGEST]
    hits = topics.search([(topic, _text(topic)) for topic in mine], words) if words else []
    return render_template("help_index.html", groups=topics.grouped(mine), q=words, hits=hits)


@screens.get("/help/<topic>")
@screen(*STAFF, *CLIENT)
def show(topic: str) -> ResponseReturnValue:
    found = topics.TOPICS.get(topic)
    if found is None or found not in _readable(edge.person()):
        raise NotFound("not_found", "There is no such help page.")
    return _page(found)


@screens.get("/help/signing-in")
@screen()
def signing_in() -> ResponseReturnValue:
    """For whoever stands before the door as well."""
    return _page(topics.TOPICS["signing-in"])


def _page(topic: Topic) -> str:
    reader = edge.person_or_none()
    mine = _readable(reader) if reader else []
    related = [other for slug in topic.related if (other := topics.TOPICS[slug]) in mine]
    endpoint = next((known for known in topic.endpoints if _may_open(known)), None)
    return render_template(f"help/{topic.slug}.html", topic=topic, related=related, endpoint=endpoint, go=_go)


def _readable(reader: Person) -> list[Topic]:
    return [topic for topic in topics.TOPICS.values() if reader.may(topic.readers)]


def _may_open(endpoint: str) -> bool:
    reader, view = edge.person_or_none(), current_app.view_functions.get(endpoint)
    roles = getattr(view, "roles", ())
    return view is not None and (not roles or (reader is not None and reader.may(roles)))


def _go(endpoint: str, words: str) -> Markup:
    """A link to a screen, or its name alone for a reader who may not open it."""
    if not _may_open(endpoint):
        return Markup("<strong>{}</strong>").format(words)
    return Markup('<a href="{}">{}</a>').format(url_for(endpoint), words)


def _text(topic: Topic) -> str:
    """What a topic says, without its markup. The same for every reader, so it is made once."""
    held: dict[str, str] = current_app.extensions.setdefault("help_texts", {})
    if topic.slug not in held:
        template = current_app.jinja_env.get_template(f"help/{topic.slug}.html")
        context = template.new_context({"topic": topic, "go": lambda _endpoint, words: words})
        held[topic.slug] = topics.plain("".join(template.blocks["text"](context)))
    return held[topic.slug]
