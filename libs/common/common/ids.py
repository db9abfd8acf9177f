"""Identifiers: UUIDv7 as text, so that ids sort by the time they were made."""

import uuid_utils


def new_id() -> str:
    """A new UUIDv7, 36 characters, increasing within a process."""
    return str(uuid_utils.uuid7())
