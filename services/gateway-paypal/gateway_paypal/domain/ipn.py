"""An IPN message, read from the bytes that came. Pure, and lenient: what it cannot read is flagged, never guessed.

The charset is named in the message itself, and is windows-1252 unless it is. Fields that are empty are kept, as the
message is verified by sending back all of it.
"""

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qsl

DEFAULT_CHARSET = "cp1252"
# What PayPal calls charsets that Python calls otherwise.
CHARSETS = {
    "windows-1252": "cp1252",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "big5": "big5hkscs",
    "koi8_r": "koi8-r",
}
# Two of one of these would be a forger's chance: the first counts, and the message is flagged.
IMPORTANT = (
    "txn_id", "parent_txn_id", "payment_status", "mc_gross", "mc_currency", "receiver_id", "receiver_email", "business",
    "custom", "invoice", "test_ipn", "txn_type",
)  # fmt: skip
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
ZONES = {"PST": -8, "PDT": -7, "GMT": 0, "UTC": 0, "Z": 0}
FIELDS_AT_MOST = 1000
_ESCAPE = re.compile(r"%u([0-9A-Fa-f]{4})")
_PAYPALS = re.compile(r"(\d{1,2}):(\d{2}):(\d{2}) ([A-Za-z]{3})[a-z]*\.? (\d{1,2}),? (\d{4}) ([A-Z]{3})")
_SIMULATORS = re.compile(r"[A-Za-z]{3},? ([A-Za-z]{3}) (\d{1,2}),? (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT([+-]\d{4})?")


@dataclass(frozen=True)
class Ipn:
    """`fields` as text; of a field that came twice, the first. `flags`: what was odd about it, in words."""

    fields: dict[str, str]
    flags: Sequence[str]

    def get(self, name: str) -> str:
        """A field without blanks around it; "" when it is not there."""
        return self.fields.get(name, "").strip()


def read(body: bytes) -> Ipn:
    """Read a message. Raises ValueError when it is no form, or has too many fields."""
    flags: list[str] = []
    charset = _charset(body, flags)
    pairs = parse_qsl(
        body.decode("latin-1"), keep_blank_values=True, encoding=charset, errors="replace",
        max_num_fields=FIELDS_AT_MOST,
    )  # fmt: skip
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name not in fields:
            fields[name] = _unescaped(value, flags).replace("\0", "")
        elif name in IMPORTANT:
            flags.append(f"{name} came twice; the first counts")
    return Ipn(fields, flags)


def _charset(body: bytes, flags: list[str]) -> str:
    pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=FIELDS_AT_MOST)
    named = dict(reversed(pairs)).get("charset", "").strip().lower()
    if not named:
        return DEFAULT_CHARSET
    try:
        return codecs.lookup(CHARSETS.get(named, named)).name
    except LookupError:
        flags.append(f"its charset {named[:40]!r} is not known; read as windows-1252")
        return DEFAULT_CHARSET


def _unescaped(value: str, flags: list[str]) -> str:
    """PayPal's simulator lets JavaScript's escapes through."""
    if not _ESCAPE.search(value):
        return value
    if "it has escapes of the simulator's" not in flags:
        flags.append("it has escapes of the simulator's")
    return (
        _ESCAPE.sub(lambda match: chr(int(match[1], 16)), value)
        .encode("utf-16", "surrogatepass")
        .decode("utf-16", "replace")
    )


def moment(text: str) -> datetime | None:
    """A payment's date as PayPal or its simulator writes it; None for anything else. No locale has a say."""
    found = _PAYPALS.fullmatch(text.strip())
    if found:
        hour, minute, second, month, day, year, zone = found.groups()
        return _moment(year, month, day, hour, minute, second, ZONES.get(zone))
    found = _SIMULATORS.match(text.strip())
    if found:
        month, day, year, hour, minute, second, offset = found.groups()
        hours = int(offset[:3]) if offset else 0
        return _moment(year, month, day, hour, minute, second, hours)
    try:
        iso = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (iso if iso.tzinfo else iso.replace(tzinfo=UTC)).astimezone(UTC)


def _moment(
    year: str, month: str, day: str, hour: str, minute: str, second: str, offset_hours: int | None
) -> datetime | None:
    if month.lower() not in MONTHS or offset_hours is None:
        return None
    try:
        local = datetime(
            int(year), MONTHS.index(month.lower()) + 1, int(day), int(hour), int(minute), int(second),
            tzinfo=timezone(timedelta(hours=offset_hours)),
        )  # fmt: skip
    except ValueError:
        return None
    return local.astimezone(UTC)
