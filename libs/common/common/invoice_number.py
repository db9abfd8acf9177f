"""Invoice numbers as people type them, pure: billing, which gives them out, and payments read them alike."""

import re

# What a number may be long; a longer text names nothing.
MAX_NUMBER = 50
_BLANKS = re.compile(r"[\s\u00ad\u200b-\u200d\u2060\ufeff]+")
_DECORATED = re.compile(r"(?:invoice|inv|number|no|nr|n[º°]|[#№\-‐‑–—._:/])*0*([0-9]+)")


def tidy(text: str | None) -> str | None:
    """What `inv 12`, `#INV-000012`, `Invoice no. 12` and `12` have in common: `12`. Text that is no such number loses
    its blanks, its case and a leading `#`. None when nothing is left, or too much to be a number."""
    folded = _BLANKS.sub("", text or "").casefold()
    found = _DECORATED.fullmatch(folded)
    tidied = found[1] if found else folded.lstrip("#")
    return tidied if 0 < len(tidied) <= MAX_NUMBER else None
