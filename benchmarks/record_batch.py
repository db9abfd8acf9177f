"""A batch of 10,000 payments over HTTP, against COPY of the same payment, receipt and outbox rows."""

import io
from collections import deque
from datetime import UTC, date, datetime, timedelta

import orjson
import psycopg

from benchmarks.figure import Figure, Findings, alternate, seconds
from benchmarks.load import Connection
from benchmarks.stage import Stage, staged
from tests.harness.servers import Servers

ROWS = 10_000
CLIENTS = 1_000
GOAL = 2.0
# Further apart than the days within which payments resemble each other, as monthly lists are.
DAYS_APART = 10
TABLES = ("payments", "receipts", "outbox")


def measure(servers: Servers, quick: bool) -> Findings:
    rounds = 2 if quick else 5
    with (
        staged(servers, ["payments-web"], businesses=1, clients=CLIENTS) as stage,
        staged(servers) as bare,
        psycopg.connect(stage.database_url("payments")) as source,
        psycopg.connect(bare.database_url("payments")) as target,
    ):
        contest = _Contest(stage, source, target)
        figures = []
        for kind, record in (("JSON", contest.record_json), ("CSV", contest.record_csv)):
            record()  # caches and plans; and one batch ahead, for the turns in which COPY comes first
            record()
            contest.copy()
            reached, baseline = alternate(record, contest.copy, rounds=rounds)
            contest.copy()
            figures.append(Figure(f"batch of {ROWS:,} rows as {kind}", "s", reached, baseline, GOAL, at_most=True))
        contest.check_equal()
    return Findings(figures)


class _Contest:
    """Batches recorded over HTTP, and each copied once into the bare tables."""

    def __init__(self, stage: Stage, source: psycopg.Connection, target: psycopg.Connection) -> None:
        self._stage, self._source, self._target = stage, source, target
        self._connection = Connection(stage.url("payments"))
        self._headers = f"Authorization: Bearer {stage.token()}\r\n"
        self._path = f"/v1/businesses/{stage.payers[0].business_id}/payments/batch"
        self._day = datetime.now(UTC).date()
        self._recorded: deque[str] = deque()

    def record_json(self) -> float:
        """Seconds for a batch as JSON."""
        return self._record(orjson.dumps({"payments": list(map(_as_json, self._rows()))}), "application/json")

    def record_csv(self) -> float:
        """Seconds for a batch as CSV."""
        header = "client,amount,method,received_on,reference,memo"
        return self._record("\n".join([header, *map(_as_csv, self._rows())]).encode(), "text/csv")

    def copy(self) -> float:
        """Seconds for COPY of the oldest batch not copied yet, into all three tables in one transaction."""
        batch = self._recorded.popleft()
        contents = {table: self._rows_of(table, batch) for table in TABLES}

        def copy_all() -> None:
            with self._target.transaction(), self._target.cursor() as cursor:
                for table, content in contents.items():
                    with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                        copy.write(content)

        took = seconds(copy_all)
        self._target.commit()
        return took

    def check_equal(self) -> None:
        """Raise unless both databases hold as many rows."""
        for table in TABLES:
            counts = [db.execute(f"SELECT count(*) FROM {table}").fetchone() for db in (self._source, self._target)]
            if counts[0] != counts[1]:
                raise RuntimeError(f"{table}: {counts[0]} rows recorded, {counts[1]} copied")

    def _rows(self) -> list[tuple[str, int, date]]:
        self._day -= timedelta(days=DAYS_APART)
        payers = self._stage.payers
        return [(payers[n % len(payers)].client_id, 100 + n, self._day) for n in range(ROWS)]

    def _record(self, body: bytes, content_type: str) -> float:
        answers: list[tuple[int, bytes]] = []
        took = seconds(lambda: answers.append(self._connection.post(self._path, body, self._headers, content_type)))
        status, answer = answers[0]
        if status != 201:
            raise RuntimeError(f"{status}: {answer[:500]!r}")
        self._recorded.append(orjson.loads(answer)["batch_id"])
        return took

    def _rows_of(self, table: str, batch: str) -> bytes:
        ids = f"SELECT payment_id FROM payments WHERE batch_id = '{batch}'"
        queries = {
            "payments": f"SELECT * FROM payments WHERE batch_id = '{batch}' ORDER BY payment_id",
            "receipts": f"SELECT * FROM receipts WHERE payment_id IN ({ids}) ORDER BY number",
            "outbox": f"SELECT * FROM outbox WHERE CAST(body AS json) ->> 'subject' IN ({ids}) ORDER BY seq",
        }
        content = io.BytesIO()
        with self._source.cursor().copy(f"COPY ({queries[table]}) TO STDOUT") as copy:
            for chunk in copy:
                content.write(chunk)
        self._source.commit()
        return content.getvalue()


def _as_json(row: tuple[str, int, date]) -> dict[str, object]:
    client, amount_minor, day = row
    return {
        "client_id": client, "amount_minor": amount_minor, "method": "cash", "received_on": day,
        "reference": f"row {amount_minor} of {day}", "memo": "Lessons",
    }  # fmt: skip


def _as_csv(row: tuple[str, int, date]) -> str:
    client, amount_minor, day = row
    return f"{client},{amount_minor // 100}.{amount_minor % 100:02},cash,{day},row {amount_minor} of {day},Lessons"
