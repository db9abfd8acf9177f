"""The same story on the embedded bus: one process, as `make run` starts it."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.embedded import Embedded
from tests.integration import gate, story


@pytest.fixture
def remit(tmp_path: Path) -> Iterator[Embedded]:
    running = Embedded(tmp_path)
    yield running
    running.stop()


def test_the_story(remit: Embedded) -> None:
    story.tell(remit)
    assert stat.S_IMODE((remit.var_dir / "endpoints.json").stat().st_mode) == 0o600


def test_the_gate_under_concurrency(remit: Embedded) -> None:
    gate.check_two_at_once(remit)
    for price_minor, balance_minor, expected in gate.CROWDS:
        gate.check_many_at_once(remit, price_minor, balance_minor, expected)


def test_a_second_run_on_the_same_folder_is_refused(remit: Embedded) -> None:
    second = remit.spawn()
    assert second.wait(60) == 1
    assert "another `make run` is using" in remit.said()


def test_nothing_is_lost_by_kill_9(remit: Embedded) -> None:
    story.add_example_clients(remit)
    made = story.upload_example(remit)
    for _ in range(3):
        remit.kill()
        remit.start()
    again = story.upload_example(remit, allow_duplicates=True)
    remit.kill()
    remit.start()
    story.check_example(remit, made, times=2)
    numbers = [payment["receipt_number"] for payment in story.pages(remit, "payments", "/payments")]
    assert sorted(numbers) == list(range(1, 401))
    assert again["count"] == 200
