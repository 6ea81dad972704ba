"""The composition root: a mail server and its HTTP side in one process."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from mail_sink import answers, page
from mail_sink.mailbox import Mailbox
from mail_sink.settings import Settings
from mail_sink.smtp import smtp_server

log = logging.getLogger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """While the application lives, mail is taken."""

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncGenerator[None]:
        mailbox = Mailbox(settings.directory, kept=settings.kept)
        app.state.mailbox = mailbox
        async with smtp_server(mailbox, settings.host, settings.smtp_port, size_limit=settings.size_limit):
            log.info("takes mail on port %d, shows it on %d", settings.smtp_port, settings.port)
            yield
        log.info("stopped")

    app = FastAPI(
        title="mail-sink",
        description="Keeps each mail, delivers none.",
        lifespan=living,
        docs_url=None,
        redoc_url=None,
    )  # the stock pages load their scripts from elsewhere
    # A page elsewhere whose name turns into our address must not read the mails.
    app.add_middleware(
        TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1", "[::1]", "mail-sink", settings.host]
    )
    app.include_router(answers.router)
    app.include_router(page.router)
    return app


def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # it writes every command, with its addresses
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=200,
        timeout_graceful_shutdown=3,
    )
