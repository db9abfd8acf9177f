"""What tests of several services share: which events are for whom, and books that prove."""

from billing.reports import books
from common import topology
from common.events import Event
from common.testing import ServiceUnderTest


def meant_for(service: str, teller: ServiceUnderTest, business_id: str) -> list[Event]:
    """What a service has told of a business and another is subscribed to, oldest first."""
    return [
        event
        for event in teller.emitted()
        if isinstance(event, topology.SUBSCRIPTIONS[service]) and event.business_id == business_id
    ]


def assert_books_prove(billing: ServiceUnderTest, business_id: str) -> None:
    with billing.runtime.database.snapshot() as session:
        found = {name: list(check(session, business_id)) for name, check in books.CHECKS.items()}
    assert {name: sentences for name, sentences in found.items() if sentences} == {}
