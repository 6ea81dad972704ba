"""`python -m payment_sandbox` serves until SIGTERM or SIGINT."""

import asyncio
from types import FrameType

import uvicorn

from payment_sandbox.app import create_app
from payment_sandbox.settings import load


class Server(uvicorn.Server):
    """Lets go of the requests that hang on purpose as soon as it is told to stop."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._hanging = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._hanging.set()
        super().handle_exit(sig, frame)


def main() -> None:
    settings = load()
    stopping = asyncio.Event()
    config = uvicorn.Config(
        create_app(settings, stopping),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    Server(config, stopping).run()


if __name__ == "__main__":
    main()
