"""The catalogue as a list: found by name, in any order, as CSV."""

import csv
import io

import pytest

from services.billing.tests.studio import Studio


@pytest.fixture
def shop(open_studio: Studio) -> Studio:
    """Beside Piano (30.00, 45 minutes), two more; one is not offered any more."""
    for name, price_minor, minutes, active in (("Voice", 5000, 60, True), ("Drums, 50%", 2000, 60, False)):
        body = {"name": name, "price_minor": price_minor, "duration_minutes": minutes, "active": active}
        assert open_studio.call("POST", "/services", body).status_code == 201
    return open_studio


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("name", ["Drums, 50%", "Piano", "Voice"]), ("-name", ["Voice", "Piano", "Drums, 50%"]),
        ("price", ["Drums, 50%", "Piano", "Voice"]), ("-price", ["Voice", "Piano", "Drums, 50%"]),
        ("minutes", ["Piano", "Voice", "Drums, 50%"]), ("-minutes", ["Drums, 50%", "Voice", "Piano"]),
    ],
)  # fmt: skip
def test_services_in_an_order_page_by_page(shop: Studio, sort: str, expected: list[str]) -> None:
    found, cursor = [], ""
    while True:
        page = shop.call("GET", f"/services?limit=1&sort={sort}{cursor}").json
        found += [item["name"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    if sort.endswith("minutes"):  # two have the same: their ids decide, and nobody is left out
        assert sorted(found) == sorted(expected)
        assert (found[0] == "Piano") == (sort == "minutes")
        return
    assert found == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [("q=voi", ["Voice"]), ("q=%25", ["Drums, 50%"]), ("active=true", ["Piano", "Voice"]), ("q=o&active=false", [])],
)
def test_services_by_name_and_whether_they_are_offered(shop: Studio, query: str, expected: list[str]) -> None:
    assert [item["name"] for item in shop.call("GET", f"/services?{query}").json["items"]] == expected


def test_services_as_csv(shop: Studio) -> None:
    answer = shop.call("GET", "/services?sort=-price&active=true", headers={"Accept": "text/csv"})
    assert answer.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["name"], row["price"], row["duration_minutes"]) for row in rows] == [
        ("Voice", "50.00", "60"), ("Piano", "30.00", "45")
    ]  # fmt: skip
