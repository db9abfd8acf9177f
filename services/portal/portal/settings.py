"""What the portal reads besides the common settings."""

from urllib.parse import urlsplit

from pydantic import Field

from common.settings import Settings

STRIPE_JS = "https://js.stripe.com/v3/"


class PortalSettings(Settings):
    gateway_stripe_url: str = ""
    gateway_paypal_url: str = ""
    stripe_js_url: str = Field(default="", description="Where the browser finds Stripe.js; Stripe's own unless set")
    trusted_proxies: int = Field(default=0, ge=0, le=5, description="How many proxies of yours name the caller")
    gateway_timeout_seconds: float = Field(default=65.0, gt=0, le=120, description="A card's bank takes its time")

    @property
    def js_url(self) -> str:
        return self.stripe_js_url or STRIPE_JS

    @property
    def is_secure(self) -> bool:
        """Whether people reach the portal over https."""
        return self.portal.startswith("https://")

    @property
    def stripe_sources(self) -> dict[str, str]:
        """The origins that a page which takes cards may use, by directive of its Content-Security-Policy."""
        if self.js_url == STRIPE_JS:
            return {
                "script-src": "https://js.stripe.com https://*.js.stripe.com",
                "frame-src": "https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com",
                "connect-src": "https://api.stripe.com",
                "img-src": "https://*.stripe.com",
            }
        parts = urlsplit(self.js_url)
        origin = f"{parts.scheme}://{parts.netloc}"
        return {"script-src": origin, "frame-src": origin, "connect-src": origin}
