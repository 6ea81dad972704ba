"""A database that says nothing, as whoever asks a service hears of it."""

from urllib.parse import urlsplit, urlunsplit

from prometheus_client.metrics_core import Metric

from shared.service.health import Health
from shared.service.metrics.needs import NeedsReading
from shared.service.metrics.reading import ASK_SECONDS, asked
from shared.store.database import Database
from support.queueing import Link
from support.waiting import eventually


async def test_a_silent_database_is_told_in_time(postgres_url: str) -> None:
    parts = urlsplit(postgres_url)
    async with Link(parts.port or 5432) as link:
        place = f"{parts.username}:{parts.password or ''}@127.0.0.1:{urlsplit(link.url).port}"
        database = Database(urlunsplit(parts._replace(netloc=place)))
        needs = NeedsReading(Health(alive=lambda: None, needs={"database": lambda: _well(database)}))

        async def is_well() -> bool:
            return _told(await asked(needs, ASK_SECONDS)) == {"database": 1}

        await eventually(is_well)
        link.hold()

        told = _told(await asked(needs, ASK_SECONDS))

        link.release()
        await database.close()
    assert told == {"database": 0}


async def _well(database: Database) -> None:
    await database.ping()


def _told(families: list[Metric]) -> dict[str, float]:
    return {sample.labels["need"]: sample.value for family in families for sample in family.samples}
