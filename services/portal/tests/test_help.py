"""Help: every topic is there for its readers, leads only where they may go, and is found."""

import re
from pathlib import Path
from typing import Any

import pytest

from portal.domain import help as topics
from portal.domain.help import TOPICS, Topic

TEMPLATES = Path(topics.__file__).parents[1] / "templates"
# Agreed on, as screens link to them.
FIXED = re.findall(
    r"[\w-]+",
    "add-payment add-payments payment-history stripe-keys send-test pay-assist client-initiated paypal-ipn"
    " virtual-terminal which-gateway pre-pay inactive-dates balances service-reports revenue invoices unmatched refunds"
    " receipts clients calendar saved-cards session-control reminders e-mail-texts team api-tokens system signing-in",
)


def links(page: str) -> set[str]:
    main = page.partition("<main")[2]
    return {href for href in re.findall(r'href="(/[^"]*)"', main) if not href.startswith("/static")}


def test_every_topic_that_a_screen_names_exists() -> None:
    named = {
        slug
        for template in TEMPLATES.rglob("*.html")
        for slug in re.findall(r"""help=["']([\w-]+)["']""", template.read_text())
    }
    assert named, "no screen names its help"
    assert named <= set(TOPICS)
    assert set(FIXED) == set(TOPICS)
    assert {found.stem for found in (TEMPLATES / "help").glob("[!_]*.html")} == set(TOPICS)


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.slug)
def test_what_a_topic_names_exists(topic: Topic) -> None:
    assert set(topic.related) <= set(TOPICS)
    assert topic.slug not in topic.related
    used = set(re.findall(r'go\("([^"]+)"', (TEMPLATES / "help" / f"{topic.slug}.html").read_text()))
    for endpoint in used | set(topic.endpoints):
        assert endpoint in known_endpoints(), endpoint


def for_whom(portal: Any, href: str) -> tuple[str, ...]:
    """The roles of the page that a link leads to; raises when it leads nowhere."""
    endpoint, _ = portal.service.app.url_map.bind("portal.example").match(href)
    return portal.service.app.view_functions[endpoint].roles or topics.ALL  # type: ignore[no-any-return]


def known_endpoints() -> set[str]:
    from portal.navigation import MENU  # noqa: PLC0415

    return {place.endpoint for _, places in MENU for place in places} | {"signing_in.account"}


@pytest.mark.parametrize("role", ["client", "staff", "administrator", "operator"])
def test_every_topic_is_there_for_its_readers_and_only_for_them(portal: Any, role: str) -> None:
    reader = {"client": portal.client, "staff": portal.staff}.get(role, portal.administrator)()
    if role == "operator":
        with portal.runtime.database.write() as session:
            from portal.models import User  # noqa: PLC0415

            session.query(User).update({"is_operator": True})
    roles = {role, "administrator"} if role == "operator" else {role}
    index = reader.get("/help").text
    for topic in TOPICS.values():
        page = reader.get(f"/help/{topic.slug}")
        may = bool(roles & set(topic.readers))
        assert page.status_code == (200 if may or topic.slug == "signing-in" else 404), topic.slug
        assert (f'href="/help/{topic.slug}"' in index) == may
        if may:
            assert f"<h1>{topic.title}</h1>".replace("'", "&#39;") in page.text
            for href in links(page.text) - {"/help"}:
                assert roles & set(for_whom(portal, href)), (topic.slug, href)
            assert page.headers["Server-Timing"].endswith(('calls;desc="0"', 'calls;desc="1"'))
    assert reader.get("/help/nothing").status_code == 404


def test_before_signing_in_there_is_help_with_it(portal: Any) -> None:
    anybody = portal.visitor()
    page = anybody.get("/help/signing-in")
    assert page.status_code == 200
    assert links(page.text) == {"/sign-in"}
    assert 'href="/help/signing-in"' in anybody.get("/sign-in").text
    assert anybody.get("/help").status_code == anybody.get("/help/team").status_code == 303


def test_search_finds_each_topic_by_its_title(portal: Any) -> None:
    maria = portal.administrator()
    for topic in TOPICS.values():
        if "administrator" in topic.readers:
            found = maria.get("/help", query_string={"q": topic.title.upper()}).text
            hits = re.findall(r'href="/help/([\w-]+)"><strong>.*?</strong>', found.partition("Found for")[2])
            assert hits[0] == topic.slug, topic.title


def test_what_search_shows(portal: Any) -> None:
    ada = portal.client()
    found = ada.get("/help?q=receipt").text
    assert "<mark>Receipt</mark>s" in found
    assert 'href="/help/refunds"' not in found  # not for clients
    assert 'href="/help/signing-in"' not in found  # the whole list is not repeated below
    assert "Nothing here says that" in ada.get("/help?q=zebra").text
    for harmful in ("<script>alert(1)</script>", "a.*(", "%", "…"):
        page = ada.get("/help", query_string={"q": harmful})
        assert page.status_code == 200
        assert "<script>alert" not in page.text


def topic(title: str, summary: str = "s") -> Topic:
    return Topic(title.lower(), "g", title, summary)


def test_a_title_counts_most_and_every_word_must_be_there() -> None:
    texts = [(topic("Other"), "about a card & a receipt"), (topic("Cards", "c"), "receipt"), (topic("Third"), "card")]
    assert [hit.topic.title for hit in topics.search(texts, "CARD")] == ["Cards", "Other", "Third"]
    assert [hit.topic.title for hit in topics.search(texts, "card receipt")] == ["Cards", "Other"]
    (first, *_) = topics.search(texts, "receipt")
    assert [(piece.words, piece.is_hit) for piece in first.fragments[0]] == [
        ("about a card & a ", False),
        ("receipt", True),
    ]
    assert topics.search(texts, " .,! ") == []


def test_fragments_are_short_and_cut_between_words() -> None:
    long = "word " * 100 + "needle " + "more " * 100
    (hit,) = topics.search([(topic("T"), long)], "needle")
    shown = "".join(piece.words for piece in hit.fragments[0])
    assert len(shown) < 160
    assert shown.startswith("… word")
    assert shown.endswith("more …")


def test_plain_words() -> None:
    assert topics.plain("<h2>Head</h2><table><td>x</td><td>y</td></table>") == "x y"
    assert topics.plain("<p>A <strong>b</strong>\n &amp; c</p>\n<p>d</p>") == "A b & c d"
