"""The services with an API, and whom requests to them are for."""

from common import service as services
from common.events.billing import BusinessRegistered, ClientRegistered
from common.testing import ServiceUnderTest

APIS = [name for name in services.names() if services.find(name).make_app is None]


def acquaint(subject: ServiceUnderTest) -> dict[str, str]:
    """A business and a client that are there, so that requests get past who they are for."""
    if subject.runtime.service.name != "billing":
        subject.take(
            BusinessRegistered(business_id="b1", name="Studio", currency="USD", time_zone="Europe/Berlin"),
            ClientRegistered(business_id="b1", client_id="c1", name="Ada", email="ada@example.com"),
        )
        return {"business_id": "b1", "client_id": "c1"}
    body = {"name": "Studio", "currency": "USD", "time_zone": "Europe/Berlin"}
    business = subject.call("POST", "/v1/businesses", body).json["id"]
    client = subject.call("POST", f"/v1/businesses/{business}/clients", {"name": "Ada"}).json["id"]
    return {"business_id": business, "client_id": client}
