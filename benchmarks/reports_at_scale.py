"""Reports over a hundred times the ledger: 1,000,000 entries of 100,000 clients against 10,000 of 1,000, the same page
and month. Each client has ten entries, one in each month: five payments and five sessions."""

import statistics

import psycopg

from benchmarks.figure import Figure, Findings, alternate, seconds
from benchmarks.load import Connection
from benchmarks.stage import Stage, staged
from tests.harness.servers import Servers

GOAL = 1.5
FEW, MANY = 1_000, 100_000
ENTRIES = 10
REQUESTS = 40
PAYMENTS = {
    "payments, the newest page": "/payments?limit=50",
    "payments, a page by amount": "/payments?limit=50&sort=-amount",
    "payments of one client": "/payments?limit=50&client_id=c0000500",
}
PATHS = {
    "balances, a page by name": "/balances?limit=50",
    "balances, a page by what is owed": "/balances?limit=50&sort=balance",
    "service report of a month": "/service-reports?from=2026-02-01&to=2026-02-28&limit=50",
    "a client's balance": "/clients/c0000500/balance",
    "a client's statement of the year": "/clients/c0000500/statement?from=2026-01-01&to=2026-12-31",
    "received and charged, by month": "/received-and-charged?from=2026-01-01&to=2026-12-31",
}
FILL = """
INSERT INTO catalog (business_id, service_id, name, price_minor, duration_minutes, active, created_at)
SELECT %(business)s, 's' || n, 'Service ' || n, 3000 + 500 * n, 45, true, now() FROM generate_series(0, 5) AS n;
INSERT INTO clients (business_id, client_id, sequence, name, status, created_at)
SELECT %(business)s, 'c' || to_char(n, 'FM0000000'), 1, 'Client ' || to_char(n * 7919 %% %(clients)s, 'FM0000000'),
       'active', now()
FROM generate_series(1, %(clients)s) AS n;
INSERT INTO client_accounts (business_id, client_id, balance_minor, sequence)
SELECT business_id, client_id, 0, 0 FROM clients WHERE business_id = %(business)s AND client_id LIKE 'c%%';
INSERT INTO transfers (business_id, client_id, sequence, debit_account, credit_account, amount_minor, currency, kind,
                       source, line, effective_on, recorded_at, balance_after_minor, payment_id, service_id)
SELECT %(business)s, c.client_id, m,
       CASE WHEN m %% 2 = 1 THEN 'clearing:cash' ELSE 'client:' || c.client_id END,
       CASE WHEN m %% 2 = 1 THEN 'client:' || c.client_id ELSE 'income:s' || s.service END,
       a.amount, 'USD', CASE WHEN m %% 2 = 1 THEN 'payment' ELSE 'session_completed' END,
       CASE WHEN m %% 2 = 1 THEN 'payment:' ELSE 'session:' END || c.client_id || '-' || m, 0,
       make_date(2026, m, 1 + (a.amount %% 28)::int), now(), 0,
       CASE WHEN m %% 2 = 1 THEN c.client_id || '-' || m END, CASE WHEN m %% 2 = 0 THEN 's' || s.service END
FROM clients AS c, generate_series(1, %(entries)s) AS m,
     LATERAL (SELECT abs(hashtext(c.client_id)) %% 6 AS service) AS s,
     LATERAL (SELECT 1000 + abs(hashtext(c.client_id || m)::bigint) %% 5000 AS amount) AS a
WHERE c.business_id = %(business)s AND c.client_id LIKE 'c%%';
UPDATE client_accounts AS a SET balance_minor = t.total, sequence = t.n
FROM (SELECT client_id, count(*) AS n, sum(CASE WHEN kind = 'payment' THEN amount_minor ELSE -amount_minor END) AS total
      FROM transfers WHERE business_id = %(business)s GROUP BY client_id) AS t
WHERE a.business_id = %(business)s AND a.client_id = t.client_id;
INSERT INTO tallies (business_id, day, name, amount_minor, items)
SELECT %(business)s, DATE '0001-01-01', CASE WHEN balance_minor < 0 THEN 'owed' ELSE 'prepaid' END,
       sum(abs(balance_minor)), count(*)
FROM client_accounts WHERE business_id = %(business)s AND balance_minor <> 0 GROUP BY 3
UNION ALL SELECT %(business)s, DATE '0001-01-01', 'clients', 0, count(*) FROM clients WHERE business_id = %(business)s
UNION ALL SELECT %(business)s, effective_on,
       CASE WHEN kind = 'payment' THEN 'received:cash' ELSE 'income:' || service_id END, sum(amount_minor), count(*)
FROM transfers WHERE business_id = %(business)s GROUP BY 2, 3;
"""

# The payments of that ledger, and their receipts.
FILL_PAYMENTS = """
INSERT INTO payments (business_id, payment_id, client_id, client_name, amount_minor, refunded_minor,
                      refund_pending_minor, disputed_minor, currency, method, source, received_on, recorded_at,
                      recorded_by_type, recorded_by_id, recorded_by_name, receipt_revision)
SELECT %(business)s, 'c' || to_char(n, 'FM0000000') || '-' || m, 'c' || to_char(n, 'FM0000000'),
       'Client ' || to_char(n * 7919 %% %(clients)s, 'FM0000000'), 1000 + abs(hashtext(n || '-' || m)::bigint) %% 5000,
       0, 0, 0, 'USD', 'cash', 'manual', make_date(2026, m, 1 + n %% 28), now(), 'staff', 's1', 'Ann Example', 1
FROM generate_series(1, %(clients)s) AS n, generate_series(1, %(entries)s, 2) AS m;
INSERT INTO receipts (business_id, payment_id, revision, number, refunded_minor, withdrawn_minor, is_void, issued_at)
SELECT business_id, payment_id, 1, row_number() OVER (), 0, 0, false, now() FROM payments
WHERE business_id = %(business)s;
"""


def measure(servers: Servers, quick: bool) -> Findings:
    rounds = 2 if quick else 6
    many = FEW * 10 if quick else MANY
    with (
        staged(servers, ["billing-web", "payments-web"], businesses=1, clients=1) as large,
        staged(servers, ["billing-web", "payments-web"], businesses=1, clients=1) as small,
    ):
        fill(large, many)
        fill(small, FEW)
        figures = []
        asked = [("billing", *named) for named in PATHS.items()] + [("payments", *named) for named in PAYMENTS.items()]
        for service, name, path in asked:
            contenders = [_Reader(stage, service, path) for stage in (large, small)]
            reached, baseline = alternate(*(reader.median_ms for reader in contenders), rounds=rounds)
            figures.append(Figure(f"{name}, large against small", "ms", reached, baseline, GOAL, at_most=True))
    note = f"reports: {many * ENTRIES:,} entries of {many:,} clients against {FEW * ENTRIES:,} of {FEW:,}"
    return Findings(figures, [note])


def fill(stage: Stage, clients: int) -> None:
    """A ledger of the size told, and its payments, in the stage's one business."""
    values = {"business": stage.payers[0].business_id, "clients": clients, "entries": ENTRIES}
    for service, statements in (("billing", FILL), ("payments", FILL_PAYMENTS)):
        with psycopg.connect(stage.database_url(service), cursor_factory=psycopg.ClientCursor) as connection:
            for statement in statements.split(";\n"):
                if statement.strip():
                    connection.execute(statement, values)
        with psycopg.connect(stage.database_url(service), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")


class _Reader:
    """Asks one question of one stage over and over."""

    def __init__(self, stage: Stage, service: str, path: str) -> None:
        self._url = stage.url(service)
        self._path = f"/v1/businesses/{stage.payers[0].business_id}{path}"
        self._headers = f"Authorization: Bearer {stage.token()}\r\n"

    def median_ms(self) -> float:
        # Anew for each turn: one that idles while the other side has its turn is closed after ten seconds.
        connection = Connection(self._url)
        self._ask(connection)  # caches and plans
        times = [seconds(lambda: self._ask(connection)) for _ in range(REQUESTS)]
        connection.close()
        return statistics.median(times) * 1000

    def _ask(self, connection: Connection) -> None:
        status, body = connection.get(self._path, self._headers)
        if status != 200:
            raise RuntimeError(f"{self._path} answered {status}: {body[:200]!r}")
