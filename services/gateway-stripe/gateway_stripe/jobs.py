"""The outside calls that gateway-stripe makes by itself: registering, translating notices, refunds."""

from common.gateway import notices as kept
from common.gateway import refunds as queue
from common.jobs import Job
from gateway_stripe.usecases import accounts, confirmations, notices, refunds, registration

JOBS = [
    Job(kind=kept.JOB, call=notices.translate_notice, done=kept.done, failed=kept.failed, delayed=kept.delayed),
    Job(kind=queue.JOB, call=refunds.make, done=refunds.done, failed=refunds.failed, max_attempts=20),
    Job(kind=confirmations.JOB, call=confirmations.hand_over, done=confirmations.done, failed=confirmations.failed),
    Job(kind=accounts.REGISTER, call=registration.register, done=registration.done, failed=registration.failed),
]
