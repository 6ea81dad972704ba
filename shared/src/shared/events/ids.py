"""Identifiers."""

from uuid_utils import uuid7


def new_id() -> str:
    """A UUIDv7 (RFC 9562) as text: unique, and in the order of time."""
    return str(uuid7())
