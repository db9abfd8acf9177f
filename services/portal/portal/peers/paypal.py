"""gateway-paypal: settings, checkouts, and what PayPal told."""

from common.errors import Conflict, Unavailable
from portal.peers.asking import Answer, safe
from portal.peers.gateway import SETTINGS, Gateway


class PayPal(Gateway):
    name = "gateway-paypal"

    def settings(self) -> Answer:
        return self.get("/paypal")

    def save_settings(self, body: Answer) -> Answer:
        return self.put("/paypal", body, scope=SETTINGS, timeout_seconds=self._patience)

    def instructions(self) -> Answer:
        """The notify URL and the steps to set it at PayPal."""
        return self.get("/paypal/ipn-instructions")

    def test_notification(self) -> Answer:
        return self.post("/paypal/test-notification", scope=SETTINGS, timeout_seconds=self._patience)

    def start_checkout(self, body: Answer, key: str) -> tuple[Answer, bool]:
        """A payment to be made at PayPal, and whether it had been started before."""
        return self._start("/paypal/checkouts", body, key)

    def checkout(self, checkout_id: str) -> Answer:
        """What became of a checkout; what its payer has approved is taken now."""
        path = f"/paypal/checkouts/{safe(checkout_id)}"
        try:
            return self.post(f"{path}/capture", timeout_seconds=self._patience)
        except (Conflict, Unavailable):  # not approved, or PayPal is silent: what is known here
            return self.get(path, scope="gateway:charge")
