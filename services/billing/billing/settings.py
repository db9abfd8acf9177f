"""What billing reads besides the common settings."""

from pydantic import Field

from common.settings import Settings


class BillingSettings(Settings):
    # Balances are read from here, not from events: telling of them may wait for company.
    relay_gather_seconds: float = Field(default=0.05, ge=0, le=5)
