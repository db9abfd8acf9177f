"""What gateway-stripe does by the clock."""

from common.timers import Timer
from gateway_stripe.usecases.reconcile import find_unknown

TIMERS = [Timer("find_unknown", find_unknown, every_seconds=30)]
