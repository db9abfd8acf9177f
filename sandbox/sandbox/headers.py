"""Reading mail headers that may be malformed, wrongly encoded or hostile, without ever raising."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import Compat32

# A header block longer than this is not read to its end: the summary must stay cheap for any message.
HEADER_BYTES_READ = 256 * 1024
SUMMARY_CHARACTERS = 2000
BLANK_LINE = re.compile(rb"\r?\n\r?\n")


class RawHeaders(Compat32):
    """The old, forgiving email policy, but headers come back as the text that was received.

    The newer policies parse each header by grammar and raise on some malformed ones; the old one
    replaces raw 8-bit bytes. This one keeps those bytes (as surrogate escapes) for clean() to decode.
    """

    def header_fetch_parse(self, name: str, value: str) -> str:  # noqa: ARG002 - the policy's interface
        return value


RAW_HEADERS = RawHeaders()


@dataclass(frozen=True)
class Summary:
    """The header values a listing shows, each one line of decoded text of at most 2000 characters."""

    message_id: str | None
    subject: str
    header_from: str
    header_to: str


def clean(text: str) -> str:
    """The text with raw 8-bit bytes read as UTF-8 and nothing left that UTF-8 cannot encode."""
    # Decoding a hostile charset (UTF-7, say) can yield lone surrogates that are no escaped bytes.
    octets = b"".join(_octets(character) for character in text) if _has_surrogate(text) else text.encode()
    return octets.decode("utf-8", "replace")


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _octets(character: str) -> bytes:
    if "\udc80" <= character <= "\udcff":
        return bytes([ord(character) - 0xDC00])
    return character.encode("utf-8", "replace")


def one_line(text: str) -> str:
    """The text on one line: line breaks and other control characters become single spaces.

    An encoded word may decode to CR, LF or NUL; none of them may reach a response header or a listing.
    """
    spaced = "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in text)
    return " ".join(spaced.split())


def decoded(value: object) -> str:
    """A header value as one line of readable text, with RFC 2047 encoded words decoded."""
    text = clean(str(value))
    try:
        pieces = decode_header(text)
    except Exception:  # decode_header raises several kinds of error for malformed encoded words
        return one_line(text)
    return one_line(clean("".join(_piece(content, charset) for content, charset in pieces)))


def _piece(content: bytes | str, charset: str | None) -> str:
    if isinstance(content, str):
        return content
    # decode_header hands the text between encoded words over in this encoding.
    if charset is None:
        return content.decode("raw_unicode_escape", "replace")
    return decode_octets(content, charset)


def decode_octets(content: bytes, charset: str | None) -> str:
    """The bytes as text in the charset named by the sender; as UTF-8 when that one cannot be used."""
    try:
        return clean(content.decode(charset or "utf-8", "replace"))
    except Exception:  # unknown codec, codec that is not text, NUL in the name, codec that refuses "replace"
        return content.decode("utf-8", "replace")


def header_block(raw: bytes) -> bytes:
    """The bytes of the message up to the blank line after its headers, at most 256 KiB."""
    end = BLANK_LINE.search(raw, 0, HEADER_BYTES_READ)
    return raw[: end.start() if end else HEADER_BYTES_READ] + b"\r\n\r\n"


def parse_headers(raw: bytes) -> Message:
    """The headers of a message, as received; an empty set when they cannot be read at all."""
    try:
        return BytesHeaderParser(policy=RAW_HEADERS).parsebytes(header_block(raw))
    except Exception:  # whatever a sender managed to send, it must still be stored and listed
        return Message()


def summarise(raw: bytes) -> Summary:
    """The summary of a message, read from its headers alone. Never raises."""
    message = parse_headers(raw)

    def text(name: str) -> str:
        return decoded(message.get(name, ""))[:SUMMARY_CHARACTERS]

    return Summary(
        message_id=text("Message-ID") or None,
        subject=text("Subject"),
        header_from=text("From"),
        header_to=text("To"),
    )


def listed(raw: bytes) -> list[tuple[str, str]]:
    """All headers as (name, decoded value) in the order received. Never raises."""
    return [(one_line(clean(name)), decoded(value)) for name, value in parse_headers(raw).items()]
