"""One broker user per service with the least that it needs, as often as you like; `remit topology` comes after.

A service may configure nothing, write to the exchange only under its own name, and read its own queue only.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import requests

from common import topology

USERS_FILE = Path("/secrets/users.json")
API = "http://rabbitmq:15672/api"
TIMEOUT_SECONDS = 10
NOTHING = "^$"


def main() -> None:
    users: dict[str, str] = json.loads(USERS_FILE.read_text())
    admin, vhost = os.environ["RABBITMQ_DEFAULT_USER"], os.environ["RABBITMQ_DEFAULT_VHOST"]
    with requests.Session() as http:
        http.auth = (admin, os.environ["RABBITMQ_DEFAULT_PASS"])
        if send(http, "GET", f"vhosts/{vhost}").status_code == 404:
            send(http, "PUT", f"vhosts/{vhost}", {"default_queue_type": "quorum"})
        send(http, "PUT", f"permissions/{vhost}/{admin}", {"configure": ".*", "write": ".*", "read": ".*"})
        for name, password in users.items():
            send(http, "PUT", f"users/{name}", {"password": password, "tags": ""})
            send(http, "PUT", f"permissions/{vhost}/{name}", permissions(name))
            send(http, "PUT", f"topic-permissions/{vhost}/{name}", topic_permissions(name))
        send(http, "DELETE", "users/guest")
    print(f"remit: broker users are in place for {', '.join(users)}")  # noqa: T201


def permissions(service: str) -> dict[str, str]:
    return {
        "configure": NOTHING,
        "write": f"^{re.escape(topology.EXCHANGE)}$",
        "read": f"^{re.escape(topology.queue_of(service))}$",
    }


def topic_permissions(service: str) -> dict[str, str]:
    """Nobody can speak in another's name: a routing key begins with its producer."""
    return {"exchange": topology.EXCHANGE, "write": f"^{re.escape(service)}\\.", "read": NOTHING}


def send(http: requests.Session, method: str, path: str, body: dict[str, Any] | None = None) -> requests.Response:
    """Ask the management API; what is not there is an answer, everything else that fails is raised."""
    answer = http.request(method, f"{API}/{path}", json=body, timeout=TIMEOUT_SECONDS)
    if answer.status_code != 404:
        answer.raise_for_status()
    return answer


if __name__ == "__main__":
    main()
