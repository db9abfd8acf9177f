"""Telling what PayPal shows: whose a movement is, its facts once each, and its checkout's state."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from common import clock
from common.db import insert_or
from common.directory import Client
from common.events.payments import Actor
from common.gateway import facts
from common.gateway.fact import Fact
from common.runtime import Runtime
from gateway_paypal.domain import amounts, translate
from gateway_paypal.domain.translate import Context, Movement, Who
from gateway_paypal.models import Checkout, Transaction
from gateway_paypal.usecases import customs
from gateway_paypal.usecases.accounts import Opened

CLIENTS_AT_MOST = 5
STATES = {translate.PAID: "paid", **dict.fromkeys(translate.PENDING, "pending"),
          **dict.fromkeys(translate.FAILED, "failed")}  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What a message says of whose a payment is."""

    custom: str = ""
    invoice: str = ""
    payer_id: str = ""
    payer_email: str = ""
    is_virtual_terminal: bool = False


@dataclass(frozen=True)
class Understood:
    """A movement with its facts, ready to be told. `remark`: what staff should know of it."""

    mode: str
    gateway_account: str
    movement: Movement
    facts: Sequence[Fact]
    checkout_id: str | None
    remark: str | None


def understand(runtime: Runtime, session: Session, opened: Opened, movement: Movement, said: Said) -> Understood:
    """Raises customs.Foreign for another business's."""
    invoice_id = said.invoice.strip()
    checkout = customs.checkout_of(session, runtime.signer, opened.business_id, said.custom, invoice_id)
    held = session.get(Transaction, (opened.business_id, movement.payment_id))
    account = held.gateway_account if held else opened.context.gateway_account
    context = Context(opened.business_id, account)
    who = _who_began(checkout, said) if checkout else _who_says(session, opened.business_id, said)
    return Understood(
        mode=opened.mode,
        gateway_account=account,
        movement=movement,
        facts=translate.facts_of(context, movement, who),
        checkout_id=checkout.checkout_id if checkout else None,
        remark=_remark(checkout, movement) if checkout else None,
    )


def tell(session: Session, business_id: str, found: Understood) -> int:
    """Tell what was not told, and keep what became of the checkout; answers how many facts were new."""
    movement = found.movement
    if found.facts:
        row = {
            "business_id": business_id, "txn_id": movement.payment_id, "mode": found.mode,
            "gateway_account": found.gateway_account, "seen_at": clock.now(),
        }  # fmt: skip
        session.execute(insert_or(session, Transaction).values(row).on_conflict_do_nothing())
    state = STATES.get(movement.status)
    if found.checkout_id is not None and state is not None:
        checkout = session.get_one(Checkout, (business_id, found.checkout_id), with_for_update=True)
        if checkout.state not in ("paid", state):  # money that arrived is not undone by a late word
            checkout.state, checkout.txn_id = state, movement.txn_id
            session.flush()
    return facts.tell(session, found.facts)


def _who_began(checkout: Checkout, said: Said) -> Who:
    return Who(
        client_id=checkout.client_id, invoice_number=checkout.invoice_number,
        recorded_by=Actor(**orjson.loads(checkout.actor)), payer_id=said.payer_id or None,
    )  # fmt: skip


def _who_says(session: Session, business_id: str, said: Said) -> Who:
    """Of a payment that was not begun here: the invoice as it was typed, and whose e-mail address the payer's is."""
    clients: list[str] = []
    if said.payer_email:
        same = select(Client.client_id).where(
            Client.business_id == business_id, Client.email_folded == said.payer_email.casefold()
        )
        clients = list(session.scalars(same.order_by(Client.client_id).limit(CLIENTS_AT_MOST)))
    return Who(
        invoice_number=said.invoice[:50] or None,
        source="virtual_terminal" if said.is_virtual_terminal else "paypal",
        payer_id=said.payer_id or None,
        payer_client_ids=clients,
    )


def _remark(checkout: Checkout, movement: Movement) -> str | None:
    if movement.status != translate.PAID:
        return None
    asked, came = (checkout.amount_minor, checkout.currency), (movement.amount_minor, movement.currency)
    if asked == came:
        return None
    return f"{_words(*came)} was paid, {_words(*asked)} was asked for"


def _words(amount_minor: int, currency: str) -> str:
    return f"{amounts.to_text(amount_minor, currency)} {currency}"
