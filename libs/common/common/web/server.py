"""gunicorn, configured from settings: processes of threads, each with its own database pool."""

import gc
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication

from common.runtime import Runtime
from common.wake import PostgresWaker
from common.web.app import create_app

TIMEOUT_SECONDS = 60
GRACE_SECONDS = 20

# New objects before they are looked through for cycles, and such looks before a deeper one. A request makes thousands
# of objects that live as long as it does; Python's own 700 cost a large batch a tenth of its time.
COLLECT_AFTER = (20_000, 20, 20)


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, open_runtime: Callable[[], Runtime], options: dict[str, Any]) -> None:
        self._open_runtime = open_runtime
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        # In each worker process, after the fork: connections and threads are not shared.
        runtime = self._open_runtime()
        if not runtime.database.is_sqlite:
            waker = PostgresWaker(runtime.database.url)
            runtime.database.wakers |= {"outbox": waker.waker("outbox"), "jobs": waker.waker("jobs")}
        app = create_app(runtime)
        # What is loaded stays: each full collection looking through it again cost a large batch a quarter of its time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)
        return app


def serve(name: str, open_runtime: Callable[[], Runtime]) -> int:
    """Serve until told to stop: in-flight requests are finished first."""
    runtime = open_runtime()
    settings = runtime.settings
    runtime.database.close()
    _Server(
        open_runtime,
        {
            "bind": f"{settings.bind}:{settings.port_of(name)}",
            "workers": settings.web_workers,
            "threads": settings.web_threads,
            "worker_class": "gthread",
            "timeout": TIMEOUT_SECONDS,
            "graceful_timeout": GRACE_SECONDS,
            "keepalive": 10,
            "control_socket_disable": True,
            "proc_name": f"remit-{name}",
        },
    ).run()
    return 0
