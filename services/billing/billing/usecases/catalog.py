"""The catalogue: what a business sells by the session. Prices of sessions already added stay as they were."""

from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from billing.models import CatalogService
from common import clock
from common.errors import Conflict, NotFound
from common.ids import new_id


def find(session: Session, business_id: str, service_id: str) -> CatalogService:
    """The service, or NotFound."""
    service = session.get(CatalogService, (business_id, service_id))
    if service is None:
        raise NotFound("not_found", "There is no such service.")
    return service


def add(session: Session, business_id: str, facts: dict[str, Any]) -> CatalogService:
    """Add a service. Raises Conflict when its name is taken."""
    service = CatalogService(business_id=business_id, service_id=new_id(), created_at=clock.now(), **facts)
    session.add(service)
    _flush(session)
    return service


def change(session: Session, business_id: str, service_id: str, changes: dict[str, Any]) -> CatalogService:
    """Change the fields that are named. Raises NotFound, Conflict."""
    service = find(session, business_id, service_id)
    for field, value in changes.items():
        setattr(service, field, value)
    _flush(session)
    return service


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("service_name_taken", "Another service has this name; choose another one.") from error
