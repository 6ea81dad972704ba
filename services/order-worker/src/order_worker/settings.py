"""What this service is told from outside."""

from typing import ClassVar

from pydantic import Field

from shared.service.settings import WorkerSettings


class Settings(WorkerSettings):
    name: ClassVar[str] = "order-worker"

    port: int = Field(8001, alias="ORDER_WORKER_PORT", ge=1, le=65535)
