"""The HTTP side that all services share: one FastAPI application, and how it is served."""

import gc
import signal
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import uvicorn
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.service.farewell import Farewell
from shared.service.health import Health, health_routes
from shared.service.hosts import KnownHosts
from shared.service.logs import configure_logs
from shared.service.metrics.counting import Metrics
from shared.service.metrics.http import CountedRequests
from shared.service.problem import answer_with_problems, unavailable
from shared.service.settings import ServiceSettings
from shared.store.database import is_infrastructure

if TYPE_CHECKING:
    from shared.service.tracing.spans import Tracing

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_service(
    settings: ServiceSettings,
    *,
    description: str,
    health: Health,
    metrics: Metrics,
    tracing: "Tracing | None",
    lifespan: Callable[[], AbstractAsyncContextManager[None]],
    routes: Sequence[APIRouter] = (),
    summary: bool = True,
) -> FastAPI:
    """An application with health, metrics, problem+json for every error, and these routes.

    Requests are counted in `metrics`, and reported by `tracing`, which is closed at the end. Without
    `summary` there is no `/health` but one of the routes'.
    `app.state.database` and `app.state.authenticator` are set by whoever composes the service.
    """

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncGenerator[None]:
        configure_logs(settings.name, form=settings.log_format, level=settings.log_level)
        try:
            async with lifespan():
                yield
        finally:
            if tracing:
                await tracing.close()

    app = FastAPI(
        title=settings.name, description=description, lifespan=living, docs_url=None, redoc_url=None
    )  # the stock pages load their scripts from elsewhere
    answer_with_problems(app)
    for error in (DBAPIError, PoolTimeoutError):
        app.add_exception_handler(error, _database_failed)

    app.add_middleware(KnownHosts, hosts=settings.hosts)
    if tracing:
        from shared.service.tracing.http import TracedRequests  # noqa: PLC0415 costs time, where it is wanted

        app.add_middleware(TracedRequests, tracing=tracing)
    app.add_middleware(CountedRequests, metrics=metrics)
    for router in routes:
        app.include_router(router)
    app.include_router(health_routes(health, summary=summary))

    @app.get("/metrics", tags=["health"], summary="Metrics for Prometheus", response_class=Response)
    async def scrape() -> Response:
        return Response(await metrics.scrape(), media_type=CONTENT_TYPE_LATEST)

    _ = scrape
    return app


def collect_garbage_seldom() -> None:
    """Lets the collector look after 20,000 new objects, not 700, and never again at what is there now.

    A service makes many objects that live for one event and hardly any cycles: 5 ms handlers ran at
    0.65 of the ideal without this, at 0.86 with it.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def serve(app: FastAPI, settings: ServiceSettings) -> None:
    """Serves until SIGTERM or SIGINT; then the application stops in good order.

    From SIGUSR1 on, answers ask for each connection to be given up: whoever replaces a service that others
    still talk to sends it some seconds before SIGTERM.
    """
    configure_logs(settings.name, form=settings.log_format, level=settings.log_level)
    collect_garbage_seldom()
    farewell = Farewell(app)
    signal.signal(signal.SIGUSR1, farewell.begin)
    uvicorn.run(
        farewell,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )


async def _reading(request: Request) -> AsyncGenerator[AsyncSession]:
    async with request.app.state.database.reading() as session:
        yield session


async def _writing(request: Request) -> AsyncGenerator[AsyncSession]:
    async with request.app.state.database.transaction() as session:
        yield session


# The scope ends a dependency before the answer is sent: what was not committed is not reported.
Reading = Annotated[AsyncSession, Depends(_reading, scope="function")]
"""A parameter of a route: a session for queries."""
Writing = Annotated[AsyncSession, Depends(_writing, scope="function")]
"""A parameter of a route: a session that is committed before the answer is sent."""


async def _database_failed(_: Request, error: Exception) -> JSONResponse:
    if not is_infrastructure(error):
        raise error  # a bug like any other: whoever answers those logs it, too
    return unavailable("the database cannot be used at the moment").response()
