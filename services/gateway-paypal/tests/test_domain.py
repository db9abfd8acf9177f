"""Messages, amounts, dates, signatures, and what PayPal's movements mean in any order: pure."""

import base64
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from hypothesis import given
from hypothesis import strategies as st

from common.events import Event
from common.events.gateways import (
    GatewayDisputeClosed,
    GatewayDisputeOpened,
    GatewayFeeKnown,
    GatewayFundsReinstated,
    GatewayFundsWithdrawn,
    GatewayPaymentFailed,
    GatewayPaymentPending,
    GatewayPaymentSucceeded,
    GatewayRefundSucceeded,
)
from gateway_paypal import webhooks
from gateway_paypal.domain import amounts, ipn, translate
from gateway_paypal.domain.translate import Context, Movement, Who
from gateway_paypal.settings import PayPalServiceSettings

CONTEXT = Context("b1", "M1")
AT = datetime(2026, 3, 14, 15, tzinfo=UTC)


def message(**fields: str) -> ipn.Ipn:
    return ipn.read(urlencode({"txn_id": "T1", "mc_gross": "45.00", "mc_currency": "USD", **fields}).encode())


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("45.00", "USD", 4500), ("-45.00", "USD", 4500), ("1,045.00", "USD", 104500), ("4500", "JPY", 4500),
        ("4500.00", "JPY", 4500), ("45.001", "USD", None), ("NaN", "USD", None), ("", "USD", None),
        ("45", "XXX", None), ("Infinity", "USD", None), ("4500", "HUF", 450000), ("9" * 30, "USD", None),
    ],
)  # fmt: skip
def test_amounts_as_paypal_writes_them(text: str, currency: str, minor: int | None) -> None:
    assert amounts.to_minor(text, currency) == minor


@given(minor=st.integers(1, 10**11), currency=st.sampled_from(sorted(amounts.TAKEN)))
def test_an_amount_comes_back_as_it_went(minor: int, currency: str) -> None:
    if not amounts.problems(minor, None, currency):
        assert amounts.to_minor(amounts.to_text(minor, currency), currency) == minor


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("23:04:06 Feb 02, 2009 PST", datetime(2009, 2, 3, 7, 4, 6, tzinfo=UTC)),
        ("23:04:06 Feb. 2, 2009 PDT", datetime(2009, 2, 3, 6, 4, 6, tzinfo=UTC)),
        ("Tue Mar 03 2026 10:11:12 GMT+0100 (CET)", datetime(2026, 3, 3, 9, 11, 12, tzinfo=UTC)),
        ("2026-03-03T10:11:12Z", datetime(2026, 3, 3, 10, 11, 12, tzinfo=UTC)),
        ("23:04:06 Feb 30, 2009 PST", None),
        ("23:04:06 Foo 02, 2009 PST", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates_are_read_leniently(text: str, moment: datetime | None) -> None:
    assert ipn.moment(text) == moment


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        found = ipn.read(body)
    except ValueError:
        return
    assert all(isinstance(value, str) for value in found.fields.values())


def test_escapes_of_the_simulators_and_empty_fields() -> None:
    found = ipn.read(b"first_name=J%u00f6rg%uD83D%uDE00&memo=&payment_status=Completed")
    assert found.fields == {"first_name": "J\u00f6rg\U0001f600", "memo": "", "payment_status": "Completed"}
    assert found.flags == ["it has escapes of the simulator's"]


@pytest.mark.parametrize(
    ("fields", "kinds"),
    [
        ({"payment_status": "Completed"}, [GatewayPaymentSucceeded]),
        ({"payment_status": "Completed", "mc_fee": "1.61"}, [GatewayPaymentSucceeded, GatewayFeeKnown]),
        *(({"payment_status": status}, [GatewayPaymentPending]) for status in translate.PENDING),
        *(({"payment_status": status}, [GatewayPaymentFailed]) for status in translate.FAILED),
        ({"payment_status": "Refunded", "parent_txn_id": "T0"}, [GatewayRefundSucceeded]),
        ({"payment_status": "Refunded"}, [GatewayRefundSucceeded]),
        ({"payment_status": "Reversed", "parent_txn_id": "T0"}, [GatewayDisputeOpened, GatewayFundsWithdrawn]),
        (
            {"payment_status": "Canceled_Reversal", "parent_txn_id": "T0"},
            [GatewayFundsReinstated, GatewayDisputeClosed],
        ),
        ({"payment_status": "Partially_Refunded"}, []),
        ({"payment_status": "completed"}, []),
    ],
)
def test_what_a_message_means(fields: dict[str, str], kinds: list[type[Event]]) -> None:
    movement = translate.of_ipn(message(**fields), AT)
    assert isinstance(movement, Movement)
    assert [type(fact.event) for fact in translate.facts_of(CONTEXT, movement, Who())] == kinds


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("status", ["Refunded", "Reversed", "Canceled_Reversal"])
def test_no_sign_is_believed(sign: str, status: str) -> None:
    movement = translate.of_ipn(message(payment_status=status, mc_gross=f"{sign}10.00", parent_txn_id="T0"), AT)
    assert isinstance(movement, Movement)
    events: list[Any] = [fact.event for fact in translate.facts_of(CONTEXT, movement, Who())]
    assert {event.gateway_payment_id for event in events} == {"T0"}
    assert {event.amount_minor for event in events if hasattr(event, "amount_minor")} == {1000}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"txn_type": "new_case", "case_id": "PP-1"}, "case PP-1: no money moved"),
        ({"txn_type": "mp_signup"}, "no payment_status (mp_signup)"),
        ({"payment_status": "Completed", "mc_gross": "lots"}, "without a transaction and an amount"),
        ({"payment_status": "Completed", "txn_id": ""}, "without a transaction and an amount"),
    ],
)
def test_what_moves_no_money_says_why(fields: dict[str, str], words: str) -> None:
    assert words in str(translate.of_ipn(message(**fields), AT))


HISTORY = [
    Movement("T1", "Pending", 10000, "USD", AT, reason="echeck"),
    Movement("T1", "Completed", 10000, "USD", AT, fee_minor=320),
    Movement("R1", "Refunded", 2000, "USD", AT, parent_id="T1"),
    Movement("V1", "Reversed", 8000, "USD", AT, parent_id="T1"),
    Movement("C1", "Canceled_Reversal", 8000, "USD", AT, parent_id="T1"),
]


@given(order=st.permutations(HISTORY), again=st.lists(st.sampled_from(HISTORY), max_size=4))
def test_any_order_with_duplicates_tells_the_same_facts(order: list[Movement], again: list[Movement]) -> None:
    def told(movements: list[Movement]) -> set[str]:
        return {fact.key for movement in movements for fact in translate.facts_of(CONTEXT, movement, Who())}

    assert told([*order, *again]) == told(HISTORY)


@pytest.mark.parametrize(
    ("base", "sandbox", "reaches"),
    [
        ("https://pay.studio.example", "", True), ("http://pay.studio.example", "", False),
        ("https://10.1.2.3", "", False), ("", "", False), ("", "http://127.0.0.1:8009/paypal", False),
        ("http://127.0.0.1:8004", "http://127.0.0.1:8009/paypal", True),
    ],
)  # fmt: skip
def test_who_can_be_called_back(base: str, sandbox: str, reaches: bool) -> None:
    settings = PayPalServiceSettings.model_construct(callback_base_url=base, paypal_api_base=sandbox)
    assert settings.callbacks_reach_us is reaches


@pytest.fixture(scope="module")
def signer() -> tuple[rsa.RSAPrivateKey, bytes]:
    """A key, and a certificate of it that nobody vouches for."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, webhooks.SIGNER)])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(AT - timedelta(days=1)).not_valid_after(AT + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(webhooks.SIGNER)]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    return key, made.public_bytes(serialization.Encoding.PEM)


def test_a_signature_is_of_one_body_for_one_webhook(signer: tuple[rsa.RSAPrivateKey, bytes]) -> None:
    key, pem = signer
    body, at = b'{"id":"WH-1"}', "2026-03-14T15:00:00Z"
    signature = key.sign(f"t1|{at}|W1|{zlib.crc32(body)}".encode(), PKCS1v15(), hashes.SHA256())
    headers = {
        "transmission-id": "t1", "transmission-time": at, "cert-url": "", "auth-algo": "SHA256withRSA",
        "transmission-sig": base64.b64encode(signature).decode(),
    }  # fmt: skip
    webhooks.verify(headers, body, "W1", pem, AT)
    for changed in (
        {"body": b'{"id":"WH-2"}'}, {"webhook_id": "W2"}, {"now": AT + timedelta(days=5)}, {"pem": b"none"},
        {"headers": {**headers, "transmission-id": "t2"}}, {"headers": {**headers, "auth-algo": "none"}},
    ):  # fmt: skip
        given: dict[str, Any] = {"headers": headers, "body": body, "webhook_id": "W1", "pem": pem, "now": AT, **changed}
        with pytest.raises(webhooks.NotSigned):
            webhooks.verify(**given)
    assert not webhooks.is_trusted(pem, AT)  # anybody can make a certificate of that name


def reported(amount: str, code: str = "T0000", status: str = "S") -> Movement | None:
    info = {
        "transaction_id": "T1", "transaction_event_code": code, "transaction_status": status,
        "transaction_amount": {"currency_code": "USD", "value": amount}, "paypal_reference_id": "T0",
    }  # fmt: skip
    return translate.of_report({"transaction_info": info}, AT)


@pytest.mark.parametrize(
    ("amount", "code", "status"),
    [
        ("-50.00", "T0000", "S"), ("-50.00", "T0003", "P"), ("50.00", "T1107", "S"), ("50.00", "T1201", "S"),
        ("-50.00", "T1111", "S"), ("0.00", "T0000", "S"), ("50.00", "T0400", "S"),
    ],
)  # fmt: skip
def test_what_the_business_paid_to_others_is_no_payment(amount: str, code: str, status: str) -> None:
    assert reported(amount, code, status) is None


@pytest.mark.parametrize(
    ("amount", "code", "status", "word"),
    [
        ("50.00", "T0000", "S", translate.PAID), ("50.00", "T0006", "F", translate.PAID),
        ("50.00", "T0001", "P", "Pending"), ("-50.00", "T1107", "S", translate.REFUNDED),
        ("-50.00", "T1201", "S", translate.REVERSED), ("50.00", "T1202", "S", translate.RESTORED),
    ],
)  # fmt: skip
def test_what_came_and_went_is_read_from_a_report(amount: str, code: str, status: str, word: str) -> None:
    movement = reported(amount, code, status)
    assert movement is not None
    assert (movement.status, movement.amount_minor) == (word, 5000)
