"""The signature of Stripe's callbacks: who sent this, and when. Only this and `client.py` know the SDK."""

import stripe

from common import clock

TOLERANCE_SECONDS = 300


class NotSigned(Exception):
    """The callback is not signed as it must be; the message says what is wrong."""


def verify(body: bytes, header: str, secrets: list[str]) -> int:
    """The place in `secrets` of the one that signed `body`. Raises NotSigned. The SDK lets signatures from the future
    pass, and asks the machine for the time; here both sides are bounded, by our clock."""
    stamps = [part[2:] for part in header.split(",") if part.startswith("t=")]
    if len(stamps) != 1 or not stamps[0].isdecimal():
        raise NotSigned("the signature header is missing or garbled")
    age_seconds = clock.now().timestamp() - int(stamps[0])
    if abs(age_seconds) > TOLERANCE_SECONDS:
        raise NotSigned("it is signed for the future" if age_seconds < 0 else "its time is past the tolerance")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise NotSigned("the body is not UTF-8") from None
    reason = "no webhook is registered for this business"
    for place, secret in enumerate(secrets):
        try:
            stripe.WebhookSignature.verify_header(text, header, secret, tolerance=None)
        except stripe.SignatureVerificationError as error:
            reason = str(error.user_message or error).split(".")[0]
        else:
            return place
    raise NotSigned(reason)
