"""What gateway-paypal reads besides the common settings. None of it can be set from a screen or an API."""

from pydantic import Field

from common.gateway.reach import is_public_https
from common.settings import Settings

CHECKOUT = {"live": "https://www.paypal.com/cgi-bin/webscr", "test": "https://www.sandbox.paypal.com/cgi-bin/webscr"}
VERIFY = {
    "live": "https://ipnpb.paypal.com/cgi-bin/webscr",
    "test": "https://ipnpb.sandbox.paypal.com/cgi-bin/webscr",
}
API = {"live": "https://api-m.paypal.com", "test": "https://api-m.sandbox.paypal.com"}


class PayPalServiceSettings(Settings):
    paypal_checkout_url: str = Field(default="", description="PayPal's own by mode unless set")
    paypal_ipn_verify_url: str = Field(default="", description="PayPal's own by mode unless set; never the message's")
    paypal_api_base: str = Field(default="", description="PayPal's own by mode unless set")
    callback_base_url: str = Field(default="", description="How PayPal reaches our callbacks; empty when it cannot")
    paypal_timeout_seconds: float = Field(default=30.0, gt=0, le=40)

    def checkout_url(self, mode: str) -> str:
        return self.paypal_checkout_url or CHECKOUT[mode]

    def ipn_verify_url(self, mode: str) -> str:
        return self.paypal_ipn_verify_url or VERIFY[mode]

    def api_base(self, mode: str) -> str:
        return self.paypal_api_base or API[mode]

    @property
    def callbacks_reach_us(self) -> bool:
        """Whether PayPal can call here: the real one needs a public HTTPS address, the sandbox any."""
        return bool(self.callback_base_url) and (bool(self.paypal_api_base) or is_public_https(self.callback_base_url))

    def ipn_url(self, business_id: str) -> str:
        return f"{self.callback_base_url.rstrip('/')}/ipn/paypal/{business_id}"

    def webhook_url(self, business_id: str) -> str:
        return f"{self.callback_base_url.rstrip('/')}/webhooks/paypal/{business_id}"
