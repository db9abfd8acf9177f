"""What payments does by the clock. Safe to run twice at once: rows are locked, and looked at again."""

from common.runtime import Runtime
from common.timers import Timer
from payments.usecases import unmatched


def attribute_late(runtime: Runtime) -> None:
    """Go through the trays once."""
    after: tuple[str, str] | None = None
    has_more = True
    while has_more:
        with runtime.database.write() as session:
            after = unmatched.attribute_late(session, after)
        has_more = after is not None


TIMERS = (Timer("attribute-late", attribute_late, every_seconds=300),)
