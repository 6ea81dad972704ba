"""The composition root: what the gateway is made of."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from gateway.activity import Activity
from gateway.adapters.api_keys import ApiKeys
from gateway.adapters.purge import KeyPurge
from gateway.adapters.reader import JournalReader
from gateway.adapters.tables import JournalRow
from gateway.adapters.takeover import TakeOver
from gateway.adapters.workers import TIME_LIMITS, Workers
from gateway.adapters.writer import JournalWriter
from gateway.cursors import Cursors
from gateway.health import HealthCheck
from gateway.routes import events, health, internal, pages, publish, workers
from gateway.routes.parts import Parts
from gateway.service import Publishing
from gateway.settings import Settings
from shared.events import QUEUES
from shared.queue import RedisSender
from shared.queue.connection import connect
from shared.queue.inspection import Inspector
from shared.service.app import create_service
from shared.service.background import Background
from shared.service.health import Health
from shared.service.metrics.counting import Metrics
from shared.service.metrics.needs import NeedsReading
from shared.service.metrics.redis import QueueReading
from shared.service.metrics.store import JournalReading
from shared.service.settings import load
from shared.service.tracing import start_tracing, traced_sender
from shared.service.watchdog import Watchdog
from shared.store.database import Database
from shared.store.relay import Relay

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 10.0
"""How long a request waits for its turn to write before it is told to come again."""
STANDSTILL_SECONDS = 10.0
"""How long the event loop may stand still before the process ends itself."""
DESCRIPTION = "Takes events, keeps a journal of all that becomes of them, and speaks for the workers."


class Gateway:
    """One gateway process, wired."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.database_url, patience=PATIENCE_SECONDS)
        self.redis = connect(settings.redis_url)
        self.http = httpx.AsyncClient(timeout=TIME_LIMITS, trust_env=False)
        sender = RedisSender(self.redis, opens=True)
        self.tracing = start_tracing(settings)
        traced = traced_sender(self.tracing, sender)
        self.relay = Relay(self.database, JournalRow, traced, queues=QUEUES)
        self.watchdog = Watchdog(STANDSTILL_SECONDS)
        service_key = settings.service_key.get_secret_value()
        self.keys = ApiKeys(self.database, service_key=service_key)
        self.inspector = Inspector(self.redis)
        its_health = Health(alive=lambda: None, needs={"database": self._database_trouble})
        self.metrics = Metrics(
            settings.name,
            [
                QueueReading(self.inspector, QUEUES),
                JournalReading(self.database, JournalRow, QUEUES),
                NeedsReading(its_health),
            ],
        )
        its_workers = Workers(self.http, settings.workers, settings.service_key)
        self.app = create_service(
            settings,
            description=DESCRIPTION,
            health=its_health,
            metrics=self.metrics,
            tracing=self.tracing,
            lifespan=self._living,
            routes=[
                publish.router,
                events.router,
                workers.router,
                internal.router,
                health.router,
                pages.router,
            ],
            summary=False,
        )
        self.app.state.authenticator = self.keys
        self.app.state.parts = Parts(
            publishing=Publishing(JournalWriter(self.database, self.relay), clock=sender.clock.now),
            reader=JournalReader(self.database),
            activity=Activity(self.inspector),
            take_over=TakeOver(self.database),
            workers=its_workers,
            cursors=Cursors(service_key),
            health=HealthCheck(its_workers, self._ping_redis, self.database.ping),
        )

    async def _ping_redis(self) -> None:
        await self.redis.ping()

    async def _database_trouble(self) -> str | None:
        await self.database.ping()
        return None

    @asynccontextmanager
    async def _living(self) -> AsyncGenerator[None]:
        if self.settings.admin_key:
            await self.keys.admit_admin(self.settings.admin_key.get_secret_value())
        self.watchdog.start()
        background = Background()
        background.start("relay", self.relay.run)
        background.start("key purge", KeyPurge(self.database).run)
        log.info("started")
        try:
            yield
        finally:
            await background.stop()
            await self.watchdog.stop()
            await self.http.aclose()
            await self.redis.aclose()
            await self.database.close()
            log.info("stopped")


def create_app(settings: Settings | None = None) -> FastAPI:
    return Gateway(settings or load(Settings)).app
