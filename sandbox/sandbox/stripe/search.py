"""A little of Stripe's search: members and metadata that are equal, joined by AND."""

from __future__ import annotations

import re

from sandbox.stripe.call import Call
from sandbox.stripe.errors import invalid
from sandbox.stripe.lists import LIMIT
from sandbox.stripe.params import EXPAND, Params, Spec, integer, need, text
from sandbox.stripe.store import Body, Filter

SEARCH: Spec = {**EXPAND, "query": text, "limit": integer, "page": text}
CLAUSE = re.compile(
    r"""\s*(?:metadata\[(['"])(?P<word>[\w -]{1,40})\1\]|(?P<name>status|customer|currency))"""
    r""":(['"])(?P<value>[^'"]*)\4\s*"""
)


def found(call: Call, kind: str, params: Params, url: str) -> Body:
    """One page of what the query matches; unlike Stripe's, it knows what was written a moment ago."""
    need(params, "query")
    wanted = Filter()
    for clause in params["query"].split(" AND "):
        match = CLAUSE.fullmatch(clause)
        if match is None:
            raise invalid(
                f"The sandbox searches for metadata['x']:'y', status, customer and currency: {clause}", "query"
            )
        wanted.equal[f"metadata.{match['word']}" if match["word"] else match["name"]] = match["value"]
    limit = min(max(params.get("limit", LIMIT), 1), 100)
    before = int(params["page"]) if (params.get("page") or "").isdecimal() else None
    rows = call.engine.store.page(call.world.name, kind, wanted, limit=limit + 1, after=before)
    more, rows = len(rows) > limit, rows[:limit]
    last = call.engine.store.place(call.world.name, rows[-1]["id"]) if more else None
    return {
        "object": "search_result", "data": rows, "has_more": more, "next_page": str(last) if last else None, "url": url,
    }  # fmt: skip
