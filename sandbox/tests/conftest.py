"""A running sandbox with real sockets on free ports."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The tests share a module, and pytest's importlib mode does not put their folder on the path. Started from
# the folder above, that mode also takes the folder "sandbox" around the package for the package itself.
TESTS = Path(__file__).parent
sys.path[:0] = [str(TESTS.parent), str(TESTS)]
if "sandbox" in sys.modules and getattr(sys.modules["sandbox"], "__file__", None) is None:
    del sys.modules["sandbox"]

from paypal_driver import Listener, Merchant  # noqa: E402
from sandbox_driver import Box  # noqa: E402
from stripe_driver import Receiver, Shop  # noqa: E402

import sandbox  # noqa: E402
from common.testing import free_port_base  # noqa: E402


@pytest.fixture
def port_base() -> int:
    return free_port_base()


@pytest.fixture
def box(tmp_path: Path, port_base: int) -> Iterator[Box]:
    running = sandbox.start("127.0.0.1", port_base, tmp_path / "data")
    yield Box(running)
    running.stop()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One sandbox for a module; each test that counts things uses an account of its own or looks at its own ids."""
    running = sandbox.start("127.0.0.1", free_port_base(), tmp_path_factory.mktemp("stripe"))
    yield Shop(running)
    running.stop()


@pytest.fixture
def fresh(tmp_path: Path, port_base: int) -> Iterator[Shop]:
    """A sandbox of the test's own, with whose clock and faults it may do what it likes."""
    running = sandbox.start("127.0.0.1", port_base, tmp_path / "data")
    yield Shop(running)
    running.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def merchant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Merchant]:
    """One PayPal for a module; each test has an account of its own or looks at its own ids."""
    running = sandbox.start("127.0.0.1", free_port_base(), tmp_path_factory.mktemp("paypal"))
    yield Merchant(running.web_url)
    running.stop()


@pytest.fixture
def alone(tmp_path: Path, port_base: int) -> Iterator[Merchant]:
    """A PayPal of the test's own, with whose clock and faults it may do what it likes."""
    running = sandbox.start("127.0.0.1", port_base, tmp_path / "data")
    yield Merchant(running.web_url)
    running.stop()


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()
    yield found
    found.stop()
