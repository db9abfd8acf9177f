"""Billing's job as nameko and celery would do it, each a process with one worker: `python -m benchmarks.rivals NAME`.

Both take the same events from the same quorum queue; each event is a transaction of its own with the same inserts and
updates (`billing_events.post`), a commit and an ack after it. nameko works on ten at once in green threads, as it does
unless told otherwise; celery in one process, late acks, 200 messages ahead.

They live in a folder of their own (`installed`): nameko brings a pytest plugin that patches every test run.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

NAMES = ("celery", "nameko")
LOCK = Path(__file__).parents[1] / "requirements" / "rivals.lock"
PREFETCH = 200


@contextlib.contextmanager
def installed() -> Iterator[str]:
    """The folder into which both were installed, as requirements/rivals.lock has them; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="remit-rivals-") as folder:
        uv = Path(sys.executable).with_name("uv")
        command = [uv, "pip", "install", "--quiet", "--require-hashes", "--python", sys.executable]
        subprocess.run([*command, "--target", folder, "-r", LOCK], check=True, timeout=180)
        yield folder


def start(name: str, folder: str, amqp_url: str, database_url: str, log: Path) -> subprocess.Popen[bytes]:
    """The process of one of NAMES."""
    path = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(Path.cwd()), folder])
    environ = {**os.environ, "PYTHONPATH": path, "AMQP_URL": amqp_url, "DATABASE_URL": database_url}
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.rivals", name], env=environ, stdout=output, stderr=output
        )


def as_tasks(bodies: Sequence[bytes]) -> Iterator[tuple[bytes, dict[str, str]]]:
    """Events as celery's messages: (body, headers) of each."""
    import orjson  # noqa: PLC0415 - and below: nameko patches what is imported before it

    options = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    for body in bodies:
        event = orjson.loads(body)
        yield orjson.dumps([[event], {}, options]), {"lang": "py", "task": "post", "id": event["id"]}


def _engine() -> Any:
    from common.db import Database  # noqa: PLC0415

    return Database(os.environ["DATABASE_URL"]).engine


def _queue() -> Any:
    import kombu  # noqa: PLC0415

    from benchmarks.billing_events import QUEUE  # noqa: PLC0415
    from common.bus.rabbit import DELIVERY_LIMIT  # noqa: PLC0415

    arguments = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT}
    return kombu.Queue(QUEUE, queue_arguments=arguments, no_declare=True)


def serve_celery() -> None:
    from celery import Celery  # noqa: PLC0415

    from benchmarks.billing_events import post  # noqa: PLC0415

    app = Celery("rival", broker=os.environ["AMQP_URL"])
    app.conf.update(
        task_queues=[_queue()], task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=PREFETCH,
        worker_enable_remote_control=False, worker_send_task_events=False, broker_connection_retry_on_startup=True,
    )  # fmt: skip
    engine = _engine()

    @app.task(name="post")
    def post_event(event: dict[str, Any]) -> None:
        with engine.begin() as connection:
            post(connection, event)

    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    app.worker_main(["worker", "--pool=solo", "--concurrency=1", "--loglevel=WARNING", *quiet])


def serve_nameko() -> None:
    import eventlet  # noqa: PLC0415

    eventlet.monkey_patch()
    from nameko.containers import ServiceContainer  # noqa: PLC0415
    from nameko.messaging import consume  # noqa: PLC0415

    from benchmarks.billing_events import post  # noqa: PLC0415

    engine = _engine()

    class Billing:
        name = "billing"

        @consume(_queue())
        def post_event(self, event: dict[str, Any]) -> None:
            with engine.begin() as connection:
                post(connection, event)

    container = ServiceContainer(Billing, config={"AMQP_URI": os.environ["AMQP_URL"]})
    container.start()
    container.wait()


if __name__ == "__main__":
    {"celery": serve_celery, "nameko": serve_nameko}[sys.argv[1]]()
