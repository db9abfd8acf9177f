"""The topics of help, and finding one, pure. Their texts are templates, `help/<slug>.html`."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import unescape
from itertools import groupby

CLIENT = ("client",)
ADMINISTRATOR = ("administrator",)
STAFF = ("administrator", "staff")
ALL = STAFF + CLIENT
FRAGMENT = 60
FRAGMENTS = 2


@dataclass(frozen=True)
class Topic:
    """`readers` are the roles that it is for. `endpoints` are the screens that it is about: the first that a reader may
    open is linked. `related` are slugs."""

    slug: str
    group: str
    title: str
    summary: str
    readers: tuple[str, ...] = STAFF
    endpoints: tuple[str, ...] = ()
    related: tuple[str, ...] = ()


@dataclass(frozen=True)
class Piece:
    """A part of a text; `is_hit` when it is what was looked for."""

    words: str
    is_hit: bool


@dataclass(frozen=True)
class Hit:
    topic: Topic
    title: list[Piece]
    fragments: list[list[Piece]]


MONEY, CLIENTS, ONLINE, SETTINGS = "Payments", "Clients and sessions", "Cards and PayPal", "Settings and sign-in"
_ALL = (
    Topic("add-payment", MONEY, "Add Payment", "Record one payment that you received: cash, a check, a transfer.",
          STAFF, ("payments.add",), ("add-payments", "receipts", "payment-history", "refunds")),
    Topic("add-payments", MONEY, "Add Payments", "Record many payments at once, typed or from a file, all or none.",
          STAFF, ("many.show",), ("add-payment", "payment-history", "receipts")),
    Topic("payment-history", MONEY, "Payment history", "Find any payment, where it came from, what became of it.",
          STAFF, ("payments.show_all",), ("refunds", "receipts", "unmatched", "revenue")),
    Topic("unmatched", MONEY, "Unmatched money", "Money that arrived and is nobody's payment yet: say whose it is.",
          STAFF, ("tray.show_all",), ("virtual-terminal", "paypal-ipn", "payment-history")),
    Topic("refunds", MONEY, "Refunds, voids and disputes", "Give money back, undo a mistake, what a dispute does.",
          STAFF, ("payments.show_all",), ("payment-history", "receipts", "balances")),
    Topic("receipts", MONEY, "Receipts", "Every payment has a numbered receipt, as a PDF and by e-mail.",
          ALL, ("home.payments", "payments.show_all"), ("payment-history", "e-mail-texts", "client-initiated")),
    Topic("revenue", MONEY, "Revenue", "What was received, day by day or by method, and what is left after refunds.",
          STAFF, ("revenue.show",), ("service-reports", "payment-history")),
    Topic("service-reports", MONEY, "Service Reports", "What each service and each client brought in, from the ledger.",
          STAFF, ("service_reports.show",), ("revenue", "balances", "calendar")),
    Topic("clients", CLIENTS, "Clients", "Add clients, one or many, keep their details, and invite them to pay online.",
          STAFF, ("clients.show_all",), ("balances", "inactive-dates", "pre-pay", "signing-in")),
    Topic("balances", CLIENTS, "Balances", "What “has left” and “owes” mean, and where every figure comes from.",
          ALL, ("home.show", "balances.show_all"), ("pre-pay", "invoices", "receipts", "refunds")),
    Topic("inactive-dates", CLIENTS, "Inactive clients", "Let a client go, now or on a date, and what to settle.",
          STAFF, ("clients.show_all",), ("clients", "balances", "pre-pay")),
    Topic("calendar", CLIENTS, "Calendar", "Add sessions, complete them, and what each of it does to the balance.",
          STAFF, ("calendar.show",), ("pre-pay", "session-control", "balances", "invoices")),
    Topic("pre-pay", CLIENTS, "Paying before sessions", "Sessions are added only for clients with enough money left.",
          STAFF, ("session_control.show", "calendar.show"), ("session-control", "calendar", "balances")),
    Topic("session-control", CLIENTS, "Session Control", "Set the pre-payment rule, its threshold, and what is kept.",
          ADMINISTRATOR, ("session_control.show",), ("pre-pay", "calendar", "balances")),
    Topic("invoices", CLIENTS, "Invoices", "Ask for money: make, send, settle and void invoices.",
          STAFF, ("invoices.show_all",), ("reminders", "balances", "receipts", "virtual-terminal")),
    Topic("reminders", CLIENTS, "Reminders", "E-mails about invoices and owed balances that go out by themselves.",
          ADMINISTRATOR, ("reminders.show",), ("invoices", "balances", "e-mail-texts")),
    Topic("which-gateway", ONLINE, "Stripe or PayPal?", "What each is good at, and why one may have both.",
          ADMINISTRATOR, ("online_payments.show",),
          ("stripe-keys", "paypal-ipn", "client-initiated", "virtual-terminal")),
    Topic("stripe-keys", ONLINE, "Setting up Stripe", "Where the keys are at Stripe, and where each of them goes here.",
          ADMINISTRATOR, ("online_payments.show",), ("send-test", "client-initiated", "pay-assist", "which-gateway")),
    Topic("send-test", ONLINE, "Send test", "Prove the settings: the whole way of a payment, without money.",
          ADMINISTRATOR, ("online_payments.show",), ("stripe-keys", "paypal-ipn", "system")),
    Topic("paypal-ipn", ONLINE, "Setting up PayPal", "Connect the account, and let PayPal's messages (IPN) in.",
          ADMINISTRATOR, ("online_payments.show",), ("virtual-terminal", "send-test", "which-gateway", "unmatched")),
    Topic("virtual-terminal", ONLINE, "PayPal's Virtual Terminal", "Card payments typed in at PayPal, booked here.",
          STAFF, ("tray.show_all",), ("paypal-ipn", "unmatched", "pay-assist", "invoices")),
    Topic("pay-assist", ONLINE, "Pay Assist", "Take a card payment for a client: by telephone or beside you.",
          STAFF, ("assist.find",), ("saved-cards", "client-initiated", "refunds", "virtual-terminal")),
    Topic("client-initiated", ONLINE, "Paying online", "How clients pay by themselves: card, PayPal, or a link.",
          ALL, ("home.show", "online_payments.show"), ("saved-cards", "receipts", "balances", "stripe-keys")),
    Topic("saved-cards", ONLINE, "Saved cards", "Keep a card for next time, charge it with one click, remove it.",
          ALL, ("home.cards", "assist.find"), ("pay-assist", "client-initiated", "receipts")),
    Topic("signing-in", SETTINGS, "Signing in", "Invitations, forgotten passwords, and when you cannot get in.",
          ALL, ("signing_in.account",), ("team", "clients", "balances")),
    Topic("team", SETTINGS, "Team members", "Invite colleagues, give them a role, and lock somebody out.",
          ADMINISTRATOR, ("team.show_all",), ("signing-in", "api-tokens", "clients")),
    Topic("e-mail-texts", SETTINGS, "E-mail texts", "How your e-mails read, whom they come from, and which are sent.",
          ADMINISTRATOR, ("mail_texts.show",), ("receipts", "reminders", "team")),
    Topic("api-tokens", SETTINGS, "API tokens", "Let a program of yours read or write here, with only what it needs.",
          ADMINISTRATOR, ("api_tokens.show_all",), ("team", "system")),
    Topic("system", SETTINGS, "System", "For whoever runs Remit: is everything working, and what is waiting.",
          ("operator",), ("system.show",), ("send-test", "unmatched", "api-tokens")),
)  # fmt: skip
TOPICS = {topic.slug: topic for topic in _ALL}


def grouped(topics: Iterable[Topic]) -> list[tuple[str, list[Topic]]]:
    """In the order of the table, by group."""
    return [(group, list(found)) for group, found in groupby(topics, key=lambda topic: topic.group)]


def plain(html: str) -> str:
    """The words of one of our own texts, without its markup and the headings that every text has."""
    inside = re.sub(r"<h2>.*?</h2>|</t[dhr]>", " ", html)
    return " ".join(unescape(re.sub(r"<[^>]*>", "", inside)).split())


def search(texts: Sequence[tuple[Topic, str]], query: str) -> list[Hit]:
    """Topics that hold every word of `query`, those first whose title does, then those whose summary does."""
    words = [word for word in re.split(r"[\s\W]+", query.casefold()) if word]
    if not words:
        return []
    pattern = re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)), re.IGNORECASE)
    ranked = []
    for place, (topic, text) in enumerate(texts):
        title, summary, whole = topic.title.casefold(), topic.summary.casefold(), text.casefold()
        if not all(word in title or word in summary or word in whole for word in words):
            continue
        in_title, in_summary = (sum(word in where for word in words) for where in (title, summary))
        fragments = _fragments(text, pattern) or [_pieces(topic.summary, pattern)]
        ranked.append((-in_title, -in_summary, place, Hit(topic, _pieces(topic.title, pattern), fragments)))
    return [hit for *_, hit in sorted(ranked, key=lambda found: found[:3])]


def _fragments(text: str, pattern: re.Pattern[str]) -> list[list[Piece]]:
    """A few places of the text around what was found, cut between words."""
    found: list[list[Piece]] = []
    end = 0
    for match in pattern.finditer(text):
        if match.start() < end:
            continue
        begin = _cut(text, max(end, match.start() - FRAGMENT), -1)
        end = _cut(text, min(len(text), match.end() + FRAGMENT), 1)
        around = ("… " if begin else "") + text[begin:end].strip() + (" …" if end < len(text) else "")
        found.append(_pieces(around, pattern))
        if len(found) == FRAGMENTS:
            break
    return found


def _cut(text: str, place: int, step: int) -> int:
    while 0 < place < len(text) and not text[place].isspace():
        place += step
    return place


def _pieces(text: str, pattern: re.Pattern[str]) -> list[Piece]:
    pieces = []
    end = 0
    for match in pattern.finditer(text):
        pieces += [Piece(text[end : match.start()], False), Piece(match[0], True)]
        end = match.end()
    pieces.append(Piece(text[end:], False))
    return [piece for piece in pieces if piece.words]
