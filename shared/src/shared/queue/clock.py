"""The time of Redis, which all due times are held against: a machine whose clock is wrong does no harm."""

from datetime import UTC, datetime, timedelta


class ServerClock:
    """This machine's clock, corrected by what Redis last said; uncorrected until it has said anything."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def observe(self, server_now: datetime) -> None:
        """Takes the time that Redis has just told."""
        self._ahead = server_now - datetime.now(UTC)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead
