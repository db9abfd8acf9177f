"""Identifiers: UUIDv7 as text, so that ids sort by the time they were made."""

import re

import uuid_utils

# Within text. Now and then the digits of one would pass for a card's.
ID = re.compile(r"(?<![0-9a-f-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f-])")


def new_id() -> str:
    """A new UUIDv7, 36 characters, increasing within a process."""
    return str(uuid_utils.uuid7())
