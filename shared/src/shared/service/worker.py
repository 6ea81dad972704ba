"""The worker application: everything around the handlers of one queue."""

import logging
import os
import signal
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import httpx
from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse
from faststream import FastStream
from faststream.specification import AsyncAPI

from shared.events import QUEUES
from shared.queue import ConsumerOptions, Queue, QueueBroker, RedisSender
from shared.queue.connection import connect
from shared.queue.inspection import Inspector
from shared.service.app import create_service
from shared.service.background import Background
from shared.service.delivery_log import DeliveryLog, LogFields
from shared.service.health import Check, Health
from shared.service.keys import GatewayKeys
from shared.service.metrics.counting import Metrics
from shared.service.metrics.needs import ConsumerReading, NeedsReading
from shared.service.metrics.redis import QueueReading
from shared.service.metrics.store import OutboxReading
from shared.service.settings import WorkerSettings
from shared.service.tracing import start_tracing, traced_ledger, traced_sender
from shared.service.watchdog import Watchdog
from shared.store.database import Database
from shared.store.handover import HandOver
from shared.store.ledger import Doubt, SqlLedger
from shared.store.postgres import Limits
from shared.store.relay import Relay
from shared.store.tables import Outbox

log = logging.getLogger(__name__)

IDLE_AT_MOST = 60.0
"""Seconds: however long a lease is, other replicas wait no longer for the rows of one that froze."""
SILENT_AT_MOST = 15.0
"""Seconds without a sign of the read loop, which comes round every second, until it counts as dead."""
GATEWAY_TIMES = httpx.Timeout(10.0, connect=2.0)


def create_worker(
    settings: WorkerSettings,
    *,
    queue: Queue,
    description: str,
    routes: Sequence[APIRouter] = (),
    context: Mapping[str, Any] = MappingProxyType({}),
    needs: Mapping[str, Check] = MappingProxyType({}),
    closing: Sequence[Callable[[], Awaitable[None]]] = (),
    in_doubt: Doubt | None = None,
) -> FastAPI:
    """The application of the worker that serves this queue.

    `context` is what handlers may ask for with FastStream's `Context("name")`. `needs` are asked for its
    readiness, beside Redis and the database. `closing` is awaited once no handler runs any more. `in_doubt`
    tells of an event that ends whether an effect outside of the database may have happened unseen.
    """
    worker = Worker(settings, queue, description, routes, needs=needs, closing=closing, in_doubt=in_doubt)
    for name, value in context.items():
        worker.broker.context.set_global(name, value)
    return worker.app


class Worker:
    """One worker process, wired: database, broker, relay, hand-over, and what it answers over HTTP."""

    def __init__(
        self,
        settings: WorkerSettings,
        queue: Queue,
        description: str,
        routes: Sequence[APIRouter],
        *,
        needs: Mapping[str, Check],
        closing: Sequence[Callable[[], Awaitable[None]]],
        in_doubt: Doubt | None,
    ) -> None:
        if in_doubt is None and any(map(queue.is_outside, queue.registrations)):
            raise TypeError(f"{queue.name} has handlers with effects outside, and nobody to tell their doubt")
        self.settings = settings
        self.queue = queue
        self.tracing = start_tracing(settings)
        self.database = Database(
            settings.database_url,
            pool_size=settings.concurrency + 5,
            limits=Limits(idle=min(settings.lease_seconds, IDLE_AT_MOST)),
        )
        self.client = connect(settings.redis_url)
        self.gateway = httpx.AsyncClient(
            base_url=settings.gateway_url,
            headers={"Authorization": f"Bearer {settings.service_key.get_secret_value()}"},
            timeout=GATEWAY_TIMES,
            trust_env=False,  # no proxy stands between our own services
        )
        sender = traced_sender(self.tracing, RedisSender(self.client, opens=False))
        self.relay = Relay(self.database, Outbox, sender, queues=QUEUES)
        self.handover = HandOver(self.database, queue.name, self.gateway)
        ledger = SqlLedger(self.database, source=settings.name, on_commit=self._committed, in_doubt=in_doubt)
        self.broker = QueueBroker(settings.redis_url, logger=None, middlewares=[LogFields])
        health = Health(
            alive=self._alive,
            needs={"redis": self._redis, "database": self._database, **needs},
            details=self._details,
            disabled=not settings.workers_enabled,
        )
        self.metrics = self._make_metrics(health)
        name = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
        self.consumer = self.broker.serve(
            queue,
            ledger=traced_ledger(self.tracing, ledger),
            options=ConsumerOptions(
                name, concurrency=settings.concurrency, lease=settings.lease, grace=settings.grace
            ),
            observer=DeliveryLog(self.metrics),
        )
        self.watchdog = Watchdog(settings.lease_seconds)
        self._closing = closing
        self.faststream = FastStream(
            self.broker,
            logger=None,
            specification=AsyncAPI(title=settings.name, description=description),
        )
        self.app = create_service(
            settings,
            description=description,
            health=health,
            metrics=self.metrics,
            tracing=self.tracing,
            lifespan=self._living,
            routes=[*routes, self._asyncapi()],
        )
        self.app.state.database = self.database
        self.app.state.authenticator = GatewayKeys(settings.service_key.get_secret_value(), self.gateway)

    @asynccontextmanager
    async def _living(self) -> AsyncGenerator[None]:
        background = Background()
        background.start("relay", self.relay.run)
        background.start("hand-over", self.handover.run)
        self.watchdog.start()
        if self.settings.workers_enabled:
            await self.faststream.start()
            background.start("consumer watch", self._watch_consumer)
        log.info("started", extra={"queue": self.queue.name, "consumes": self.settings.workers_enabled})
        try:
            yield
        finally:
            if self.settings.workers_enabled:
                await self.faststream.stop()
            await background.stop()
            await self.watchdog.stop()
            for close in self._closing:
                await close()
            await self.gateway.aclose()
            await self.client.aclose()
            await self.database.close()
            log.info("stopped", extra={"queue": self.queue.name})

    async def _watch_consumer(self) -> None:
        """A consumer that died of a bug takes its process with it: whoever keeps the process restarts it."""
        await self.consumer.died.wait()
        os.kill(os.getpid(), signal.SIGTERM)

    def _committed(self, caused: Sequence[Outbox]) -> None:
        if caused:
            self.relay.send_soon(caused)
        self.handover.nudge()

    def _alive(self) -> str | None:
        if not self.settings.workers_enabled:
            return None
        if not self.consumer.alive:
            return "the consumer has stopped"
        if self.consumer.silent_for > SILENT_AT_MOST:
            return f"the read loop has been silent for {self.consumer.silent_for:.0f} s"
        return None

    async def _redis(self) -> str | None:
        await self.client.ping()
        return self.consumer.redis_trouble

    async def _database(self) -> str | None:
        await self.database.ping()
        return self.consumer.breaker.trouble

    def _details(self) -> dict[str, Any]:
        return {
            "queue": self.queue.name,
            "state": self.consumer.state if self.settings.workers_enabled else "disabled",
            "in_hand": self.consumer.in_hand,
            "gateway": self.handover.trouble or "ok",
        }

    def _make_metrics(self, health: Health) -> Metrics:
        name = self.queue.name
        metrics = Metrics(
            self.settings.name,
            [
                QueueReading(Inspector(self.client), [name]),
                OutboxReading(self.database, self.handover, QUEUES),
                NeedsReading(health, {"gateway": lambda: self.handover.trouble}),
                ConsumerReading(name, places=self.settings.concurrency, trouble=self._idle),
            ],
        )
        metrics.expect(name, self.queue.registrations)
        return metrics

    def _idle(self) -> str | None:
        return self._alive() if self.settings.workers_enabled else "disabled"

    def _asyncapi(self) -> APIRouter:
        router = APIRouter(tags=["health"])

        @router.get("/asyncapi")
        async def asyncapi() -> JSONResponse:
            """The AsyncAPI document of what this worker listens to."""
            return JSONResponse(self.faststream.schema.to_specification().to_jsonable())

        _ = asyncapi
        return router
