"""A client's standing, pure."""

from datetime import date


def effective_status(status: str, inactive_on: date | None, today: date) -> str:
    """Inactive when the status says so or the day has come, in the business's time zone; computed on every read."""
    if status == "inactive" or (inactive_on is not None and inactive_on <= today):
        return "inactive"
    return status
