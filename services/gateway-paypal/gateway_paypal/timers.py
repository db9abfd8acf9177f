"""What gateway-paypal does by the clock."""

from common.timers import Timer
from gateway_paypal.usecases.reconcile import capture_approved, heal_all

TIMERS = [
    Timer("capture_approved", capture_approved, every_seconds=60),
    Timer("heal_all", heal_all, every_seconds=900),
]
