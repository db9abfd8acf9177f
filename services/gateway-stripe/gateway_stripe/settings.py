"""What gateway-stripe reads besides the common settings. None of it can be set from a screen or an API."""

from pydantic import Field

from common.gateway.reach import is_public_https
from common.settings import Settings


class StripeServiceSettings(Settings):
    stripe_api_base: str = Field(default="", description="Stripe's own unless set; the sandbox's in one process")
    stripe_js_url: str = Field(default="", description="Where the browser finds Stripe.js; Stripe's own unless set")
    callback_base_url: str = Field(default="", description="How Stripe reaches our callbacks; empty when it cannot")
    stripe_timeout_seconds: float = Field(default=20.0, gt=0, le=60)

    @property
    def callbacks_reach_us(self) -> bool:
        """Whether Stripe can call here: the real one needs a public HTTPS address, the sandbox any. Otherwise its
        events are asked for."""
        return bool(self.callback_base_url) and (bool(self.stripe_api_base) or is_public_https(self.callback_base_url))

    @property
    def api_base(self) -> str:
        return self.stripe_api_base or "https://api.stripe.com"

    @property
    def js_url(self) -> str:
        return self.stripe_js_url or "https://js.stripe.com/v3/"
