"""A saved card whose bank wants the client: one mail with one link, which pays the same amount on the page."""

from typing import Any

from sqlalchemy.orm import Session

from common import jobs
from common.errors import Unavailable
from common.jobs import Call, GiveUp, TryLater
from common.runtime import Runtime

JOB = "ask_client"


def ask(session: Session, business_id: str, operation_id: str, client_id: str, owed_minor: int, pay_url: str) -> None:
    """Have the client asked, once for an operation."""
    wanted = {"client_id": client_id, "owed_minor": owed_minor, "pay_url": pay_url}
    jobs.add_if_new(session, (JOB, operation_id, business_id, wanted))


def hand_over(runtime: Runtime, call: Call) -> None:
    """The job's call: notifications is given the mail, once. The link does not travel in events."""
    try:
        answer = runtime.ask(
            "notifications", "POST", f"/v1/businesses/{call.business_id}/emails", scope="notifications:write",
            business_id=call.business_id, headers={"Idempotency-Key": f"confirm-{call.key}"},
            json={"kind": "card_needs_client", **call.payload},
        )  # fmt: skip
    except Unavailable as error:
        raise TryLater(error.detail) from error
    if not answer.ok:
        raise GiveUp(f"notifications answered {answer.status_code}")


def done(_session: Session, _call: Call, _answer: Any) -> None:
    """The mail is notifications' now."""


def failed(_session: Session, _call: Call, _reason: str) -> None:
    """Nothing was charged: staff see the answer of their click, and the job with its reason."""
