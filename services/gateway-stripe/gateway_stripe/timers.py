"""What gateway-stripe does by the clock."""

from common.timers import Timer
from gateway_stripe.usecases.polling import poll
from gateway_stripe.usecases.reconcile import find_unknown, heal_all

TIMERS = [
    Timer("find_unknown", find_unknown, every_seconds=30),
    Timer("poll", poll, every_seconds=20),
    Timer("heal_all", heal_all, every_seconds=900),
]
