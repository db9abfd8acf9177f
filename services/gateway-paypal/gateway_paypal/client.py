"""PayPal: the one place that knows its addresses and API. Answers are plain dictionaries; what went wrong is an
exception of ours."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests

from common.gateway.calls import Refused, Unknown, timed
from common.jobs import TryLater
from gateway_paypal.settings import PayPalServiceSettings

GATEWAY = "PayPal"
CONNECT_SECONDS = 5.0
# A token is good for hours; it is taken for so much less, so that none ends under way.
EARLY_SECONDS = 300.0
PAGE = 500
# A report answers at most so long a time at once.
SPAN = timedelta(days=30)
CERTIFICATE_BYTES = 64 * 1024
CERTIFICATES_KEPT = 16
USER_AGENT = "Remit"
CREDENTIALS_REFUSED = "credentials_refused"

_tokens: dict[tuple[str, str, str], tuple[str, float]] = {}
_certificates: dict[str, bytes] = {}
_lock = threading.Lock()


@timed("paypal")
def verify_ipn(settings: PayPalServiceSettings, mode: str, body: bytes) -> bool:
    """Whether PayPal sent these bytes: they go back as they came, to the address that our settings name. Raises Unknown
    unless it answers one of its two words exactly."""
    url = settings.ipn_verify_url(mode)
    try:
        answer = requests.post(
            url, data=b"cmd=_notify-validate&" + body, allow_redirects=False,
            timeout=(CONNECT_SECONDS, settings.paypal_timeout_seconds),
            headers={
                "Content-Type": "application/x-www-form-urlencoded", "User-Agent": USER_AGENT, "Connection": "close",
            },
        )  # fmt: skip
    except requests.RequestException as error:
        raise Unknown(f"its verification does not answer ({type(error).__name__})") from error
    if answer.status_code != 200 or answer.content not in (b"VERIFIED", b"INVALID"):
        raise Unknown(f"its verification answered {answer.status_code} {answer.content[:40]!r}")
    return answer.content == b"VERIFIED"


@timed("paypal")
def certificate(settings: PayPalServiceSettings, url: str) -> bytes:
    """The PEM behind a webhook's certificate address. Raises Refused for an address that is not PayPal's, Unknown."""
    if not _is_paypals(settings, url):
        raise Refused("certificate_not_paypals", f"its certificate is not at PayPal ({url[:100]})")
    with _lock:
        if url in _certificates:
            return _certificates[url]
    try:
        answer = requests.get(
            url, timeout=(CONNECT_SECONDS, settings.paypal_timeout_seconds), allow_redirects=False, stream=True,
            headers={"User-Agent": USER_AGENT},
        )  # fmt: skip
        pem = answer.raw.read(CERTIFICATE_BYTES + 1, decode_content=True)
    except requests.RequestException as error:
        raise Unknown(f"its certificate is not answered ({type(error).__name__})") from error
    if answer.status_code != 200 or len(pem) > CERTIFICATE_BYTES:
        raise Unknown(f"its certificate is answered with {answer.status_code}")
    with _lock:
        if len(_certificates) >= CERTIFICATES_KEPT:
            _certificates.clear()
        _certificates[url] = pem
    return bytes(pem)


def _is_paypals(settings: PayPalServiceSettings, url: str) -> bool:
    if settings.paypal_api_base:
        return url.startswith(f"{settings.paypal_api_base.rstrip('/')}/")
    found = urlsplit(url)
    host = found.hostname or ""
    is_plain = found.port in (None, 443) and not found.username
    return found.scheme == "https" and is_plain and (host == "paypal.com" or host.endswith(".paypal.com"))


class PayPal:
    """One PayPal account in one mode, by its API credentials."""

    def __init__(self, settings: PayPalServiceSettings, mode: str, client_id: str, client_secret: str) -> None:
        self._base = settings.api_base(mode).rstrip("/")
        self._credentials = (client_id, client_secret)
        self._timeout = (CONNECT_SECONDS, settings.paypal_timeout_seconds)

    def check(self) -> None:
        """Raises Refused when PayPal does not know the credentials."""
        self._token(is_fresh=True)

    def create_order(self, body: dict[str, Any], request_id: str) -> dict[str, Any]:
        return self._call("POST", "/v2/checkout/orders", body, request_id)

    def order(self, order_id: str) -> dict[str, Any]:
        return self._call("GET", f"/v2/checkout/orders/{order_id}")

    def capture_order(self, order_id: str, request_id: str) -> dict[str, Any]:
        return self._call("POST", f"/v2/checkout/orders/{order_id}/capture", {}, request_id)

    def capture(self, capture_id: str) -> dict[str, Any]:
        return self._call("GET", f"/v2/payments/captures/{capture_id}")

    def refund(self, capture_id: str, body: dict[str, Any], request_id: str) -> dict[str, Any]:
        return self._call("POST", f"/v2/payments/captures/{capture_id}/refund", body, request_id)

    def webhooks(self) -> list[dict[str, Any]]:
        return list(self._call("GET", "/v1/notifications/webhooks")["webhooks"])

    def create_webhook(self, url: str, events: list[str]) -> dict[str, Any]:
        body = {"url": url, "event_types": [{"name": name} for name in events]}
        return self._call("POST", "/v1/notifications/webhooks", body)

    def delete_webhook(self, webhook_id: str) -> None:
        self._call("DELETE", f"/v1/notifications/webhooks/{webhook_id}")

    def verify_webhook(self, body: dict[str, Any]) -> bool:
        """Whether PayPal says that it sent a webhook."""
        answer = self._call("POST", "/v1/notifications/verify-webhook-signature", body)
        return bool(answer.get("verification_status") == "SUCCESS")

    def transactions(self, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
        """The lines of the account's report between two times, by spans that PayPal answers at once."""
        start = since
        while start < until:
            end = min(start + SPAN, until)
            yield from self._span(start, end)
            start = end

    def _span(self, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
        page = 1
        while True:
            params = {
                "start_date": start.strftime("%Y-%m-%dT%H:%M:%SZ"), "end_date": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "fields": "all", "page_size": PAGE, "page": page,
            }  # fmt: skip
            found = self._call("GET", "/v1/reporting/transactions", params=params)
            yield from found.get("transaction_details") or []
            if page >= int(found.get("total_pages") or 1):
                return
            page += 1

    # --- how ---

    @timed("paypal")
    def _call(
        self, method: str, path: str, body: Any = None, request_id: str | None = None, params: Any = None
    ) -> dict[str, Any]:
        answer = self._send(method, path, body, request_id, params, self._token())
        if answer.status_code == 401:  # the token may have been withdrawn before its time
            answer = self._send(method, path, body, request_id, params, self._token(is_fresh=True))
        return _read(answer)

    def _send(
        self, method: str, path: str, body: Any, request_id: str | None, params: Any, token: str
    ) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}", "User-Agent": USER_AGENT, "Prefer": "return=representation"}
        if request_id is not None:
            headers["PayPal-Request-Id"] = request_id
        try:
            return requests.request(
                method, self._base + path, json=body, params=params, headers=headers, timeout=self._timeout,
                allow_redirects=False,
            )  # fmt: skip
        except requests.RequestException as error:
            raise Unknown(f"{type(error).__name__}") from error

    def _token(self, *, is_fresh: bool = False) -> str:
        key = (self._base, *self._credentials)
        held = _tokens.get(key)
        if held is not None and held[1] > time.monotonic() and not is_fresh:
            return held[0]
        try:
            answer = requests.post(
                f"{self._base}/v1/oauth2/token", data={"grant_type": "client_credentials"}, auth=self._credentials,
                headers={"User-Agent": USER_AGENT}, timeout=self._timeout, allow_redirects=False,
            )  # fmt: skip
        except requests.RequestException as error:
            raise Unknown(f"{type(error).__name__}") from error
        found = _read(answer)
        token = str(found["access_token"])
        _tokens[key] = (token, time.monotonic() + max(0.0, float(found["expires_in"]) - EARLY_SECONDS))
        return token


def _read(answer: requests.Response) -> dict[str, Any]:
    """The answer. Raises Refused, TryLater, Unknown."""
    if answer.status_code == 204:
        return {}
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unknown(f"it answered {answer.status_code} with no JSON")
    if answer.ok:
        return found
    if answer.status_code == 429:
        raise TryLater("PayPal asks to wait")
    if answer.status_code >= 500:
        raise Unknown(f"it answered {answer.status_code} {found.get('name', '')}")
    raise _refusal(answer.status_code, found)


def _refusal(status: int, found: dict[str, Any]) -> Refused:
    if status in (401, 403):
        words = str(found.get("error_description") or found.get("message") or "it does not know the credentials")
        return Refused(CREDENTIALS_REFUSED, words[:500])
    details = found.get("details") or [{}]
    issue = str(details[0].get("issue") or found.get("name") or "invalid_request")
    words = str(details[0].get("description") or found.get("message") or issue)
    return Refused(issue.lower(), words[:500], details[0].get("field"))
