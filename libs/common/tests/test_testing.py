"""What the tests themselves stand on."""

import socket

import pytest

from common.settings import PORT_OFFSETS, SMTP_OFFSET
from common.testing import free_port, free_port_base


def test_ports_that_are_asked_for_before_any_is_opened_do_not_meet() -> None:
    seen: set[int] = set()
    for _ in range(40):
        port, base = free_port(), free_port_base()
        asked = {port, *(base + offset for offset in (*PORT_OFFSETS.values(), SMTP_OFFSET))}
        assert len(asked) == len(PORT_OFFSETS) + 2
        assert not asked & seen
        seen |= asked


@pytest.mark.parametrize("offset", [*PORT_OFFSETS.values(), SMTP_OFFSET])
def test_a_base_with_a_taken_port_is_passed_over(offset: int, monkeypatch: pytest.MonkeyPatch) -> None:
    free, taken = free_port_base(), free_port_base()
    monkeypatch.setattr("common.testing._in_turn", iter([taken, free]))
    with socket.create_server(("127.0.0.1", taken + offset)):
        assert free_port_base() == free
