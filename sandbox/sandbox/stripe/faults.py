"""Faults of the Stripe in a box, switched on by tests that want to see how a client copes."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sandbox.switch import Switch, check_count, check_duplicate, check_names, check_seconds, check_word

KINDS = ("charge_then_hang", "charge_then_500", "charge_then_409", "charge_then_429", "charge_then_reset", "rate_limit",
         "unavailable", "slow")  # fmt: skip
RESOURCES = ("any", "customers", "payment_methods", "payment_intents", "setup_intents", "refunds", "disputes",
             "webhook_endpoints")  # fmt: skip
LONGEST_SECONDS = 120
LONGEST_DELAY_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class StripeFaults:
    """What is to go wrong; the defaults mean nothing. Counts are numbers or "all".

    fail_next: so many POSTs to fail_at go wrong as fail_with tells; seconds: how long a hanging or slow one takes.
    duplicate: each webhook is sent so many times more. delay_seconds: webhooks wait so long. shuffle_seconds: each
    waits a random while of up to so long. drop_next: so many webhooks are never sent. wrong_secret_next: so many are
    signed with another secret (and come again, well signed, as the endpoint refused them).
    """

    fail_next: int | str = 0
    fail_with: str = "charge_then_500"
    fail_at: str = "any"
    seconds: float = 5
    duplicate: int = 0
    delay_seconds: float = 0
    shuffle_seconds: float = 0
    drop_next: int | str = 0
    wrong_secret_next: int | str = 0

    def as_dict(self) -> dict[str, object]:
        """The settings by name, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Failure:
    """How one POST goes wrong."""

    kind: str
    seconds: float


def stripe_faults(wanted: object) -> StripeFaults:
    """Check settings that came as JSON; what is not named is off. Raises InvalidFaultsError."""
    named = check_names("stripe", wanted, StripeFaults)
    for name in ("fail_next", "drop_next", "wrong_secret_next"):
        check_count(name, named.get(name, 0))
    check_duplicate(named.get("duplicate", 0))
    check_word("fail_with", named.get("fail_with", KINDS[0]), KINDS)
    check_word("fail_at", named.get("fail_at", "any"), RESOURCES)
    check_seconds("seconds", named.get("seconds", 0), LONGEST_SECONDS)
    for name in ("delay_seconds", "shuffle_seconds"):
        check_seconds(name, named.get(name, 0), LONGEST_DELAY_SECONDS)
    return StripeFaults(**named)


class StripeFaultSwitch(Switch[StripeFaults]):
    """The faults in force."""

    def __init__(self) -> None:
        super().__init__(StripeFaults())

    def take_failure(self, resource: str) -> Failure | None:
        """How this POST is to go wrong, used up once; None when it is to go well."""
        faults = self.faults
        if faults.fail_at not in ("any", resource) or not self.take("fail_next"):
            return None
        return Failure(faults.fail_with, faults.seconds)

    def take_drop(self) -> bool:
        """Whether this webhook is lost, used up once."""
        return self.take("drop_next")

    def take_wrong_secret(self) -> bool:
        """Whether this webhook is signed with another secret, used up once."""
        return self.take("wrong_secret_next")
