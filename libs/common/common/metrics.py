"""What every service counts and measures, for Prometheus. docs/operations.md says what each means.

Counters and times are kept where things happen; gauges are set by each worker every 15 seconds (`common.measures`), so
that a scrape asks no database.
"""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("remit_requests_total", "Requests answered", ["service", "method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "remit_request_seconds",
    "Time to answer",
    ["service", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
EVENTS_HANDLED = Counter("remit_events_handled_total", "Events taken from the bus", ["service", "type", "outcome"])
EVENT_LAG_SECONDS = Histogram(
    "remit_event_lag_seconds",
    "From when an event happened until it was handled here",
    ["service"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
)
EVENTS_PUBLISHED = Counter("remit_events_published_total", "Events confirmed by the bus", ["service"])
JOBS_RUN = Counter("remit_jobs_total", "Outside calls made", ["service", "kind", "outcome"])
GATEWAY_CALL_SECONDS = Histogram(
    "remit_gateway_call_seconds",
    "Calls to a gateway: ok, refused, later (it asks to wait), unknown (no answer), error (ours)",
    ["gateway", "outcome"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40),
)
DRIFT_FOUND = Counter("remit_drift_found_total", "Differences found by proving and reconciling", ["service"])

OUTBOX_WAITING = Gauge("remit_outbox_waiting", "Events not confirmed yet", ["service"])
OUTBOX_OLDEST_SECONDS = Gauge("remit_outbox_oldest_seconds", "Age of the oldest of them; 0 without", ["service"])
INBOX_TROUBLED = Gauge("remit_inbox_troubled", "Events parked, dead or discarded", ["service", "state"])
JOBS_OPEN = Gauge("remit_jobs_open", "Outside calls due, claimed, failed or in doubt", ["service", "state"])
QUEUE_DEPTH = Gauge(
    "remit_queue_depth", "Messages ready in the service's queue; NaN while the bus is away", ["service"]
)
FACTS_WAITING = Gauge("remit_facts_waiting", "What gateways told that fits no payment yet", ["service"])
FACTS_OLDEST_SECONDS = Gauge("remit_facts_oldest_seconds", "Age of the oldest of them; 0 without", ["service"])
OPERATIONS_UNKNOWN = Gauge("remit_operations_unknown", "Gateway calls whose outcome nobody knows yet", ["service"])
MEASURED_SECONDS = Gauge("remit_measured_timestamp_seconds", "When these gauges were set, in Unix time", ["service"])
