"""gateway-paypal before the sandbox's PayPal: settings saved, its webhook registered, a payer who pays."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from common import clock
from common.bus.embedded import EmbeddedBus
from common.events import Event
from common.testing import ServiceUnderTest, eventually
from common.timers import TimerRow
from common.worker import Worker

B = "/v1/businesses/b1"
EMAIL = "studio@business.example"
BACK = "http://127.0.0.1:1/back"
CLIENT = {"type": "client", "id": "c1", "name": "Ada"}
KEYS = {"client_id": "studio", "client_secret": "secret-of-the-studio-1234"}


class Shop:
    """One business that takes PayPal. Its worker runs in threads of the test's process."""

    def __init__(self, gateway: ServiceUnderTest, sandbox_url: str) -> None:
        self.gateway, self.sandbox_url = gateway, sandbox_url
        # What the timers heal by themselves would hide what is tested.
        with gateway.runtime.database.write() as session:
            session.add_all(TimerRow(name=timer.name, began_at=clock.now()) for timer in gateway.runtime.service.timers)
        self._worker = Worker(gateway.runtime, EmbeddedBus(lambda: [gateway.runtime.consumer]))
        self._worker.start()

    def close(self) -> None:
        self._worker.stop()
        assert self._worker.failed is None

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        return self.gateway.call(method, B + path, body, **options)

    def save(self, **more: Any) -> Any:
        body = {
            "mode": "sandbox", "checkout": "standard", "business_email": EMAIL,
            "allow_client_initiated_payments": True, **more,
        }  # fmt: skip
        return self.call("PUT", "/paypal", body)

    def set_up(self, **more: Any) -> dict[str, Any]:
        """Save the settings, tell PayPal where messages go, and wait for the webhook where there is one."""
        saved = self.save(**more)
        assert saved.status_code == 200, saved.text
        url = self.call("GET", "/paypal/ipn-instructions").json["notify_url"]
        self.control(f"accounts/{EMAIL}", {"notify_url": url}, method="PUT")
        return dict(eventually(self._ready, "the registration"))

    def _ready(self) -> Any:
        shown = self.call("GET", "/paypal").json
        return shown if shown["webhook"]["state"] != "registering" else None

    def begin(self, amount_minor: int = 4500, **more: Any) -> Any:
        actor = more.pop("actor", None)
        options: dict[str, Any] = {"key": more.pop("key", None)}
        if actor is not None:
            options["token"] = self.gateway.token("gateway:charge", actor=actor)
        body = {"client_id": "c1", "amount_minor": amount_minor, "return_url": BACK, "cancel_url": BACK, **more}
        return self.call("POST", "/paypal/checkouts", body, **options)

    def approve(self, begun: dict[str, Any], **typed: str) -> str:
        """What a payer does on PayPal's page; answers where the browser is sent."""
        with requests.Session() as browser:
            send = browser.post if begun["method"] == "POST" else browser.get
            page = send(begun["action_url"], data=begun["fields"] or None, timeout=20)
            assert page.ok, page.text
            form = _form(page.text)
            answer = browser.post(
                requests.compat.urljoin(page.url, form["action"]),
                data={**form["fields"], "email": "payer@example.com", "pay_with": "balance", "first_name": "Pat",
                      "action": "pay" if begun["method"] == "POST" else "approve", **typed}, timeout=20,
                allow_redirects=False,
            )  # fmt: skip
            return str(answer.headers.get("Location", answer.text))

    def status(self, checkout_id: str) -> str:
        return str(self.call("GET", f"/paypal/checkouts/{checkout_id}").json["status"])

    def ipn(self, body: bytes) -> requests.Response:
        url = self.call("GET", "/paypal/ipn-instructions").json["notify_url"]
        return requests.post(url, data=body, headers={"Content-Type": "application/x-www-form-urlencoded"}, timeout=10)

    def told(self, *kinds: type[Event]) -> list[Any]:
        return [event for event in self.gateway.emitted() if isinstance(event, kinds)]

    def wait_for(self, kind: type[Event], count: int = 1) -> list[Any]:
        def enough() -> Any:
            found = self.told(kind)
            return found if len(found) >= count else None

        return list(eventually(enough, f"{count} {kind.__name__}"))

    def notices(self) -> list[dict[str, Any]]:
        return list(self.call("GET", "/notices?limit=200").json["items"])

    def settled(self) -> list[dict[str, Any]]:
        """The notices, once none is under way."""

        def done() -> Any:
            found = self.notices()
            return found if all(notice["status"] != "received" for notice in found) else None

        return list(eventually(done, "every notice to be settled"))

    def faults(self, **faults: Any) -> None:
        answer = requests.put(f"{self.sandbox_url}/faults", json={"paypal": faults}, timeout=10)
        assert answer.ok, answer.text

    def control(self, path: str, body: Any = None, method: str = "POST") -> Any:
        url = f"{self.sandbox_url}/paypal/_control/{path}"
        answer = requests.request(method, url, json=None if method == "GET" else body or {}, timeout=10)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None


def _form(text: str) -> dict[str, Any]:
    """The page's form: where it goes, and what is in it already."""
    action = re.search(r'<form[^>]*action="([^"]*)"', text)
    assert action, text
    hidden = re.findall(r'<input[^>]*type="hidden"[^>]*name="([^"]*)"[^>]*value="([^"]*)"', text)
    return {"action": action[1].replace("&amp;", "&"), "fields": {name: _plain(value) for name, value in hidden}}


def _plain(value: str) -> str:
    return value.replace("&amp;", "&").replace("&#39;", "'").replace("&#34;", '"').replace("&lt;", "<")


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
