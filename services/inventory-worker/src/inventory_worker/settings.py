"""What this service is told from outside."""

from typing import ClassVar

from pydantic import Field

from shared.events.contact import Email
from shared.service.settings import WorkerSettings


class Settings(WorkerSettings):
    name: ClassVar[str] = "inventory-worker"

    port: int = Field(8003, alias="INVENTORY_WORKER_PORT", ge=1, le=65535)
    operators_email: Email = Field("operators@example.com", alias="OPERATORS_EMAIL")
    """Who hears that stock is low."""
