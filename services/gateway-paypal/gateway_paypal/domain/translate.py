"""What PayPal's messages mean, pure: IPN, captures, refunds, disputes and its reports all become movements, and
movements become gateway-neutral facts. In messages about our own payments the status says which way money went, not the
sign; in a report, where money sent has the codes of money received, both must agree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from common.events.gateways import (
    GatewayDisputeClosed,
    GatewayDisputeOpened,
    GatewayFeeKnown,
    GatewayFundsReinstated,
    GatewayFundsWithdrawn,
    GatewayPaymentFailed,
    GatewayPaymentPending,
    GatewayPaymentSucceeded,
    GatewayRefundFailed,
    GatewayRefundSucceeded,
    GatewayTestNoticed,
)
from common.events.payments import Actor, Source
from common.gateway.fact import Fact
from gateway_paypal.domain import amounts
from gateway_paypal.domain.ipn import Ipn, moment

PAID = "Completed"
PENDING = ("Pending", "Processed", "In-Progress", "Created")
FAILED = ("Denied", "Failed", "Expired", "Voided")
REFUNDED, REVERSED, RESTORED = "Refunded", "Reversed", "Canceled_Reversal"
OF_A_PAYMENT = (REFUNDED, REVERSED, RESTORED)


@dataclass(frozen=True)
class Movement:
    """One thing that happened at PayPal. `status` is IPN's word for it, wherever it comes from; `parent_id` names the
    payment that a refund, reversal or its end is of. Amounts in minor units, without a sign."""

    txn_id: str
    status: str
    amount_minor: int
    currency: str
    happened_at: datetime
    parent_id: str | None = None
    fee_minor: int | None = None
    reason: str = ""
    refund_id: str | None = None

    @property
    def payment_id(self) -> str:
        """The payment that it is, or is of. Some refunds name no parent and repeat its id."""
        return self.parent_id or self.txn_id if self.status in OF_A_PAYMENT else self.txn_id

    @property
    def own_id(self) -> str:
        """What makes a refund or reversal one of a kind."""
        return self.txn_id if self.parent_id else f"{self.txn_id}:{self.status.lower()}"


@dataclass(frozen=True)
class Who:
    """Whose a payment is, as far as it says. `invoice_number` is what was typed; payments finds which invoice it is."""

    client_id: str | None = None
    invoice_number: str | None = None
    source: Source = "paypal"
    recorded_by: Actor | None = None
    payer_id: str | None = None
    payer_client_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Context:
    """Whose account told it."""

    business_id: str
    gateway_account: str


def of_ipn(ipn: Ipn, received_at: datetime) -> Movement | str:
    """The movement that a message tells of, or why it tells of none."""
    status, currency = ipn.get("payment_status"), ipn.get("mc_currency").upper()
    if not status:
        case = ipn.get("case_id")
        return f"case {case}: no money moved" if case else f"it has no payment_status ({ipn.get('txn_type') or 'none'})"
    txn_id = ipn.get("txn_id")
    amount_minor = amounts.to_minor(ipn.get("mc_gross"), currency)
    if not txn_id or not amount_minor:
        return f"nothing is done for a message without a transaction and an amount ({status})"
    return Movement(
        txn_id=txn_id[:64],
        status=status,
        amount_minor=amount_minor,
        currency=currency,
        happened_at=moment(ipn.get("payment_date")) or received_at,
        parent_id=ipn.get("parent_txn_id")[:64] or None,
        fee_minor=amounts.to_minor(ipn.get("mc_fee"), currency) if ipn.get("mc_fee") else None,
        reason=ipn.get("pending_reason") or ipn.get("reason_code"),
    )


CAPTURES = {"COMPLETED": PAID, "PARTIALLY_REFUNDED": PAID, "REFUNDED": PAID, "PENDING": "Pending", "DECLINED": "Denied",
            "FAILED": "Failed"}  # fmt: skip


def of_capture(capture: dict[str, Any], received_at: datetime) -> Movement | str:
    """A capture of Orders v2, as PayPal shows it."""
    status = CAPTURES.get(capture.get("status", ""))
    money = _money(capture.get("amount"))
    if status is None or money is None:
        return f"nothing is done for a capture that is {capture.get('status')}"
    fee = _money((capture.get("seller_receivable_breakdown") or {}).get("paypal_fee"))
    return Movement(
        txn_id=str(capture["id"]), status=status, amount_minor=money[0], currency=money[1],
        happened_at=moment(str(capture.get("create_time") or "")) or received_at, fee_minor=fee[0] if fee else None,
        reason=str((capture.get("status_details") or {}).get("reason") or "").lower(),
    )  # fmt: skip


def of_refund(refund: dict[str, Any], capture_id: str, refund_id: str | None, received_at: datetime) -> Movement | str:
    """A refund of a capture, as PayPal shows it. `refund_id`: payments' own, when it asked for it."""
    money = _money(refund.get("amount"))
    if refund.get("status") != "COMPLETED" or money is None:
        return f"nothing is done for a refund that is {refund.get('status')}"
    return Movement(
        txn_id=str(refund["id"]), status=REFUNDED, amount_minor=money[0], currency=money[1], parent_id=capture_id,
        happened_at=moment(str(refund.get("create_time") or "")) or received_at, refund_id=refund_id,
        reason="refunded at PayPal",
    )  # fmt: skip


REPORTED = {"S": PAID, "P": "Pending", "D": "Denied", "V": PAID, "F": PAID}


def of_report(line: dict[str, Any], received_at: datetime) -> Movement | None:
    """A line of PayPal's transaction report; None for what is no payment to the business: a transfer to the bank, a
    fee, what it paid to others or got back from them."""
    info = line["transaction_info"]
    money = _money(info.get("transaction_amount"))
    code, parent_id = str(info.get("transaction_event_code") or ""), info.get("paypal_reference_id")
    status = _reported(code, str(info.get("transaction_status") or ""))
    is_outgoing = str((info.get("transaction_amount") or {}).get("value", "")).strip().startswith("-")
    if not money or not money[0] or status is None or is_outgoing != (status in (REFUNDED, REVERSED)):
        return None
    fee = _money(info.get("fee_amount")) if status == PAID else None
    return Movement(
        txn_id=str(info["transaction_id"]), status=status, amount_minor=money[0], currency=money[1],
        happened_at=moment(str(info.get("transaction_initiation_date") or "")) or received_at,
        parent_id=str(parent_id) if parent_id else None, fee_minor=fee[0] if fee else None,
    )  # fmt: skip


def _reported(code: str, status: str) -> str | None:
    """IPN's word for a line: T00.. are payments, T11.. take them back or restore them."""
    if code == "T1107":
        return REFUNDED
    if code in ("T1106", "T1201"):
        return REVERSED
    if code in ("T1111", "T1202"):
        return RESTORED
    return REPORTED.get(status) if code.startswith("T00") else None


def facts_of(context: Context, movement: Movement, who: Who) -> Sequence[Fact]:
    """What a movement tells; nothing for a status that is not known."""
    if movement.status in OF_A_PAYMENT:
        return _BY_STATUS[movement.status](_about(context, movement), movement)
    if movement.status == PAID:
        return _paid(context, movement, who)
    if movement.status in PENDING:
        reason = movement.reason or movement.status.lower()
        pending = GatewayPaymentPending(**_about(context, movement), **_money_of(movement, who), reason=reason[:500])
        return [Fact(f"pending:{movement.txn_id}", pending)]
    if movement.status in FAILED:
        words = movement.reason or movement.status.lower()
        failed = GatewayPaymentFailed(
            **_about(context, movement), client_id=who.client_id, code=movement.status.lower(), reason=words[:500]
        )
        return [Fact(f"failed:{movement.txn_id}", failed)]
    return []


def _paid(context: Context, movement: Movement, who: Who) -> Sequence[Fact]:
    about = _about(context, movement)
    succeeded = GatewayPaymentSucceeded(**about, **_money_of(movement, who), reference=movement.txn_id)
    facts = [Fact(f"succeeded:{movement.txn_id}", succeeded, movement.amount_minor)]
    if movement.fee_minor is not None:
        fee = GatewayFeeKnown(**about, fee_minor=movement.fee_minor, currency=movement.currency)
        facts.append(Fact(f"fee:{movement.txn_id}", fee, movement.fee_minor))
    return facts


def _refunded(about: dict[str, Any], movement: Movement) -> Sequence[Fact]:
    done = GatewayRefundSucceeded(
        **about, gateway_refund_id=movement.own_id, refund_id=movement.refund_id, amount_minor=movement.amount_minor,
        currency=movement.currency, happened_at=movement.happened_at, reason=movement.reason or "refunded at PayPal",
    )  # fmt: skip
    return [Fact(f"refunded:{movement.own_id}", done)]


def _reversed(about: dict[str, Any], movement: Movement) -> Sequence[Fact]:
    """PayPal or the payer's bank took the money: a dispute that it names or does not, and its money."""
    dispute = _dispute(about, movement)
    opened = GatewayDisputeOpened(
        **dispute, amount_minor=movement.amount_minor, reason=movement.reason or "reversed",
        happened_at=movement.happened_at,
    )  # fmt: skip
    withdrawn = GatewayFundsWithdrawn(**dispute, **_moved(movement))
    return [
        Fact(f"disputed:{opened.gateway_dispute_id}", opened),
        Fact(f"moved:{movement.own_id}", withdrawn),
    ]


def _restored(about: dict[str, Any], movement: Movement) -> Sequence[Fact]:
    dispute = _dispute(about, movement)
    reinstated = GatewayFundsReinstated(**dispute, **_moved(movement))
    closed = GatewayDisputeClosed(**dispute, outcome="won", happened_at=movement.happened_at)
    return [
        Fact(f"moved:{movement.own_id}", reinstated),
        Fact(f"dispute-closed:{closed.gateway_dispute_id}", closed),
    ]


_BY_STATUS: dict[str, Callable[[dict[str, Any], Movement], Sequence[Fact]]] = {
    REFUNDED: _refunded,
    REVERSED: _reversed,
    RESTORED: _restored,
}


def of_test(business_id: str, test_id: str) -> Sequence[Fact]:
    noticed = GatewayTestNoticed(business_id=business_id, gateway="paypal", test_id=test_id)
    return [Fact(f"test:{test_id}", noticed)]


def refund_failed(
    context: Context, payment_id: str, refund_id: str, amount_minor: int, currency: str, reason: str, at: datetime
) -> Fact:
    """A refund that payments asked for and that PayPal did not make."""
    event = GatewayRefundFailed(
        business_id=context.business_id, gateway="paypal", gateway_account=context.gateway_account,
        gateway_payment_id=payment_id, gateway_refund_id=f"none:{refund_id}", refund_id=refund_id,
        amount_minor=amount_minor, currency=currency, happened_at=at, reason=reason[:500],
    )  # fmt: skip
    return Fact(f"refund-failed:none:{refund_id}", event)


def _about(context: Context, movement: Movement) -> dict[str, Any]:
    return {
        "business_id": context.business_id,
        "gateway": "paypal",
        "gateway_account": context.gateway_account,
        "gateway_payment_id": movement.payment_id,
    }


def _money_of(movement: Movement, who: Who) -> dict[str, Any]:
    return {
        "amount_minor": movement.amount_minor,
        "currency": movement.currency,
        "method": "paypal",
        "happened_at": movement.happened_at,
        **vars(who),
    }


def _dispute(about: dict[str, Any], movement: Movement) -> dict[str, Any]:
    """IPN names no case that a reversal and its end share: they are told together by their payment."""
    return {**about, "gateway_dispute_id": f"reversal:{movement.payment_id}"}


def _moved(movement: Movement) -> dict[str, Any]:
    return {
        "gateway_movement_id": movement.own_id, "amount_minor": movement.amount_minor, "currency": movement.currency,
        "happened_at": movement.happened_at,
    }  # fmt: skip


def _money(amount: Any) -> tuple[int, str] | None:
    """(minor units without a sign, currency) of PayPal's {"currency_code", "value"}; None for what is none."""
    if not isinstance(amount, dict):
        return None
    currency = str(amount.get("currency_code", "")).upper()
    minor = amounts.to_minor(str(amount.get("value", "")), currency)
    return (minor, currency) if minor is not None else None
