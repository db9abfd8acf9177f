"""Captures, refunds and disputes as PayPal's API shows them."""

from __future__ import annotations

from typing import Any

from sandbox.paypal.marks import iso
from sandbox.paypal.money import value
from sandbox.paypal.transactions import Payer, Transaction

# A reversed capture stays COMPLETED: the dispute tells of it.
CAPTURE_STATUS = {
    "Completed": "COMPLETED", "Pending": "PENDING", "Denied": "DECLINED", "Failed": "DECLINED",
    "Refunded": "REFUNDED", "Partially_Refunded": "PARTIALLY_REFUNDED", "Reversed": "COMPLETED",
}  # fmt: skip


def link(address: str, path: str, rel: str, method: str = "GET") -> dict[str, str]:
    """A link to this path of the sandbox."""
    return {"href": f"{address}{path}", "rel": rel, "method": method}


def payer_body(payer: Payer) -> dict[str, Any]:
    """Whoever paid."""
    return {
        "name": {"given_name": payer.first_name, "surname": payer.last_name},
        "email_address": payer.email,
        "payer_id": payer.id,
    }


def capture_body(capture: Transaction, address: str) -> dict[str, Any]:
    """A captured payment."""
    currency, path = capture.currency, f"/v2/payments/captures/{capture.id}"
    net_minor = capture.amount_minor - capture.fee_minor
    reason = {"status_details": {"reason": capture.pending_reason.upper()}} if capture.pending_reason else {}
    return {
        "id": capture.id,
        "status": CAPTURE_STATUS[capture.status],
        **reason,
        "amount": value(capture.amount_minor, currency),
        "final_capture": True,
        "seller_protection": {"status": "ELIGIBLE", "dispute_categories": ["ITEM_NOT_RECEIVED"]},
        "seller_receivable_breakdown": {
            "gross_amount": value(capture.amount_minor, currency),
            "paypal_fee": value(capture.fee_minor, currency),
            "net_amount": value(net_minor, currency),
        },
        **_references(capture),
        "create_time": iso(capture.created),
        "update_time": iso(capture.updated),
        "supplementary_data": {"related_ids": {"order_id": capture.order}},
        "links": [
            link(address, path, "self"),
            link(address, f"{path}/refund", "refund", "POST"),
            link(address, f"/v2/checkout/orders/{capture.order}", "up"),
        ],
    }


def refund_body(refund: Transaction, total_minor: int, address: str) -> dict[str, Any]:
    """What went back to the payer: a refund or a reversal. total_minor: refunded of the capture by then."""
    currency, gross_minor, fee_minor = refund.currency, abs(refund.amount_minor), abs(refund.fee_minor)
    return {
        "id": refund.id,
        "status": "COMPLETED",
        "amount": value(gross_minor, currency),
        **_references(refund),
        **({"note_to_payer": refund.note} if refund.note else {}),
        "seller_payable_breakdown": {
            "gross_amount": value(gross_minor, currency),
            "paypal_fee": value(fee_minor, currency),
            "net_amount": value(gross_minor - fee_minor, currency),
            "total_refunded_amount": value(total_minor, currency),
        },
        "create_time": iso(refund.created),
        "update_time": iso(refund.updated),
        "links": [
            link(address, f"/v2/payments/refunds/{refund.id}", "self"),
            link(address, f"/v2/payments/captures/{refund.parent}", "up"),
        ],
    }


def dispute_body(
    payment: Transaction, merchant_id: str, reason: str, now: float, address: str, outcome: str | None
) -> dict[str, Any]:
    """A case about a payment; outcome: None while it is open."""
    return {
        "dispute_id": payment.case,
        "create_time": iso(now),
        "update_time": iso(now),
        "disputed_transactions": [
            {
                "seller_transaction_id": payment.id,
                "invoice_number": payment.invoice,
                "custom": payment.custom or "",
                "buyer": {"name": f"{payment.payer.first_name} {payment.payer.last_name}".strip()},
                "seller": {"email": payment.account, "merchant_id": merchant_id},
                "gross_amount": value(payment.amount_minor, payment.currency),
            }
        ],
        "reason": reason,
        "status": "RESOLVED" if outcome else "OPEN",
        "dispute_amount": value(payment.left_minor, payment.currency),
        **({"dispute_outcome": {"outcome_code": outcome}} if outcome else {}),
        "dispute_life_cycle_stage": "INQUIRY" if reason == "MERCHANDISE_OR_SERVICE_NOT_RECEIVED" else "CHARGEBACK",
        "links": [link(address, f"/v1/customer/disputes/{payment.case}", "self")],
    }


def _references(transaction: Transaction) -> dict[str, str]:
    custom = {"custom_id": transaction.custom} if transaction.custom else {}
    return custom | ({"invoice_id": transaction.invoice} if transaction.invoice else {})
