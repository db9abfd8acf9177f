"""A business's own words in its mails, pure: plain text with a few placeholders."""

import re
from dataclasses import dataclass

from notifications.domain.kinds import KINDS

LONGEST = 1000
PLACEHOLDERS = ("client", "business")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

# Mails to clients. What the business is told it need not greet itself in; and a mail that asks for a password says
# nothing but that.
TAKING = tuple(name for name, kind in KINDS.items() if kind.to == "client")


@dataclass(frozen=True)
class OwnWords:
    """`intro` comes before a mail's facts, `closing` after them."""

    intro: str | None = None
    closing: str | None = None

    def filled(self, client: str, business: str) -> "OwnWords":
        """With names for the placeholders. A name that holds one stays as it is."""
        names = {"client": client, "business": business}
        return OwnWords(*(words and _fill(words, names) for words in (self.intro, self.closing)))


NONE = OwnWords()


def check(words: str) -> str:
    """`words` with plain line breaks, or ValueError when a placeholder is not known or a brace stands alone."""
    for name in _PLACEHOLDER.findall(words):
        if name not in PLACEHOLDERS:
            known = " and ".join(f"{{{known}}}" for known in PLACEHOLDERS)
            raise ValueError(f"{{{name[:40]}}} is not known here; use {known}")
    if re.search(r"[{}]", _PLACEHOLDER.sub("", words)):
        raise ValueError("a brace stands alone; write {client} or {business}, or leave it out")
    return re.sub(r"\r\n?", "\n", words)


def _fill(words: str, names: dict[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: names[found[1]], words)
