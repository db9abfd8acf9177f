"""Every event has a golden sample: what is written is what is read, and every subscriber accepts it."""

from pathlib import Path

import orjson
import pytest

from common import events, topology
from common.events import REGISTRY, Event, decode
from common.events.billing import BusinessRegistered, ClientRegistered
from common.testing import SAMPLES, ServiceUnderTest, sample, sample_file

events.load_all()
ALL = sorted(REGISTRY.values(), key=lambda event_type: event_type.__name__)
TAKEN = [(service, event_type) for service, types in topology.SUBSCRIPTIONS.items() for event_type in types]


def test_no_sample_is_left_over() -> None:
    assert {path.name for path in SAMPLES.glob("*.json")} == {sample_file(event_type).name for event_type in ALL}


@pytest.mark.parametrize("event_type", ALL, ids=lambda event_type: event_type.__name__)
def test_a_sample_reads_and_writes_as_it_stands(event_type: type[Event]) -> None:
    golden = sample(event_type)
    event = decode(orjson.dumps(golden))
    assert type(event) is event_type
    assert orjson.loads(event.to_wire(event.producer)) == golden


@pytest.mark.parametrize("event_type", ALL, ids=lambda event_type: event_type.__name__)
def test_every_field_of_a_sample_is_needed_or_has_a_default(event_type: type[Event]) -> None:
    golden = sample(event_type)
    for name in golden["data"]:
        field = event_type.model_fields[name]
        without = {**golden, "data": {key: value for key, value in golden["data"].items() if key != name}}
        if field.is_required():
            with pytest.raises(events.UndecodableEvent, match=name):
                decode(orjson.dumps(without))
        else:
            decode(orjson.dumps(without))


@pytest.mark.parametrize(("service", "event_type"), TAKEN, ids=lambda value: getattr(value, "__name__", value))
def test_every_subscriber_accepts_the_sample(service: str, event_type: type[Event], tmp_path: Path) -> None:
    subject = ServiceUnderTest(service, tmp_path)
    golden = decode(orjson.dumps(sample(event_type)))
    _prepare(subject, golden)
    subject.take(golden)
    subject.take(golden)  # and once more does nothing
    subject.close()


def _prepare(subject: ServiceUnderTest, golden: Event) -> None:
    """The business and the client that the sample speaks of."""
    business = decode(orjson.dumps(sample(BusinessRegistered)))
    client = decode(orjson.dumps(sample(ClientRegistered)))
    if subject.runtime.service.name != "billing":
        subject.take(
            *(event.model_copy(update={"event_id": f"prepare-{n}"}) for n, event in enumerate((business, client)))
        )
        return
    from billing.models import Business, Client, ClientAccount
    from common import clock

    assert isinstance(client, ClientRegistered)
    ids = {"business_id": golden.business_id, "client_id": client.client_id}
    with subject.runtime.database.write() as session:
        session.add(
            Business(
                business_id=golden.business_id, sequence=1, name="Studio", currency="USD", time_zone="Europe/Berlin",
                prepayment_required=False, threshold_minor=0, reserve_scheduled=True, apply_credit_automatically=False,
                invoice_due_days=14, created_at=clock.now(),
            )
        )  # fmt: skip
        session.flush()
        session.add(
            Client(**ids, sequence=1, name=client.name, status="active", is_deactivated=False, created_at=clock.now())
        )
        session.flush()
        session.add(ClientAccount(**ids, balance_minor=0, scheduled_minor=0, refunding_minor=0, sequence=0))
