"""The catalogue: found, added, changed, and who may."""

from typing import Any

import pytest

from services.portal.tests.others import Others

SERVICE = {
    "id": "v1", "name": "Piano lesson", "price_minor": 4500, "currency": "USD", "duration_minutes": 45, "active": True,
}  # fmt: skip
TYPED = {"attempt": "a1", "name": "Voice lesson", "price": "50", "minutes": "60"}


@pytest.fixture(autouse=True)
def shop(others: Others) -> None:
    others.tell("GET", "/services", 200, {"items": [SERVICE], "next_cursor": "abc"})
    others.tell("GET", "/services/v1", 200, SERVICE)
    others.tell("POST", "/services", 201, SERVICE)
    others.tell("PATCH", "/services/v1", 200, SERVICE)


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("", {"active": "true"}),
        ("?show=all&q=pia", {"q": "pia"}),
        ("?show=off&sort=-price&cursor=x", {"active": "false", "sort": "-price", "cursor": "x"}),
        ("?show=odd&sort=odd", {"active": "true"}),
    ],
)
def test_services_are_found_and_sorted(portal: Any, others: Others, query: str, asked: dict[str, str]) -> None:
    page = portal.administrator().get(f"/services{query}")
    assert page.status_code == 200
    assert others.last("/services")["query"] == asked
    assert "$45.00" in page.text
    assert "cursor=abc" in page.text


def test_an_empty_list_says_what_to_do_next(portal: Any, others: Others) -> None:
    others.tell("GET", "/services", 200, {"items": [], "next_cursor": None})
    maria = portal.administrator()
    assert "Add the first one" in maria.get("/services").text
    assert "No service fits" in maria.get("/services?q=x").text


def test_services_as_csv(portal: Any, others: Others) -> None:
    assert portal.administrator().get("/services.csv?show=all&sort=-name").status_code == 200
    assert others.last("/services")["query"] == {"sort": "-name"}


def test_a_service_is_added_once(portal: Any, others: Others) -> None:
    maria = portal.administrator()
    added = maria.post("/services/add", TYPED, page="/services/add")
    assert added.location == "/services?said=service_added"
    asked = others.last("/services")
    assert asked["body"] == {"name": "Voice lesson", "price_minor": 5000, "duration_minutes": 60}
    assert asked["claims"]["actor"]["name"] == "Maria Harmony"
    maria.post("/services/add", TYPED, page="/services/add")
    assert others.last("/services")["key"] == asked["key"]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"name": " "}, "Say what it is called."),
        ({"name": "x" * 201}, "at most 200 characters"),
        ({"price": ""}, "Say how much."),
        ({"price": "40.555"}, "more decimals"),
        ({"minutes": "0"}, "from 1 to 1440"),
        ({"minutes": "1441"}, "from 1 to 1440"),
        ({"minutes": "an hour"}, "from 1 to 1440"),
    ],
)
@pytest.mark.parametrize("path", ["/services/add", "/services/v1"])
def test_what_is_wrong_changes_nothing(
    portal: Any, others: Others, path: str, typed: dict[str, str], words: str
) -> None:  # fmt: skip
    refused = portal.administrator().post(path, {**TYPED, **typed}, page=path)
    assert refused.status_code == 422
    assert words in refused.text
    assert "Nothing was changed." in refused.text
    assert all(asked["method"] == "GET" for asked in others.asked)


def test_a_name_that_is_taken(portal: Any, others: Others) -> None:
    problem = {"code": "service_name_taken", "detail": "Another service has this name; choose another one."}
    others.tell("POST", "/services", 409, problem)
    refused = portal.administrator().post("/services/add", TYPED, page="/services/add")
    assert refused.status_code == 409
    assert 'id="name-wrong">Another service has this name' in refused.text
    assert 'value="Voice lesson"' in refused.text


def test_a_service_is_changed_and_no_longer_offered(portal: Any, others: Others) -> None:
    maria = portal.administrator()
    page = maria.get("/services/v1")
    assert "keep the price and the length they were added with" in page.text.replace("\n    ", " ")
    assert 'value="45.00"' in page.text
    changed = maria.post("/services/v1", {**TYPED, "active": "yes"}, page="/services/v1")
    assert changed.location == "/services?said=service_changed"
    assert others.last("/services/v1")["body"] == {
        "name": "Voice lesson", "price_minor": 5000, "duration_minutes": 60, "active": True,
    }  # fmt: skip
    maria.post("/services/v1", TYPED, page="/services/v1")
    assert others.last("/services/v1")["body"]["active"] is False


def test_the_catalogue_is_the_administrators(portal: Any) -> None:
    sam, ada = portal.staff(), portal.client()
    for path in ("/services", "/services.csv", "/services/add", "/services/v1"):
        assert sam.get(path).status_code == 404
        assert ada.get(path).status_code == 404
    assert sam.post("/services/v1", TYPED, page="/calendar").status_code == 404
