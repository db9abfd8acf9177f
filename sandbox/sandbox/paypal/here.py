"""Where this request came in, and pages as answers to it."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlencode

from flask import Response, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

# The payer goes on to the merchant after a form was sent, wherever that is.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self' http: https:; base-uri 'none';"
    " frame-ancestors 'none'"
)


def address() -> str:
    """The address of /paypal as the client sees it."""
    return f"{request.host_url.rstrip('/')}/paypal"


def public(address: str) -> str:
    """The address of /paypal as a payer's browser sees it, where that is not the merchant's: SANDBOX_PUBLIC_URL."""
    named = os.environ.get("SANDBOX_PUBLIC_URL", "").rstrip("/")
    return f"{named}/paypal" if named else address


def page(template: str, status: int = 200, **values: Any) -> Response:
    """A page for people."""
    response = make_response(render_template(template, **values), status)
    response.headers["Content-Security-Policy"] = POLICY
    return response


def notice(title: str, text: str, status: int = 200, *, back: str = "") -> Response:
    """A page that says one thing; back: where its link leads."""
    return page("paypal_notice.html", status, title=title, text=text, back=back if is_url(back) else "")


def is_url(text: str) -> bool:
    """Whether a browser may be sent there."""
    return text.startswith(("http://", "https://"))


def go(url: str, **arguments: str) -> AnyResponse:
    """Send the browser there, with these arguments added."""
    more = urlencode(arguments)
    place, mark, rest = url.partition("#")
    joined = f"{place}{'&' if '?' in place else '?'}{more}" if more else place
    return redirect(f"{joined}{mark}{rest}", 303)
