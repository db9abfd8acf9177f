"""`make run`: start everything, say where it is and what to try, run until told to stop."""

import fcntl
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Literal

from common import auth, clock, logs
from common.settings import Settings, SettingsError
from embedded.demo import ZONE, demo_client, first_business, take_cards, take_paypal
from embedded.people import demo_people
from embedded.stack import Stack

TOKEN_SECONDS = 30 * 86_400


class EmbeddedSettings(Settings):
    """What `make run` reads besides the common settings."""

    demo: Literal["on", "off"] = "on"


def main() -> int:
    try:
        settings = EmbeddedSettings.read()
    except SettingsError as error:
        print(f"remit: the environment is not right:\n{error}", file=sys.stderr)
        return 2
    logs.configure("embedded", os.environ.get("LOG_LEVEL", "WARNING"))
    var_dir = settings.var_dir.absolute()
    var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # everybody's payments are in it
    lock = (var_dir / ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"remit: another `make run` is using {var_dir}; stop it first, or set VAR_DIR", file=sys.stderr)
        return 1
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    stack = Stack(os.environ)
    try:
        print("remit: starting all services and the sandbox …", flush=True)
        stack.start()
    except OSError as error:
        print(f"remit: cannot start: {error}. Set PORT_BASE to use other ports.", file=sys.stderr)
        return 1
    return _serve(stack, settings, stop)


def _serve(stack: Stack, settings: EmbeddedSettings, stop: threading.Event) -> int:
    endpoints = stack.endpoints()
    token = stack.operator_token(TOKEN_SECONDS)
    business = first_business(
        endpoints, token, stack.var_dir / ".seeded",
        with_demo=settings.demo == "on", today=clock.today(ZONE),
    )  # fmt: skip
    written: dict[str, Any] = {**endpoints, "business_id": business["id"], "token": token}
    if settings.demo == "on":
        if stack.has_test_stripe:
            take_cards(endpoints, token, business["id"])
        if stack.has_test_paypal:
            take_paypal(endpoints, token, business["id"])
        client = demo_client(endpoints, token, business["id"])
        kept = stack.var_dir / ".demo-people.json"
        written |= demo_people(stack.runtime("portal"), kept, business["id"], client)
    auth.write_private(stack.var_dir / "endpoints.json", json.dumps(written, indent=2) + "\n")
    _greet(stack.var_dir, written, business)
    while not stop.wait(1.0):
        if stack.failed is not None:
            print(f"remit: stopped by an error: {stack.failed}", file=sys.stderr)
            stack.stop()
            return 1
    print("remit: stopping …", flush=True)
    stack.stop()
    return 0


def _greet(var_dir: Path, endpoints: dict[str, Any], business: dict[str, Any]) -> None:
    lines = [f"  {name:<14} {url}" for name, url in endpoints.items() if str(url).startswith("http")]
    api = f"/v1/businesses/{business['id']}"
    read = f'python3 -c \'import json; print(json.load(open("{var_dir}/endpoints.json"))["token"])\''
    print(
        f"""
Remit is running with the business “{business["name"]}”.

{chr(10).join(lines)}{_people(endpoints)}
  API pages      {endpoints["payments"]}/openapi/swagger  (each service has its own)
  all of this    {var_dir}/endpoints.json

An operator's token, good for 30 days (`make token` prints more):
{endpoints["token"]}

Try next, in another terminal:
  1. TOKEN=$({read})
     Record 200 payments from a file:
     curl -s -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
       -H 'Idempotency-Key: example-clients' --data @examples/clients.json \\
       {endpoints["billing"]}{api}/clients/batch | head -c 300; echo
     curl -s -H "Authorization: Bearer $TOKEN" -H 'Content-Type: text/csv' \\
       -H 'Idempotency-Key: example-payments' --data-binary @examples/payments.csv \\
       {endpoints["payments"]}{api}/payments/batch | head -c 300; echo
  2. See who has money left and who owes, and what each service brought in:
     curl -s -H "Authorization: Bearer $TOKEN" '{endpoints["billing"]}{api}/balances?sort=-balance&limit=5'
     curl -s -H "Authorization: Bearer $TOKEN" '{endpoints["billing"]}{api}/service-reports?limit=5'
  3. Read the receipts that were mailed:
     {endpoints.get("sandbox", "(the sandbox is off)")}/mail
  4. Sign in at {endpoints["portal"]} and pay with the card 4242 4242 4242 4242, 12/34, 123.

Press Ctrl-C to stop; everything stays in {var_dir}.
""",
        flush=True,
    )


def _people(endpoints: dict[str, Any]) -> str:
    """Who can sign in to the portal."""
    said = ""
    for who in ("staff", "client"):
        if who in endpoints:
            said += f"\n  sign in as     {endpoints[who]['email']}  {endpoints[who]['password']}  ({who})"
    return said


if __name__ == "__main__":
    sys.exit(main())
