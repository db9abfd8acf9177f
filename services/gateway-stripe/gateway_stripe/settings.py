"""What gateway-stripe reads besides the common settings. None of it can be set from a screen or an API."""

import ipaddress
from urllib.parse import urlsplit

from pydantic import Field

from common.settings import Settings


class StripeServiceSettings(Settings):
    stripe_api_base: str = Field(default="", description="Stripe's own unless set; the sandbox's in one process")
    stripe_js_url: str = Field(default="", description="Where the browser finds Stripe.js; Stripe's own unless set")
    callback_base_url: str = Field(default="", description="How Stripe reaches our callbacks; empty when it cannot")
    support_contact: str = Field(default="whoever runs Remit for you", description="Whom people are sent to for help")
    stripe_timeout_seconds: float = Field(default=20.0, gt=0, le=60)

    @property
    def callbacks_reach_us(self) -> bool:
        """Whether Stripe can call here: the real one needs a public HTTPS address, the sandbox any. Otherwise its
        events are asked for."""
        base = urlsplit(self.callback_base_url)
        if self.stripe_api_base:
            return bool(base.hostname)
        return base.scheme == "https" and _is_public(base.hostname or "")

    @property
    def api_base(self) -> str:
        return self.stripe_api_base or "https://api.stripe.com"

    @property
    def js_url(self) -> str:
        return self.stripe_js_url or "https://js.stripe.com/v3/"


def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".internal", ".localhost"))
