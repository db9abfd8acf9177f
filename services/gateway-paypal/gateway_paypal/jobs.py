"""The outside calls that gateway-paypal makes by itself: verifying and translating notices, refunds, registering."""

from common.gateway import notices as kept
from common.gateway import refunds as queue
from common.jobs import Job
from gateway_paypal.usecases import accounts, notices, refunds, registration

# PayPal's verification may be away for a day: tried each hour, it is still asked the day after.
VERIFIED_WITHIN_TRIES = 60

JOBS = [
    Job(
        kind=kept.JOB, call=notices.consider, done=notices.done, failed=kept.failed, delayed=kept.delayed,
        max_attempts=VERIFIED_WITHIN_TRIES,
    ),
    Job(kind=queue.JOB, call=refunds.make, done=refunds.done, failed=refunds.failed, max_attempts=20),
    Job(kind=accounts.REGISTER, call=registration.register, done=registration.done, failed=registration.failed),
]  # fmt: skip
