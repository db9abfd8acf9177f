"""Counters that every service keeps, for Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("remit_requests_total", "Requests answered", ["service", "method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "remit_request_seconds",
    "Time to answer",
    ["service", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
EVENTS_HANDLED = Counter("remit_events_handled_total", "Events taken from the bus", ["service", "type", "outcome"])
EVENTS_PUBLISHED = Counter("remit_events_published_total", "Events confirmed by the bus", ["service"])
JOBS_RUN = Counter("remit_jobs_total", "Outside calls made", ["service", "kind", "outcome"])
OUTBOX_WAITING = Gauge("remit_outbox_waiting", "Events not confirmed yet", ["service"], multiprocess_mode="max")
INBOX_TROUBLED = Gauge("remit_inbox_troubled", "Events parked or dead", ["service", "state"], multiprocess_mode="max")
