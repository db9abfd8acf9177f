"""What a mail says, pure: subject, text and HTML from a few facts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from common.money import describe_balance, format_money
from notifications.domain import phrases
from notifications.domain.kinds import KINDS
from notifications.domain.own_words import NONE, OwnWords

METHOD_WORDS = {
    "cash": "cash",
    "check": "check",
    "bank_transfer": "bank transfer",
    "card_terminal": "card terminal",
    "other": "other",
    "card": "card",
    "paypal": "PayPal",
}
GATEWAY_WORDS = {"stripe": "Stripe", "paypal": "PayPal"}

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parents[1] / "templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,  # so that what is included ends its last line
)
_TEMPLATES.filters.update(day=phrases.day, moment=phrases.moment, due=phrases.due, counted=phrases.counted)


@dataclass(frozen=True)
class Words:
    """A mail's content. `subject` is one line."""

    subject: str
    text: str
    html: str


def subject_of(kind: str, facts: dict[str, Any], business_name: str) -> str:
    """The subject line of a mail, without line breaks."""
    return " ".join(KINDS[kind].subject(facts, business_name).split())


def compose(
    kind: str, facts: dict[str, Any], business_name: str, client_name: str, own: OwnWords = NONE
) -> Words:  # fmt: skip
    """Subject, text and HTML of a mail of `kind` (one of KINDS). `own` are the business's words in it."""
    subject = subject_of(kind, facts, business_name)
    said = own.filled(client_name, business_name)
    values = {
        "business_name": business_name,
        "client_name": client_name,
        "subject": subject,
        "facts": facts,
        "intro": said.intro,
        "closing": said.closing,
        "opening": _sentence if said.intro else _going_on,
        **_amounts(facts),
    }
    return Words(
        subject,
        _TEMPLATES.get_template(f"{kind}.txt").render(values),
        _TEMPLATES.get_template(f"{kind}.html").render(values),
    )


def _going_on(word: str) -> str:
    """The first word after "Dear Ada,", which goes on with the sentence …"""
    return word


def _sentence(word: str) -> str:
    """… and after the business's own words, which have ended it."""
    return word.capitalize()


def _amounts(facts: dict[str, Any]) -> dict[str, str]:
    currency = facts["currency"]
    shown = {
        name.removesuffix("_minor"): format_money(value, currency)
        for name, value in facts.items()
        if name.endswith("_minor") and value is not None
    }
    if "balance_minor" in facts:
        shown["balance_words"] = describe_balance(facts["balance_minor"], currency)
    shown["gateway_words"] = GATEWAY_WORDS.get(facts.get("gateway", ""), "")
    shown["method_words"] = METHOD_WORDS.get(facts.get("method", ""), "")
    return shown
