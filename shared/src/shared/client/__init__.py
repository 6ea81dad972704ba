"""What a shop's own code imports: the typed publisher over HTTP. The events are in `shared.events`."""

from shared.client.errors import GatewayUnavailableError, PublishError, PublishRefusedError
from shared.client.publisher import EventPublisher
from shared.client.request import DeliveryOptions, Published, PublishOptions
from shared.client.retry import RetryPolicy

__all__ = [
    "DeliveryOptions",
    "EventPublisher",
    "GatewayUnavailableError",
    "PublishError",
    "PublishOptions",
    "PublishRefusedError",
    "Published",
    "RetryPolicy",
]
