"""The sandbox over HTTP."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from payment_sandbox.contracts import CaptureRequest, ErrorBody, LedgerBody, RefundRequest, Verdict
from payment_sandbox.ledger import KeyReusedError, Ledger
from payment_sandbox.methods import SLOW_SECONDS, Fault, fault_of
from payment_sandbox.settings import Settings

Key = Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=255)]
STATUSES = {"captured": 200, "refunded": 200, "declined": 402, "refused": 422}


def create_app(settings: Settings, stopping: asyncio.Event | None = None) -> FastAPI:
    """The provider. Requests that get no answer end when their client goes, or `stopping` is set."""
    desk = Desk(settings, stopping or asyncio.Event())

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncGenerator[None]:
        desk.ledger = Ledger(settings.database)
        yield
        desk.ledger.close()

    app = FastAPI(
        title="payment-sandbox",
        description="Takes no money at all.",
        lifespan=living,
        docs_url=None,
        redoc_url=None,
    )  # the stock pages load their scripts from elsewhere

    @app.post("/v1/captures")
    async def capture(wanted: CaptureRequest, key: Key, request: Request) -> JSONResponse:
        return await desk.serve(wanted, wanted.method, key, request)

    @app.post("/v1/refunds")
    async def refund(wanted: RefundRequest, key: Key, request: Request) -> JSONResponse:
        return await desk.serve(wanted, None, key, request)

    @app.get("/v1/ledger")
    async def ledger() -> LedgerBody:
        """What really happened, newest last."""
        return LedgerBody(entries=await desk.ledger.entries())

    @app.get("/livez")
    @app.get("/readyz")
    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.exception_handler(KeyReusedError)
    async def reused(_: Request, __: Exception) -> JSONResponse:
        return _error(422, "key_reused", "This Idempotency-Key belongs to other parameters")

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
        if any(problem["loc"][0] == "header" for problem in error.errors()):
            return _error(400, "key_missing", "An Idempotency-Key of 1 to 255 characters is needed")
        return _error(422, "invalid", "The body is not what this call takes")

    _ = capture, refund, ledger, health, reused, invalid
    return app


class Desk:
    """Where requests are served, well or badly."""

    ledger: Ledger

    def __init__(self, settings: Settings, stopping: asyncio.Event) -> None:
        self._settings = settings
        self._stopping = stopping

    async def serve(
        self, wanted: CaptureRequest | RefundRequest, method: str | None, key: str, request: Request
    ) -> JSONResponse:
        """The answer of this key. Raises KeyReusedError."""
        known = await self.ledger.answer(key, wanted)
        if known is not None:
            return _answer(known)
        fault = fault_of(method, key, self._settings)
        if fault is Fault.ERROR or (fault is Fault.ERROR_ONCE and await self.ledger.fails_first(key)):
            return _error(500, "fault", "The provider failed, no money has moved")
        if fault is Fault.SLOW:
            await self._wait(asyncio.sleep(SLOW_SECONDS))
        verdict = await self.ledger.settle(key, wanted)
        if fault is Fault.SILENT:
            await self._wait(_gone(request))
        return _answer(verdict)

    async def _wait(self, event: Coroutine[None, None, object]) -> None:
        """Waits for the event, or until the sandbox stops."""
        waiting = {asyncio.create_task(event), asyncio.create_task(self._stopping.wait())}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()


async def _gone(request: Request) -> None:
    """Returns when the client has hung up; the body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _answer(verdict: Verdict) -> JSONResponse:
    return JSONResponse(verdict.model_dump(exclude_none=True), STATUSES[verdict.status])


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse(ErrorBody.model_validate({"code": code, "message": message}).model_dump(), status)
