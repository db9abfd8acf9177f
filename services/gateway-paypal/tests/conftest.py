"""gateway-paypal, its callbacks reachable, before a PayPal in a box."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The folder above has a dash in its name, so the tests' shared module cannot be imported through it.
sys.path.insert(0, str(Path(__file__).parent))

from paypal_shop import Shop  # noqa: E402

import sandbox  # noqa: E402
from common.events.billing import BusinessRegistered, ClientRegistered  # noqa: E402
from common.testing import ServiceUnderTest, free_port, free_port_base  # noqa: E402
from common.web.threads import ThreadedServer  # noqa: E402


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    port = free_port()
    box = sandbox.start("127.0.0.1", free_port_base(), tmp_path / "box")
    gateway = ServiceUnderTest(
        "gateway-paypal", tmp_path, PAYPAL_API_BASE=f"{box.web_url}/paypal",
        PAYPAL_CHECKOUT_URL=f"{box.web_url}/paypal/cgi-bin/webscr",
        PAYPAL_IPN_VERIFY_URL=f"{box.web_url}/paypal/cgi-bin/webscr",
        CALLBACK_BASE_URL=f"http://127.0.0.1:{port}", PAYPAL_TIMEOUT_SECONDS="2",
    )  # fmt: skip
    gateway.take(
        BusinessRegistered(business_id="b1", name="Studio", currency="USD", time_zone="Europe/Berlin"),
        ClientRegistered(business_id="b1", client_id="c1", name="Ada", email="ada@example.com"),
        ClientRegistered(business_id="b1", client_id="gone", name="Gone", status="inactive"),
    )
    callbacks = ThreadedServer(gateway.app, "127.0.0.1", port, name="callbacks", threads=8)
    callbacks.start()
    made = Shop(gateway, box.web_url)
    yield made
    made.close()
    callbacks.stop()
    box.stop()
    gateway.close()
