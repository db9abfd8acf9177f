"""The portal's pages on the demo month: how long the server takes for each, and for its calls alone."""

import re
import tempfile
import time
from pathlib import Path

import requests

from benchmarks.figure import Figure, Findings, percentile
from tests.harness.embedded import Embedded
from tests.harness.lived_in import lived_in
from tests.harness.portal import Visitor, pages_with, routes
from tests.harness.servers import Servers

GOAL_MS = 150
TURNS = 40
# What a client's own page asks for, asked without the page.
CALLS = (
    ("billing", "/clients/{client_id}/overview"), ("payments", "/payments?client_id={client_id}&limit=10"),
    ("gateway-stripe", "/stripe"), ("gateway-paypal", "/paypal"),
)  # fmt: skip
TOOK = re.compile(r"page;dur=([\d.]+)")


def measure(_servers: Servers, quick: bool) -> Findings:
    turns = 5 if quick else TURNS
    with tempfile.TemporaryDirectory() as folder:
        remit = Embedded(Path(folder), demo=True)
        try:
            facts = lived_in(remit)
            found = {}
            for role, who in (("administrator", "staff"), ("client", "client")):
                visitor = Visitor(remit.url("portal")).sign_in(**_login(remit, who))
                paths = {route.path(facts) for route in pages_with(routes(Path(folder)), role)}
                found |= {f"{who} {path}": _times_ms(visitor, path, turns) for path in sorted(paths)}
            home = found["client /home"]
            alone = _calls_ms(remit, facts, turns)
        finally:
            remit.stop()
    p95 = {page: percentile(times, 0.95) for page, times in found.items() if times}
    slowest = sorted(p95, key=lambda page: -p95[page])[:3]
    words = ", ".join(f"{re.sub('[0-9a-f-]{36}', '…', page)} {p95[page]:.0f} ms" for page in slowest)
    return Findings(
        [
            Figure("slowest page of the portal, server time, p95", "ms", p95[slowest[0]], goal=GOAL_MS, at_most=True),
            Figure("a client's own page against its calls alone", "ms", percentile(home, 0.5), percentile(alone, 0.5)),
        ],
        [f"{len(p95)} pages of the portal, {turns} times each, by one visitor, all in one process; slowest: {words}"],
    )


def _login(remit: Embedded, who: str) -> dict[str, str]:
    return {name: remit.endpoints[who][name] for name in ("email", "password")}


def _times_ms(visitor: Visitor, path: str, turns: int) -> list[float]:
    """Server times of a page, after a first time; nothing for what is no page."""
    first = visitor.get(path)
    if first.status_code != 200 or "text/html" not in first.headers["Content-Type"]:
        return []
    said = [visitor.get(path).headers["Server-Timing"] for _ in range(turns)]
    return [float(found[1]) for line in said if (found := TOOK.search(line))]


def _calls_ms(remit: Embedded, facts: dict[str, str], turns: int) -> list[float]:
    http = requests.Session()
    http.headers["Authorization"] = f"Bearer {remit.endpoints['token']}"
    urls = [f"{remit.url(name)}/v1/businesses/{remit.id}{path.format(**facts)}" for name, path in CALLS]
    found = []
    for _ in range(turns):
        started = time.perf_counter()
        for url in urls:
            assert http.get(url, timeout=10).ok
        found.append((time.perf_counter() - started) * 1000)
    return found
