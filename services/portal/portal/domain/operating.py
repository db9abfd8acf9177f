"""How Remit itself does, in words for whoever operates it."""

from typing import Any

GATEWAYS = {"stripe": "Stripe", "paypal": "PayPal"}
EVENT_STATES = {
    "parked": "Parked: tried again by itself",
    "dead": "Dead: waits for you",
    "discarded": "Discarded: given up",
}
JOB_STATES = {"due": "Waiting", "claimed": "Under way", "failed": "Failed"}
DRIFT = {
    "amount": "The amount was told here otherwise",
    "fee": "The fee was told here otherwise",
    "asked_amount": "The amount was changed at the gateway after it was begun here",
    "missing_there": "Known here, and not found at the gateway",
    "of_another_business": "At the gateway, but made for another business",
}
ID_FIELDS = ("payment_intent_id", "gateway_payment_id")


def tone_of(state: dict[str, Any]) -> tuple[str, str]:
    """(tag tone, word) for a service that answered."""
    if not state["ready"]:
        return "late", "not ready"
    troubles = state["inbox"]["dead"] + state["jobs"]["failed"] + state["jobs"]["in_doubt"]
    return ("late", "needs you") if troubles else ("good", "well")


def checks_in_words(checks: dict[str, str]) -> list[str]:
    """What a service lacks, a sentence each."""
    names = {"database": "its database", "bus": "the message broker"}
    return [f"Does not reach {names.get(name, name)}: {found}." for name, found in checks.items() if found != "ok"]


def drift_in_words(report: dict[str, Any], gateway: str) -> str:
    """What a reconciliation came to, in two sentences."""
    compared, healed, differing = report["compared"], len(report["healed"]), len(report["drift"])
    name = GATEWAYS[gateway]
    if not compared and not differing:
        return f"{name} has no payments since then, and neither does Remit."
    looked = f"{_count(compared, 'payment')} at {name} {'was' if compared == 1 else 'were'} compared."
    mended = f"{_count(healed, 'payment')} had been missed and {'is' if healed == 1 else 'are'} recorded now."
    differ = f"{_count(differing, 'difference')} {'is' if differing == 1 else 'are'} left for people to look at."
    if not healed and not differing:
        return f"{looked} Everything agrees; nothing had to be mended."
    return " ".join(
        [looked, mended if healed else "None had been missed.", differ if differing else "The rest agrees."]
    )


def drift_lines(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The differences: {payment, words, here, there}."""
    return [
        {
            "payment": next((line[field] for field in ID_FIELDS if field in line), ""),
            "words": DRIFT.get(line["kind"], line["kind"].replace("_", " ").capitalize()),
            "here": line.get("here"),
            "there": line.get("there"),
        }
        for line in report["drift"]
    ]


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
