"""Test cards and test tokens: what each number does."""

from __future__ import annotations

from dataclasses import dataclass

DECLINED = "Your card was declined."


@dataclass(frozen=True)
class Refusal:
    """Why a card is refused: error code, decline code, and the words."""

    code: str
    decline_code: str | None = None
    message: str = DECLINED


@dataclass(frozen=True)
class TestCard:
    """One number.

    charge: how charging it is refused, None when it succeeds. attaches: whether it can be saved although charging is
    refused. secure: 3-D Secure "never"; "setup": asked on session, and off session unless the card was set up;
    "saved": asked on session only; "always". later: "dispute", "inquiry", "refund_fails", "refund_waits" or "".
    bank: a bank debit, which is decided days after it was begun.
    """

    __test__ = False  # not for pytest, whatever its name

    number: str
    tokens: tuple[str, ...] = ()
    charge: Refusal | None = None
    attaches: bool = False
    secure: str = "never"
    later: str = ""
    reason: str = "fraudulent"
    bank: bool = False


FUNDS = Refusal("card_declined", "insufficient_funds", "Your card has insufficient funds.")
GENERIC = Refusal("card_declined", "generic_decline")
EXPIRED = Refusal("expired_card", "expired_card", "Your card has expired.")
CVC = Refusal("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.")
PROCESSING = Refusal(
    "processing_error", "processing_error", "An error occurred while processing your card. Try again in a little bit."
)
AUTHENTICATION = Refusal(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
BANK_FUNDS = Refusal("insufficient_funds", None, "The account has insufficient funds to cover this payment.")
BANK_CLOSED = Refusal("account_closed", None, "The customer's bank account has been closed.")

_CARDS = (
    TestCard("4242424242424242", ("visa",)),
    TestCard("4000056655665556", ("visa_debit",)),
    TestCard("5555555555554444", ("mastercard",)),
    TestCard("5200828282828210", ("mastercard_debit",)),
    TestCard("378282246310005", ("amex",)),
    TestCard("6011111111111117", ("discover",)),
    TestCard("3056930009020004", ("diners",)),
    TestCard("3566002020360505", ("jcb",)),
    TestCard("6200000000000005", ("unionpay",)),
    TestCard("4000000000000077", ("bypassPending",)),
    TestCard("4000000000000002", ("visa_chargeDeclined", "chargeDeclined"), GENERIC),
    TestCard(
        "4000000000009995", ("visa_chargeDeclinedInsufficientFunds", "chargeDeclinedInsufficientFunds"), FUNDS
    ),
    TestCard(
        "4000000000009987", ("visa_chargeDeclinedLostCard", "chargeDeclinedLostCard"),
        Refusal("card_declined", "lost_card"),
    ),
    TestCard(
        "4000000000009979", ("visa_chargeDeclinedStolenCard", "chargeDeclinedStolenCard"),
        Refusal("card_declined", "stolen_card"),
    ),
    TestCard(
        "4000000000006975", ("visa_chargeDeclinedVelocityLimitExceeded", "chargeDeclinedVelocityLimitExceeded"),
        Refusal("card_declined", "card_velocity_exceeded"),
    ),
    TestCard("4000000000000069", ("chargeDeclinedExpiredCard",), EXPIRED),
    TestCard("4000000000000127", ("chargeDeclinedIncorrectCvc",), CVC),
    TestCard("4000000000000119", ("chargeDeclinedProcessingError",), PROCESSING),
    TestCard("4100000000000019", ("radarBlock", "chargeDeclinedFraudulent"), Refusal("card_declined", "fraudulent")),
    TestCard("4000000000000341", ("chargeCustomerFail",), GENERIC, attaches=True),
    TestCard("4000002500003155", ("authenticationRequiredOnSetup",), secure="setup"),
    TestCard("4000002760003184", ("authenticationRequired",), secure="always"),
    TestCard("4000000000003220", ("threeDSecure2Required",), secure="always"),
    TestCard("4000000000003063", ("threeDSecureRequired",), secure="always"),
    TestCard("4000003800000446", ("authenticationRequiredSetupForOffSession",), secure="saved"),
    TestCard(
        "4000008260003178", ("authenticationRequiredChargeDeclinedInsufficientFunds",), FUNDS, attaches=True,
        secure="always",
    ),
    TestCard(
        "4000008400001629", ("threeDSecureRequiredChargeDeclined",), GENERIC, attaches=True, secure="always"
    ),
    TestCard("4000000000000259", ("createDispute",), later="dispute"),
    TestCard("4000000000002685", ("createDisputeProductNotReceived",), later="dispute", reason="product_not_received"),
    TestCard("4000000000001976", ("createDisputeInquiry",), later="inquiry"),
    TestCard("4000000000007726", ("pendingRefund",), later="refund_waits"),
    TestCard("4000000000005126", ("refundFail",), later="refund_fails"),
)  # fmt: skip
# Bank accounts, named by Stripe's tokens pm_usBankAccount_…; their numbers are Stripe's too.
_BANKS = (
    TestCard("000123456789", ("success",), bank=True),
    TestCard("000111111113", ("accountClosed",), BANK_CLOSED, attaches=True, bank=True),
    TestCard("000222222227", ("insufficientFunds",), BANK_FUNDS, attaches=True, bank=True),
    TestCard("000555555559", ("dispute",), bank=True, later="dispute", reason="debit_not_authorized"),
)
BY_NUMBER = {card.number: card for card in (*_CARDS, *_BANKS)}
BY_TOKEN = {
    **{f"{prefix}_{name}": card for card in _CARDS for name in card.tokens for prefix in ("pm_card", "tok")},
    **{f"pm_usBankAccount_{name}": card for card in _BANKS for name in card.tokens},
}
UNKNOWN = Refusal("card_declined", "test_mode_live_card", f"{DECLINED} This is no test card.")


def behaviour(number: str) -> TestCard:
    """What this number does; a number that is no test card is declined."""
    return BY_NUMBER.get(number) or TestCard(number, charge=UNKNOWN)


def brand(number: str) -> str:
    """visa, mastercard, amex, …; "unknown" when the number belongs to none."""
    starts = (
        ("34 37", "amex"), ("4", "visa"), ("51 52 53 54 55 22 23 24 25 26 27", "mastercard"),
        ("6011 64 65", "discover"), ("30 36 38", "diners"), ("35", "jcb"), ("62", "unionpay"),
    )  # fmt: skip
    return next((name for heads, name in starts if number.startswith(tuple(heads.split()))), "unknown")


def luhn(number: str) -> bool:
    """Whether the check digit of a card number is right."""
    digits = [int(digit) for digit in reversed(number)]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + doubled) % 10 == 0
