"""gateway-stripe: settings, cards typed and saved, and what Stripe told."""

from portal.peers.asking import Answer, safe
from portal.peers.gateway import SETTINGS, Gateway


class Stripe(Gateway):
    name = "gateway-stripe"

    def settings(self) -> Answer:
        return self.get("/stripe")

    def save_settings(self, body: Answer) -> Answer:
        return self.put("/stripe", body, scope=SETTINGS, timeout_seconds=self._patience)

    def test_transaction(self) -> Answer:
        return self.post("/stripe/test-transaction", scope=SETTINGS, timeout_seconds=self._patience)

    def saved_cards(self, client_id: str) -> list[Answer]:
        return self.items(f"/clients/{safe(client_id)}/payment-methods")

    def remove_card(self, client_id: str, card_id: str) -> None:
        path = f"/clients/{safe(client_id)}/payment-methods/{safe(card_id)}"
        self.delete(path, timeout_seconds=self._patience)

    def start_saving_card(self, body: Answer, key: str) -> Answer:
        return self.post("/stripe/setup-intents", body, key, timeout_seconds=self._patience)

    def start_payment(self, body: Answer, key: str) -> tuple[Answer, bool]:
        """A payment to be made on the page, and whether it had been started before."""
        return self._start("/stripe/payment-intents", body, key)

    def charge_saved_card(self, body: Answer, key: str) -> Answer:
        return self.post("/stripe/charges", body, key, timeout_seconds=self._patience)

    def take_order(self, body: Answer, key: str) -> Answer:
        return self.post("/stripe/mail-and-telephone-orders", body, key, timeout_seconds=self._patience)

    def sync(self, intent_id: str) -> Answer:
        """What Stripe says of a payment now."""
        return self.post(f"/stripe/payment-intents/{safe(intent_id)}/sync", timeout_seconds=self._patience)
