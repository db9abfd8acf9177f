"""The books proved: what is stored against what it must add up to. Each check yields a sentence for each row that does
not agree, naming its table and key; none means that it holds."""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select
from sqlalchemy.orm import Session

from billing.domain import tally
from billing.domain.ledger import RECEIPTS, SESSION_CHARGES
from billing.models import (
    Allocation,
    Client,
    ClientAccount,
    Invoice,
    InvoiceCounter,
    InvoiceLine,
    RefundUnderWay,
    ServiceSession,
    Tally,
    TallyChange,
    Transfer,
)
from billing.reports.services import INCOME_MINOR, SESSIONS

Check = Callable[[Session, str], Iterator[str]]

FAVOUR = Transfer.credit_account == literal("client:") + Transfer.client_id
SIGNED_MINOR: ColumnElement[int] = case((FAVOUR, Transfer.amount_minor), else_=-Transfer.amount_minor)
LEFT_MINOR: ColumnElement[int] = Allocation.amount_minor - Allocation.released_minor


def transfers_run_on(session: Session, business_id: str) -> Iterator[str]:
    """Each client's transfers are numbered 1 to n, and each says the balance after it."""
    in_order: Any = {"partition_by": Transfer.client_id, "order_by": Transfer.sequence}
    rows = select(
        Transfer.client_id,
        Transfer.sequence,
        Transfer.balance_after_minor,
        func.sum(SIGNED_MINOR).over(**in_order).label("sum_minor"),
        func.row_number().over(**in_order).label("place"),
    ).where(Transfer.business_id == business_id)
    found = rows.subquery()
    wrong = select(found).where(
        or_(found.c.balance_after_minor != found.c.sum_minor, found.c.sequence != found.c.place)
    )
    for row in session.execute(wrong.order_by(found.c.client_id, found.c.sequence)):
        yield (
            f"transfers ({row.client_id}, {row.sequence}): {row.balance_after_minor} after it, at place {row.place};"
            f" the transfers up to it add up to {row.sum_minor}"
        )


def transfers_are_the_clients(session: Session, business_id: str) -> Iterator[str]:
    """Each transfer has its client's account on one side."""
    mine = literal("client:") + Transfer.client_id
    wrong = select(Transfer.client_id, Transfer.sequence).where(
        Transfer.business_id == business_id, Transfer.credit_account != mine, Transfer.debit_account != mine
    )
    for row in session.execute(wrong):
        yield f"transfers ({row.client_id}, {row.sequence}): neither side is the client's account"


def accounts_add_up(session: Session, business_id: str) -> Iterator[str]:
    """Each account stores the sum, and the number, of its transfers."""
    sums = (
        select(Transfer.client_id, func.sum(SIGNED_MINOR).label("sum_minor"), func.count().label("transfers"))
        .where(Transfer.business_id == business_id)
        .group_by(Transfer.client_id)
        .subquery()
    )
    sum_minor, transfers = func.coalesce(sums.c.sum_minor, 0), func.coalesce(sums.c.transfers, 0)
    wrong = (
        select(ClientAccount.client_id, ClientAccount.balance_minor, ClientAccount.sequence, sum_minor, transfers)
        .outerjoin(sums, sums.c.client_id == ClientAccount.client_id)
        .where(
            ClientAccount.business_id == business_id,
            or_(ClientAccount.balance_minor != sum_minor, ClientAccount.sequence != transfers),
        )
    )
    for client_id, balance_minor, sequence, added_minor, count in session.execute(wrong):
        yield (
            f"client_accounts {client_id}: stores {balance_minor} after {sequence} transfers; the {count} transfers"
            f" add up to {added_minor}"
        )


def reservations_add_up(session: Session, business_id: str) -> Iterator[str]:
    """Each account stores the sum of the prices of its scheduled sessions."""
    scheduled = ServiceSession.status == "scheduled"
    wrong = _unlike_its_sum(business_id, ClientAccount.scheduled_minor, ServiceSession.price_minor, scheduled)
    for client_id, stored_minor, sum_minor in session.execute(wrong):
        yield f"client_accounts {client_id}: stores {stored_minor} reserved; scheduled sessions add up to {sum_minor}"


def refunds_under_way_add_up(session: Session, business_id: str) -> Iterator[str]:
    """Each account stores the sum of its refunds under way, and none of those is in the ledger."""
    is_open = RefundUnderWay.state == "open"
    wrong = _unlike_its_sum(business_id, ClientAccount.refunding_minor, RefundUnderWay.amount_minor, is_open)
    for client_id, stored_minor, sum_minor in session.execute(wrong):
        yield f"client_accounts {client_id}: stores {stored_minor} refunding; refunds under way add up to {sum_minor}"
    posted = (
        select(RefundUnderWay.refund_id)
        .join(
            Transfer,
            and_(
                Transfer.business_id == RefundUnderWay.business_id,
                Transfer.source == literal("refund:") + RefundUnderWay.refund_id,
            ),
        )
        .where(RefundUnderWay.business_id == business_id, RefundUnderWay.state == "open")
    )
    for refund_id in session.scalars(posted):
        yield f"refunds_under_way {refund_id}: is open; the ledger has it already"


def sessions_are_charged(session: Session, business_id: str) -> Iterator[str]:
    """A completed or missed session is in the ledger with its price; one scheduled or cancelled with nothing."""
    charges = _income_by_source(business_id, "session:", "session-cancel:")
    charged_minor = func.coalesce(charges.c.sum_minor, 0)
    due_minor = case((ServiceSession.status.in_(("completed", "missed")), ServiceSession.price_minor), else_=0)
    wrong = (
        select(ServiceSession.session_id, ServiceSession.status, due_minor, charged_minor)
        .outerjoin(charges, charges.c.id == ServiceSession.session_id)
        .where(ServiceSession.business_id == business_id, due_minor != charged_minor)
    )
    for session_id, status, expected_minor, found_minor in session.execute(wrong):
        yield f"sessions {session_id}: is {status} and costs {expected_minor}; the ledger has {found_minor} for it"


def invoices_add_up(session: Session, business_id: str) -> Iterator[str]:
    """An invoice's total is its lines', what is paid is what is allocated, and its state follows from both."""
    lines = _sum_by_invoice(InvoiceLine, InvoiceLine.amount_minor, business_id)
    held = (
        select(
            Allocation.invoice_id,
            func.sum(LEFT_MINOR).label("sum_minor"),
            func.aggregate_strings(Allocation.allocation_id, ", ").label("ids"),
        )
        .where(Allocation.business_id == business_id)
        .group_by(Allocation.invoice_id)
        .subquery()
    )
    total_minor, paid_minor = func.coalesce(lines.c.sum_minor, 0), func.coalesce(held.c.sum_minor, 0)
    status = case(
        (Invoice.status.in_(("draft", "void")), Invoice.status),
        (Invoice.paid_minor == Invoice.total_minor, "paid"),
        else_="pending",
    )
    wrong = (
        select(Invoice, total_minor, paid_minor, held.c.ids, status)
        .outerjoin(lines, lines.c.invoice_id == Invoice.invoice_id)
        .outerjoin(held, held.c.invoice_id == Invoice.invoice_id)
        .where(
            Invoice.business_id == business_id,
            or_(Invoice.total_minor != total_minor, Invoice.paid_minor != paid_minor, Invoice.status != status),
        )
    )
    for invoice, lines_minor, held_minor, ids, expected in session.execute(wrong):
        yield (
            f"invoices {invoice.invoice_id} (number {invoice.number}): {invoice.status}, {invoice.paid_minor} of"
            f" {invoice.total_minor} paid; its lines add up to {lines_minor}, its allocations ({ids or 'none'}) to"
            f" {held_minor}, so it is {expected}"
        )


def invoice_numbers_have_no_gap(session: Session, business_id: str) -> Iterator[str]:
    """Invoice numbers run from 1 to what the counter says."""
    mine = Invoice.business_id == business_id
    counted, last = session.execute(
        select(func.count(Invoice.number), func.coalesce(func.max(Invoice.number), 0)).where(mine)
    ).one()
    counter = session.get(InvoiceCounter, business_id)
    taken = 0 if counter is None else counter.last_number
    if not counted == last == taken:
        yield f"invoice_counters {business_id}: {taken} numbers taken, {counted} invoices up to number {last}"


def invoice_lines_are_charged(session: Session, business_id: str) -> Iterator[str]:
    """The ad hoc lines of an issued invoice are in the ledger; those of a draft are not, of a void one taken back."""
    charges = _income_by_source(business_id, "invoice:", "invoice-void:")
    lines = _sum_by_invoice(InvoiceLine, InvoiceLine.amount_minor, business_id, InvoiceLine.session_id.is_(None))
    charged_minor = func.coalesce(charges.c.sum_minor, 0)
    due_minor = case((Invoice.status.in_(("pending", "paid")), func.coalesce(lines.c.sum_minor, 0)), else_=0)
    wrong = (
        select(Invoice.invoice_id, Invoice.status, due_minor, charged_minor)
        .outerjoin(charges, charges.c.id == Invoice.invoice_id)
        .outerjoin(lines, lines.c.invoice_id == Invoice.invoice_id)
        .where(Invoice.business_id == business_id, due_minor != charged_minor)
    )
    for invoice_id, status, expected_minor, found_minor in session.execute(wrong):
        yield f"invoices {invoice_id}: is {status} with {expected_minor} to charge; the ledger has {found_minor} for it"


def allocations_are_covered(session: Session, business_id: str) -> Iterator[str]:
    """No more of a payment is set against invoices than was received and not given back, and of its own client's."""
    net = (
        select(Transfer.payment_id, Transfer.client_id, func.sum(SIGNED_MINOR).label("sum_minor"))
        .where(Transfer.business_id == business_id, Transfer.payment_id.is_not(None))
        .group_by(Transfer.payment_id, Transfer.client_id)
        .subquery()
    )
    net_minor = func.coalesce(func.max(net.c.sum_minor), 0)
    over = (
        select(Allocation.payment_id, func.sum(LEFT_MINOR), net_minor)
        .outerjoin(net, and_(net.c.payment_id == Allocation.payment_id, net.c.client_id == Allocation.client_id))
        .where(Allocation.business_id == business_id, Allocation.payment_id.is_not(None), LEFT_MINOR > 0)
        .group_by(Allocation.payment_id)
        .having(func.sum(LEFT_MINOR) > net_minor)
    )
    for payment_id, held_minor, received_minor in session.execute(over):
        yield f"allocations of payment {payment_id}: {held_minor} on invoices, {received_minor} received and kept"
    strangers = (
        select(Allocation.allocation_id, Allocation.invoice_id)
        .join(
            Invoice,
            and_(Invoice.business_id == Allocation.business_id, Invoice.invoice_id == Allocation.invoice_id),
        )
        .where(Allocation.business_id == business_id, Invoice.client_id != Allocation.client_id)
    )
    for allocation_id, invoice_id in session.execute(strangers):
        yield f"allocations {allocation_id}: invoice {invoice_id} is another client's"


def tallies_add_up(session: Session, business_id: str) -> Iterator[str]:
    """Each tally is the sum of the rows that it stands for."""
    stored: dict[tuple[Any, str], tuple[int, int]] = {}
    for table in (Tally, TallyChange):
        rows = select(table.day, table.name, table.amount_minor, table.items).where(table.business_id == business_id)
        for day, name, amount_minor, items in session.execute(rows):
            before = stored.get((day, name), (0, 0))
            stored[day, name] = (before[0] + amount_minor, before[1] + items)
    expected = {key: figures for key, figures in _tallies(session, business_id) if figures != (0, 0)}
    stored = {key: figures for key, figures in stored.items() if figures != (0, 0)}
    for day, name in sorted(stored.keys() | expected.keys()):
        found, right = stored.get((day, name), (0, 0)), expected.get((day, name), (0, 0))
        if found != right:
            yield f"tallies ({day}, {name}): stores {found[0]} of {found[1]}; its rows are {right[0]} of {right[1]}"


def _tallies(session: Session, business_id: str) -> Iterator[tuple[tuple[Any, str], tuple[int, int]]]:
    balance = ClientAccount.balance_minor
    mine = ClientAccount.business_id == business_id
    for name, condition in ((tally.OWED, balance < 0), (tally.PREPAID, balance > 0)):
        sums = select(func.coalesce(func.sum(func.abs(balance)), 0), func.count()).where(mine, condition)
        amount_minor, items = session.execute(sums).one()
        yield (tally.NO_DAY, name), (int(amount_minor), items)
    clients = select(func.count()).select_from(Client).where(Client.business_id == business_id)
    yield (tally.NO_DAY, tally.CLIENTS), (0, session.execute(clients).scalar_one())
    income = select(Transfer.effective_on, Transfer.service_id, func.sum(INCOME_MINOR), func.sum(SESSIONS)).where(
        Transfer.business_id == business_id, Transfer.service_id.is_not(None)
    )
    for day, service_id, amount_minor, items in session.execute(
        income.group_by(Transfer.effective_on, Transfer.service_id)
    ):
        yield (day, f"{tally.INCOME}{service_id}"), (int(amount_minor), int(items))
    clearing = case((FAVOUR, Transfer.debit_account), else_=Transfer.credit_account)
    payments = case((Transfer.kind == "payment", 1), (Transfer.kind == "payment_void", -1), else_=0)
    received = (
        select(Transfer.effective_on, clearing, func.sum(SIGNED_MINOR), func.sum(payments))
        .where(Transfer.business_id == business_id, Transfer.kind.in_(tuple(RECEIPTS)))
        .group_by(Transfer.effective_on, clearing)
    )
    for day, account, amount_minor, items in session.execute(received):
        yield (day, tally.RECEIVED + account.removeprefix("clearing:")), (int(amount_minor), int(items))


def _unlike_its_sum(business_id: str, stored_minor: Any, amount: Any, condition: Any) -> Select[Any]:
    """(client_id, stored, sum): the accounts that store something else than the sum of `amount` over the client's rows
    of its table that fit `condition`."""
    table = amount.class_
    sums = (
        select(table.client_id, func.sum(amount).label("sum_minor"))
        .where(table.business_id == business_id, condition)
        .group_by(table.client_id)
        .subquery()
    )
    sum_minor = func.coalesce(sums.c.sum_minor, 0)
    return (
        select(ClientAccount.client_id, stored_minor, sum_minor)
        .outerjoin(sums, sums.c.client_id == ClientAccount.client_id)
        .where(ClientAccount.business_id == business_id, stored_minor != sum_minor)
    )


def _sum_by_invoice(table: Any, amount: Any, business_id: str, *conditions: Any) -> Any:
    query = select(table.invoice_id, func.sum(amount).label("sum_minor"))
    return query.where(table.business_id == business_id, *conditions).group_by(table.invoice_id).subquery()


def _income_by_source(business_id: str, charge: str, back: str) -> Any:
    """(id, sum_minor): what the ledger has charged under `charge`<id> less what was taken back under `back`<id>."""

    def rows(prefix: str) -> Select[Any]:
        source_id: Any = func.substr(Transfer.source, len(prefix) + 1)
        return select(source_id.label("id"), INCOME_MINOR.label("amount_minor")).where(
            Transfer.business_id == business_id, Transfer.source.startswith(prefix)
        )

    both = rows(charge).union_all(rows(back)).subquery()
    return select(both.c.id, func.sum(both.c.amount_minor).label("sum_minor")).group_by(both.c.id).subquery()


def charges_have_sessions(session: Session, business_id: str) -> Iterator[str]:
    """Each charge of a session is one of a session that is there."""
    source_id: Any = func.substr(Transfer.source, len("session:") + 1)
    strays = (
        select(Transfer.client_id, Transfer.sequence, Transfer.source)
        .outerjoin(
            ServiceSession,
            and_(ServiceSession.business_id == Transfer.business_id, ServiceSession.session_id == source_id),
        )
        .where(
            Transfer.business_id == business_id,
            Transfer.kind.in_(SESSION_CHARGES),
            ServiceSession.session_id.is_(None),
        )
    )
    for row in session.execute(strays):
        yield f"transfers ({row.client_id}, {row.sequence}): charges {row.source}, which is not there"


CHECKS: dict[str, Check] = {
    "transfers run on": transfers_run_on,
    "transfers are their clients'": transfers_are_the_clients,
    "accounts = sums of transfers": accounts_add_up,
    "reservations = scheduled sessions": reservations_add_up,
    "reservations = refunds under way": refunds_under_way_add_up,
    "sessions = charges": sessions_are_charged,
    "charges have sessions": charges_have_sessions,
    "invoices = lines and allocations": invoices_add_up,
    "invoice numbers without a gap": invoice_numbers_have_no_gap,
    "invoice lines = charges": invoice_lines_are_charged,
    "allocations are covered": allocations_are_covered,
    "tallies = sums of rows": tallies_add_up,
}
