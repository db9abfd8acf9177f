"""What operators do for the portal: invite people."""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from common.errors import Refused
from common.runtime import Runtime
from portal.client import Remit
from portal.usecases import users


def invite(runtime: Runtime, arguments: Sequence[str]) -> int:
    """Print a link with which somebody sets a password; for somebody who has one already, a new one."""
    parser = argparse.ArgumentParser(prog="remit portal do invite", description=invite.__doc__)
    parser.add_argument("--business", required=True, help="the business's id")
    parser.add_argument("--email", required=True)
    parser.add_argument("--role", required=True, choices=users.ROLES)
    parser.add_argument("--client", help="the client's id, for the role client")
    parser.add_argument("--name", help="how the person is called; a client's name is billing's")
    wanted = parser.parse_args(arguments)
    try:
        remit = Remit(runtime, wanted.business)
        remit.business()  # there is such a business
        name = wanted.name or wanted.email
        if wanted.client:
            name = remit.client(wanted.client)["name"]
        with runtime.database.write() as session:
            user = users.ensure(session, wanted.business, wanted.role, wanted.email, name, wanted.client)
            link = users.invite(session, runtime.signer, runtime.settings.portal, user)
    except Refused as refused:
        print(json.dumps({"error": refused.detail}))
        return 1
    print(link)
    return 0


COMMANDS: Mapping[str, Callable[[Any, Sequence[str]], int]] = {"invite": invite}
