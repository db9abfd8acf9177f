"""Faults of the PayPal in a box, switched on by tests that want to see how a client copes."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sandbox.faults import InvalidFaultsError
from sandbox.switch import Switch, check_count, check_duplicate, check_names, check_seconds, check_word

KINDS = ("500", "503", "hang", "act_then_hang", "act_then_500", "act_then_reset")
# What "any" means: requests that change something. The others fail only when they are named.
CHANGING = ("orders", "capture", "refunds", "webhooks")
POINTS = ("any", *CHANGING, "token", "reads", "reporting", "verification")
VERIFIERS = ("", "away", "html", "redirect", "slow", "invalid")
LONGEST_SECONDS = 120
LONGEST_DELAY_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class PaypalFaults:
    """What is to go wrong; the defaults mean nothing. Counts are numbers or "all".

    fail_next: so many API requests to fail_at go wrong as fail_with tells. verifier: how the check of IPNs goes wrong.
    seconds: how long what hangs or is slow takes. duplicate: each IPN or webhook is sent so many times more.
    delay_seconds: they wait so long. shuffle_seconds: each waits a random while of up to so long. drop_next: so many
    are never sent. wrong_signature_next: so many webhooks are signed with another key.
    """

    fail_next: int | str = 0
    fail_with: str = "act_then_500"
    fail_at: str = "any"
    seconds: float = 5
    verifier: str = ""
    duplicate: int = 0
    delay_seconds: float = 0
    shuffle_seconds: float = 0
    drop_next: int | str = 0
    wrong_signature_next: int | str = 0

    def as_dict(self) -> dict[str, object]:
        """The settings by name, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Failure:
    """How one request goes wrong."""

    kind: str
    seconds: float


def paypal_faults(wanted: object) -> PaypalFaults:
    """Check settings that came as JSON; what is not named is off. Raises InvalidFaultsError."""
    named = dict(check_names("paypal", wanted, PaypalFaults))
    if type(named.get("fail_with")) is int:
        named["fail_with"] = str(named["fail_with"])
    for name in ("fail_next", "drop_next", "wrong_signature_next"):
        check_count(name, named.get(name, 0))
    check_duplicate(named.get("duplicate", 0))
    check_word("fail_with", named.get("fail_with", KINDS[0]), KINDS)
    check_word("fail_at", named.get("fail_at", "any"), POINTS)
    named["verifier"] = named.get("verifier") or ""
    if named["verifier"] not in VERIFIERS:
        raise InvalidFaultsError(f"verifier must be one of {', '.join(VERIFIERS[1:])}, or nothing")
    check_seconds("seconds", named.get("seconds", 0), LONGEST_SECONDS)
    for name in ("delay_seconds", "shuffle_seconds"):
        check_seconds(name, named.get(name, 0), LONGEST_DELAY_SECONDS)
    return PaypalFaults(**named)


class PaypalFaultSwitch(Switch[PaypalFaults]):
    """The faults in force."""

    def __init__(self) -> None:
        super().__init__(PaypalFaults())

    def take_failure(self, point: str) -> Failure | None:
        """How this API request is to go wrong, used up once; None when it is to go well."""
        faults = self.faults
        struck = faults.fail_at == point or (faults.fail_at == "any" and point in CHANGING)
        return Failure(faults.fail_with, faults.seconds) if struck and self.take("fail_next") else None
