"""Durations and times as one types them."""

import re
from datetime import UTC, datetime, timedelta

_UNITS = {
    "": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


def parse_duration(text: str) -> timedelta:
    """`250ms`, `30s`, `5m`, `2h`, `1d`; a number alone counts seconds.

    Raises:
        ValueError: it is none of these.
    """
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d|)", text)
    if match is None:
        raise ValueError("a duration is a number and ms, s, m, h or d, like 30s")
    return float(match[1]) * _UNITS[match[2]]


def parse_time(text: str) -> datetime:
    """An ISO 8601 time with its offset, such as `2030-01-31T09:00:00Z`.

    Raises:
        ValueError: it is none, or says no offset.
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time needs its offset from UTC, like 2030-01-31T09:00:00Z")
    return time.astimezone(UTC)
