"""Inactive dates across time zones, with two billing workers of which one is killed at that minute."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from common.testing import eventually
from tests.harness.servers import Servers
from tests.harness.system import Business, System

pytestmark = pytest.mark.broker


@pytest.fixture
def moved(servers: Servers) -> Iterator[System]:
    """A system of its own: its clock is moved."""
    with System(servers, workers={"billing": 2}) as running:
        yield running


def move_to(system: System, moment: datetime) -> None:
    (system.folder / "clock").write_text(str((moment - datetime.now(UTC)).total_seconds()))


def status(business: Business, client_id: str) -> str:
    return str(business.call("GET", "billing", f"/clients/{client_id}").json()["status"])


def test_each_client_is_inactive_from_its_own_midnight_and_announced_once(moved: System) -> None:
    api = moved.api()
    zones = ("Pacific/Auckland", "Pacific/Honolulu")
    # Noon in UTC of a day is a day on in Auckland: a date that is tomorrow for both.
    now = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(days=1)
    move_to(moved, now)
    made = []
    for zone in zones:
        business = api.business(zone, time_zone=zone)
        day = now.astimezone(ZoneInfo(zone)).date() + timedelta(days=1)
        client_id = business.client("Leaving", inactive_on=day.isoformat())["id"]
        midnight = datetime.combine(day, datetime.min.time(), ZoneInfo(zone)).astimezone(UTC)
        made.append((business, client_id, midnight))

    def announced() -> list[str]:
        rows = moved.sql("billing", "SELECT body FROM outbox WHERE type = 'ClientDeactivated' ORDER BY seq")
        return [json.loads(body)["subject"] for (body,) in rows]

    for business, client_id, midnight in sorted(made, key=lambda found: found[2]):
        before = len(announced())
        move_to(moved, midnight - timedelta(seconds=20))
        eventually(lambda b=business, c=client_id: status(b, c) == "active", "the day before")
        move_to(moved, midnight + timedelta(seconds=1))
        moved.kill("billing-worker")  # at that minute
        eventually(lambda b=business, c=client_id: status(b, c) == "inactive", "its midnight")
        for path in ("/clients", "/balances"):
            shown = business.call("GET", "billing", path, params={"status": "inactive"}).json()["items"]
            assert len(shown) == 1
        moved.start("billing-worker")
        eventually(lambda n=before: len(announced()) == n + 1, "the announcement", 60)
        assert announced()[-1] == client_id
    move_to(moved, max(found[2] for found in made) + timedelta(days=2))
    for name in ("billing-worker", "billing-worker-2"):
        moved.kill(name)
        moved.start(name)
    eventually(moved.is_quiet, "nothing under way")
    began = "SELECT began_at FROM timers WHERE name = 'announce_deactivated'"
    last = moved.sql("billing", began)
    eventually(lambda: moved.sql("billing", began) != last, "another look for who is to be announced", 60)
    assert sorted(announced()) == sorted(client_id for _, client_id, _ in made)
