"""The pre-pay gate, pure: may a session be added with what the client has available, and what is missing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gate:
    """A client's gate: the business's session control with the client's own threshold, in minor units."""

    prepayment_required: bool
    reserve_scheduled: bool
    threshold_minor: int

    def required_minor(self, price_minor: int = 0) -> int:
        """What must be available before a session at this price can be added."""
        return max(self.threshold_minor, price_minor) if self.reserve_scheduled else self.threshold_minor

    def shortfall_minor(self, available_minor: int, price_minor: int = 0) -> int:
        """What is missing; 0 when the gate is open."""
        if not self.prepayment_required:
            return 0
        return max(0, self.required_minor(price_minor) - available_minor)
