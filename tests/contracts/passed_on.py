"""What tests of several services share: which events are for whom, passing them on in any order, books that prove."""

from hypothesis import strategies as st

from billing.reports import books
from common import topology
from common.events import Event
from common.jobs import JobLoop
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


class Chain:
    """Services that hear of each other only what a test passes on."""

    def __init__(self, services: dict[str, ServiceUnderTest]) -> None:
        self.services = services

    def close(self) -> None:
        for subject in self.services.values():
            subject.close()

    def pass_on(self, teller: str, hearer: str, business_id: str, data: st.DataObject) -> None:
        """What one told the other, in any order, the batch cut anywhere, some of it twice."""
        told = meant_for(hearer, self.services[teller], business_id)
        again = data.draw(st.lists(st.sampled_from(told), max_size=2)) if told else []
        order = data.draw(st.permutations(told + again))
        cut = data.draw(st.integers(0, len(order)))
        self.services[hearer].take(*order[:cut])
        self.services[hearer].take(*order[cut:])

    def work(self, name: str) -> None:
        """What a service's worker does with its jobs."""
        runtime = self.services[name].runtime
        while JobLoop(name, runtime.database, runtime.service.jobs, runtime).run_due():
            pass
