"""What this service is told from outside."""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from shared.service.settings import WorkerSettings

Url = Annotated[str, StringConstraints(pattern=r"^https?://")]


class Settings(WorkerSettings):
    name: ClassVar[str] = "payment-worker"

    port: int = Field(8002, alias="PAYMENT_WORKER_PORT", ge=1, le=65535)
    provider: Literal["sandbox"] = Field("sandbox", alias="PAYMENT_PROVIDER")
    sandbox_url: Url = Field("http://127.0.0.1:8010", alias="PAYMENT_SANDBOX_URL")
    order_worker_url: Url = Field("http://127.0.0.1:8001", alias="ORDER_WORKER_URL")
    provider_seconds: float = Field(5.0, alias="PAYMENT_PROVIDER_SECONDS", ge=0.1, le=20)
    """How long a call to the provider may take in all."""

    @property
    def claim_for(self) -> timedelta:
        """How long a claim holds: the call, and some time to note how it ended."""
        return timedelta(seconds=self.provider_seconds + 5)
