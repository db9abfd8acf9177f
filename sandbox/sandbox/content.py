"""Taking a message apart: text part, HTML part and attachments. Broken MIME never raises."""

from __future__ import annotations

import base64
import mimetypes
import re
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message

from sandbox.headers import RAW_HEADERS, clean, decode_octets, decoded, one_line

NAME_CHARACTERS = 150
CONTENT_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,80}/[a-z0-9][a-z0-9!#$&^_.+-]{0,80}")
INLINE_IMAGES = {"image/png", "image/jpeg", "image/gif", "image/webp"}
CID_REFERENCE = re.compile(r"cid:([^\"'\s<>)]{1,250})", re.IGNORECASE)


@dataclass(frozen=True)
class Attachment:
    """A part kept as a file. The name holds no path and no control characters; payload is decoded bytes."""

    name: str
    content_type: str
    payload: bytes
    content_id: str


@dataclass
class Content:
    """The parts of one message. text and html are None when the message has no such part."""

    text: str | None = None
    html: str | None = None
    attachments: list[Attachment] = field(default_factory=list)

    def html_with_images(self) -> str | None:
        """The HTML part with cid: references to attached images replaced by data: URLs."""
        if self.html is None:
            return None
        images = {a.content_id: a for a in self.attachments if a.content_type in INLINE_IMAGES}

        def embed(match: re.Match[str]) -> str:
            image = images.get(match[1])
            if image is None:
                return match[0]
            return f"data:{image.content_type};base64,{base64.b64encode(image.payload).decode()}"

        return CID_REFERENCE.sub(embed, self.html) if images else self.html


def parse_content(raw: bytes) -> Content:
    """Take a message apart.

    The first plain text and the first HTML that are not marked as attachments are the bodies; every other
    leaf part is an attachment, so nothing that was sent gets lost. A message whose MIME structure cannot
    be read at all comes back as one text.
    """
    try:
        return _content(message_from_bytes(raw, policy=RAW_HEADERS))
    except Exception:  # RecursionError for absurd nesting, and whatever else the email package trips over
        _, _, body = raw.partition(b"\r\n\r\n")
        return Content(text=decode_octets(body, "utf-8"))


def _content(message: Message) -> Content:
    content = Content()
    for part in _leaves(message):
        kind = _content_type(part)
        as_file = _file_name(part) is not None or part.get_content_disposition() == "attachment"
        if kind == "text/plain" and content.text is None and not as_file:
            content.text = _text(part)
        elif kind == "text/html" and content.html is None and not as_file:
            content.html = _text(part)
        else:
            content.attachments.append(_attachment(part, kind, len(content.attachments) + 1))
    return content


def _leaves(message: Message) -> list[Message]:
    """The parts that carry content, in order. An attached message is one leaf, it is not looked into."""
    leaves: list[Message] = []
    waiting = [message]
    while waiting:
        part = waiting.pop()
        children = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(children, list):
            waiting.extend(child for child in reversed(children) if isinstance(child, Message))
        else:
            leaves.append(part)
    return leaves


def _content_type(part: Message) -> str:
    kind = part.get_content_type()
    return kind if CONTENT_TYPE.fullmatch(kind) else "application/octet-stream"


def _octets(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    if isinstance(payload, bytes):
        return payload
    children = part.get_payload()
    if isinstance(children, list) and children and isinstance(children[0], Message):
        return children[0].as_bytes(policy=RAW_HEADERS)
    return b""


def _text(part: Message) -> str:
    charset = part.get_param("charset")
    text = decode_octets(_octets(part), charset if isinstance(charset, str) else None)
    return text.replace("\r\n", "\n")


def _file_name(part: Message) -> str | None:
    """The name the sender gave the part, decoded but not yet safe; None when there is none."""
    try:
        name = part.get_filename()
    except Exception:  # malformed RFC 2231 continuations make get_filename raise
        return None
    # Many mailers put RFC 2047 encoded words into the name although RFC 2231 is the standard for it.
    return decoded(name) if name else None


def _safe_name(name: str, fallback: str) -> str:
    base = re.split(r"[\\/]", name)[-1].strip(". ")
    return base[-NAME_CHARACTERS:].strip() or fallback


def _attachment(part: Message, kind: str, number: int) -> Attachment:
    extension = ".eml" if kind == "message/rfc822" else mimetypes.guess_extension(kind) or ""
    return Attachment(
        name=_safe_name(_file_name(part) or "", f"attachment-{number}{extension}"),
        content_type=kind,
        payload=_octets(part),
        content_id=one_line(clean(str(part.get("Content-ID", "")))).strip("<> "),
    )
