"""Demo people who can sign in to the portal. Their passwords are made once, and kept beside the databases."""

import json
import secrets
from pathlib import Path
from typing import Any

from common import auth
from common.runtime import Runtime
from portal.usecases import users

STAFF = ("administrator", "Sam Harmony", "sam@example.com")


def demo_people(
    portal: Runtime, kept: Path, business_id: str, client: dict[str, Any] | None
) -> dict[str, dict[str, str]]:
    """{"staff": …, "client": …}, each with e-mail address and password; made if they are not there yet."""
    if kept.exists():
        found: dict[str, dict[str, str]] = json.loads(kept.read_text())
        return found
    role, name, email = STAFF
    people = {"staff": {"email": email, "password": secrets.token_urlsafe(12)}}
    if client is not None:
        people["client"] = {
            "email": client["email"], "password": secrets.token_urlsafe(12), "client_id": client["id"],
        }  # fmt: skip
    with portal.database.write() as session:
        staff = users.ensure(session, business_id, role, email, name, None)
        staff.is_operator = True  # who tries `make run` sees all of it
        users.set_password(session, staff, people["staff"]["password"])
        if client is not None:
            payer = users.ensure(session, business_id, "client", client["email"], client["name"], client["id"])
            users.set_password(session, payer, people["client"]["password"])
    auth.write_private(kept, json.dumps(people, indent=2) + "\n")
    return people
