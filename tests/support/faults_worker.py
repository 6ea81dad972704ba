"""A worker whose handlers do as their event says: sleep, die, raise, spin. It serves `notifications`.

Its effect has no key of its own, so a second effect of one event shows as a second row. A start is a line in
a file, which no transaction takes back.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

from pydantic import Field
from sqlalchemy import create_engine
from sqlmodel import Field as Column
from sqlmodel import SQLModel

from shared.events import Recipient, SendEmail, SendNotification
from shared.queue import Queue, RetryLaterError
from shared.service.app import serve
from shared.service.settings import WorkerSettings, load
from shared.service.worker import create_worker
from shared.store.database import async_url
from shared.store.tables import Attempt, Inbox, Outbox, UtcDateTime, utc_now
from shared.store.unit import CurrentUnit, Unit

STARTS_SETTING = "STARTS_FILE"
TIME_LIMIT_SECONDS = 120.0


class Settings(WorkerSettings):
    name: ClassVar[str] = "notification-worker"

    port: int = Field(8004, alias="NOTIFICATION_WORKER_PORT", ge=1, le=65535)


class Effect(SQLModel, table=True):
    """What a handler did; nothing but the inbox keeps a second row of one event away."""

    number: int | None = Column(default=None, primary_key=True)
    event_id: str
    run: int
    at: datetime = Column(default_factory=utc_now, sa_type=UtcDateTime)


notifications = Queue("notifications")


@notifications.on(SendNotification)
async def on_send_notification(event: SendNotification, unit: CurrentUnit) -> None:
    _start(unit)
    _effect(unit)


@notifications.on(SendEmail, time_limit=TIME_LIMIT_SECONDS)
async def on_send_email(event: SendEmail, unit: CurrentUnit) -> None:
    """The text is what to do: a word and, for some, a number."""
    _start(unit)
    _effect(unit)
    word, _, number = (event.text or "").partition(" ")
    await _DEEDS[word](unit, float(number or 0))


async def _nothing(unit: Unit, number: float) -> None:
    """Its effect is all that it does."""


async def _sleep(unit: Unit, seconds: float) -> None:
    await unit.session.flush()
    await asyncio.sleep(seconds)


async def _stumble(unit: Unit, seconds: float) -> None:
    await asyncio.sleep(seconds)
    raise RetryLaterError("stumbled", after=timedelta(milliseconds=50))


async def _die(unit: Unit, number: float) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def _spin(unit: Unit, number: float) -> None:
    while True:
        pass


async def _raise(unit: Unit, number: float) -> None:
    raise ValueError("a bug")


async def _cause(unit: Unit, number: float) -> None:
    for n in range(int(number)):
        recipient = Recipient(user_id=f"{unit.envelope.id}-{n}")
        unit.publish(SendNotification(recipient=recipient, template="caused", variables={}))


_DEEDS: Mapping[str, Callable[[Unit, float], Awaitable[None]]] = {
    "nothing": _nothing,
    "sleep": _sleep,
    "stumble": _stumble,
    "die": _die,
    "spin": _spin,
    "raise": _raise,
    "cause": _cause,
}


def _start(unit: Unit) -> None:
    line = f"{unit.envelope.id} {unit.envelope.run} {os.getpid()}\n"
    file = os.open(os.environ[STARTS_SETTING], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, line.encode())
    os.close(file)


def _effect(unit: Unit) -> None:
    unit.session.add(Effect(event_id=unit.envelope.id, run=unit.envelope.run))


def starts(file: Path) -> dict[str, int]:
    """How often the handler of each event was started."""
    counts: dict[str, int] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        event_id = line.split()[0]
        counts[event_id] = counts.get(event_id, 0) + 1
    return counts


def main() -> None:
    settings = load(Settings)
    if sys.argv[1:] == ["migrate"]:
        url = async_url(settings.database_url)
        engine = create_engine(url.set(drivername=url.drivername.replace("+aiosqlite", "")))
        tables = [
            SQLModel.metadata.tables[kind.__name__.lower()] for kind in (Inbox, Attempt, Outbox, Effect)
        ]
        SQLModel.metadata.create_all(engine, tables=tables)
        engine.dispose()
        return
    serve(create_worker(settings, queue=notifications, description="Does as it is told."), settings)


if __name__ == "__main__":
    main()
