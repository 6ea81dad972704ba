"""What the gateway is told from outside."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr, StringConstraints

from shared.service.settings import ServiceSettings

Url = Annotated[str, StringConstraints(pattern=r"^https?://[^/]+$")]


class Settings(ServiceSettings):
    name: ClassVar[str] = "gateway"

    port: int = Field(8000, alias="GATEWAY_PORT", ge=1, le=65535)
    admin_key: Annotated[SecretStr, Field(min_length=16)] | None = Field(None, alias="QUEUE_ADMIN_KEY")
    """A key that has all scopes from the start."""
    order_worker_url: Url | None = Field(None, alias="ORDER_WORKER_URL")
    inventory_worker_url: Url | None = Field(None, alias="INVENTORY_WORKER_URL")
    payment_worker_url: Url | None = Field(None, alias="PAYMENT_WORKER_URL")
    notification_worker_url: Url | None = Field(None, alias="NOTIFICATION_WORKER_URL")

    @property
    def workers(self) -> Mapping[str, str]:
        """The addresses of the workers that run, by name."""
        urls = {
            "order-worker": self.order_worker_url,
            "payment-worker": self.payment_worker_url,
            "inventory-worker": self.inventory_worker_url,
            "notification-worker": self.notification_worker_url,
        }
        return {name: url for name, url in urls.items() if url}
