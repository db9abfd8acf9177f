"""What operators do for the portal: invite people."""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from common.errors import Conflict, Refused
from common.runtime import Runtime
from portal.models import User
from portal.peers import Remit
from portal.usecases import inviting, users


def invite(runtime: Runtime, arguments: Sequence[str]) -> int:
    """Print a link with which somebody sets a password; for somebody who has one already, a new one."""
    parser = argparse.ArgumentParser(prog="remit portal do invite", description=invite.__doc__)
    parser.add_argument("--business", required=True, help="the business's id")
    parser.add_argument("--email", required=True)
    parser.add_argument("--role", required=True, choices=users.ROLES)
    parser.add_argument("--client", help="the client's id, for the role client")
    parser.add_argument("--operator", action="store_true", help="they also see how the system does, of all businesses")
    parser.add_argument("--name", help="how the person is called; a client's name is billing's")
    wanted = parser.parse_args(arguments)
    try:
        remit = Remit(runtime, wanted.business)
        remit.billing.business()  # there is such a business
        name = wanted.name or wanted.email
        if wanted.client:
            client = remit.billing.client(wanted.client)
            name = client["name"]
            if not users.is_theirs(wanted.email, client):
                words = f"{name} is inactive, or has another address. Clients sign in with the one that they have."
                raise Conflict("not_their_address", words)
        found = inviting.ensure(runtime, remit, wanted.role, wanted.email, name, wanted.client)
        with runtime.database.write() as session:
            user = session.get_one(User, (found.business_id, found.user_id))
            user.is_operator = user.is_operator or wanted.operator
            link = users.link(session, runtime.signer, runtime.settings.portal, user)
    except Refused as refused:
        print(json.dumps({"error": refused.detail}))
        return 1
    print(link.url)
    return 0


COMMANDS: Mapping[str, Callable[[Any, Sequence[str]], int]] = {"invite": invite}
