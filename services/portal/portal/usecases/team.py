"""The team: who is in it, what they may, and who is let in no longer."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, or_, select, tuple_
from sqlalchemy.orm import Session

from common import clock, logs
from common.errors import Conflict, Invalid, NotFound
from common.web.paging import decode_cursor, page
from portal.models import User
from portal.usecases import sessions
from portal.usecases.users import Person, fold

log = logs.get("team")

PAGE = 50
TEAM_ROLES = ("administrator", "staff")
WHO = ("team", *TEAM_ROLES, "client")
STATUSES = ("active", "invited", "disabled")
SORTS = {"name": User.name, "email": User.email_folded}

Status = Literal["active", "invited", "disabled"]
Row = dict[str, Any]


@dataclass(frozen=True)
class Filters:
    """Which users of a business. `who` is one of WHO: team stands for everybody who is not a client."""

    business_id: str
    who: str = "team"
    status: str = ""
    q: str = ""
    sort: str = "name"


def listed(session: Session, filters: Filters, cursor: str | None) -> dict[str, Any]:
    """One page: {"items": […], "next_cursor"}. Raises Invalid."""
    rows = list(session.scalars(_select(filters, decode_cursor(cursor or None, str, str)).limit(PAGE + 1)))
    column = _column(filters)
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    next_key = [getattr(last, column.key), last.user_id] if last is not None else None
    return page([as_row(user) for user in rows], PAGE, next_key)


def every(session: Session, filters: Filters) -> Iterator[Row]:
    """All of them, for a file."""
    for user in session.scalars(_select(filters, None).execution_options(yield_per=500)):
        yield as_row(user)


def status_of(user: User) -> Status:
    """active: can sign in; invited: has no password yet; disabled: is not let in."""
    if user.disabled_at is not None:
        return "disabled"
    return "active" if user.password_hash is not None else "invited"


def as_row(user: User) -> Row:
    return {
        "id": user.user_id, "name": user.name, "email": user.email, "role": user.role, "status": status_of(user),
        "client_id": user.client_id, "is_operator": user.is_operator,
        "seen_at": user.seen_at.isoformat() if user.seen_at else None,
    }  # fmt: skip


def find(session: Session, business_id: str, user_id: str) -> User:
    """The user, or NotFound."""
    user = session.get(User, (business_id, user_id))
    if user is None:
        raise NotFound("not_found", "There is no such person here.")
    return user


def change_role(session: Session, by: Person, user_id: str, role: str) -> None:
    """Raises Conflict, Invalid, NotFound. It holds from the person's next page on."""
    user = _other(session, by, user_id)
    if user.role not in TEAM_ROLES or role not in TEAM_ROLES:
        raise Invalid("role_wrong", "Team members are administrators or staff. Clients stay clients.")
    if role != "administrator":
        _keep_one_administrator(session, user)
    user.role = role
    log.info("role changed", business_id=by.business_id, by=by.user_id, user_id=user_id, role=role)


def disable(session: Session, by: Person, user_id: str) -> None:
    """Let somebody in no longer, and sign them out wherever they are. Raises Conflict, NotFound."""
    user = _other(session, by, user_id)
    _keep_one_administrator(session, user)
    user.disabled_at = clock.now()
    sessions.end_all(session, user)
    log.info("user disabled", business_id=by.business_id, by=by.user_id, user_id=user_id)


def enable(session: Session, by: Person, user_id: str) -> None:
    """Let somebody in again, with the password that they had. Raises Conflict, NotFound."""
    _other(session, by, user_id).disabled_at = None
    log.info("user enabled", business_id=by.business_id, by=by.user_id, user_id=user_id)


def _other(session: Session, by: Person, user_id: str) -> User:
    """The user to change, who is not the one who changes. All that is changed here of one business waits for the rows
    of its administrators, so that two of them cannot take each other's role at once."""
    administrators = _administrators(session, by.business_id)
    if by.user_id not in [user.user_id for user in administrators]:
        raise NotFound("not_found", "There is no such page.")
    if by.user_id == user_id:
        raise Conflict("own_role", "Nobody changes their own role or locks themselves out. Ask another administrator.")
    return find(session, by.business_id, user_id)


def _keep_one_administrator(session: Session, leaving: User) -> None:
    others = [user for user in _administrators(session, leaving.business_id) if user.user_id != leaving.user_id]
    if leaving.role == "administrator" and not others:
        raise Conflict("last_administrator", f"{leaving.name} is the last administrator. Make somebody else one first.")


def _administrators(session: Session, business_id: str) -> list[User]:
    """Those who can sign in, locked."""
    found = select(User).where(
        User.business_id == business_id, User.role == "administrator", User.disabled_at.is_(None),
        User.password_hash.is_not(None),
    )  # fmt: skip
    return list(session.scalars(found.order_by(User.user_id).with_for_update()))


def _column(filters: Filters) -> Any:
    return SORTS.get(filters.sort.removeprefix("-"), User.name)


def _select(filters: Filters, after: tuple[Any, ...] | None) -> Any:
    found = select(User).where(User.business_id == filters.business_id, *_conditions(filters))
    key = tuple_(_column(filters), User.user_id)
    if filters.sort.startswith("-"):
        found = found.where(key < after) if after is not None else found
        return found.order_by(_column(filters).desc(), User.user_id.desc())
    found = found.where(key > after) if after is not None else found
    return found.order_by(_column(filters), User.user_id)


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    roles = TEAM_ROLES if filters.who == "team" else (filters.who,)
    found: list[ColumnElement[bool]] = [User.role.in_(roles)]
    if filters.q:
        by_address = User.email_folded.contains(fold(filters.q), autoescape=True)
        found.append(or_(User.name.icontains(filters.q, autoescape=True), by_address))
    is_in, has_password = User.disabled_at.is_(None), User.password_hash.is_not(None)
    if filters.status == "disabled":
        found.append(User.disabled_at.is_not(None))
    elif filters.status == "active":
        found.append(and_(is_in, has_password))
    elif filters.status == "invited":
        found.append(and_(is_in, User.password_hash.is_(None)))
    return found
