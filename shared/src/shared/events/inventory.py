"""Stock that an order takes and gives back, and stock that runs low."""

from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.events.base import Event, OrderEvent
from shared.events.lines import StockLines
from shared.events.text import Reason, Sku

STOCK_MAX: Final = 10**9
"""The most pieces of one SKU. It fits a 32-bit column."""


class InventoryReserved(OrderEvent):
    """Stock is to be set aside for an order: every line of it, or none."""

    type: ClassVar[str] = "INVENTORY_RESERVED"
    queue: ClassVar[str] = "inventory"
    internal: ClassVar[bool] = True

    lines: StockLines


class InventoryReleased(OrderEvent):
    """What was set aside for an order is to go back into stock."""

    type: ClassVar[str] = "INVENTORY_RELEASED"
    queue: ClassVar[str] = "inventory"
    internal: ClassVar[bool] = True

    reason: Reason


class LowStockAlert(Event):
    """What is available of a SKU has fallen below its threshold."""

    type: ClassVar[str] = "LOW_STOCK_ALERT"
    queue: ClassVar[str] = "inventory"
    internal: ClassVar[bool] = True

    sku: Sku
    available: Annotated[int, Field(ge=0, le=STOCK_MAX, description="pieces, below the threshold")]
    threshold: Annotated[int, Field(ge=1, le=STOCK_MAX, description="pieces")]

    @model_validator(mode="after")
    def _available_is_below_the_threshold(self) -> Self:
        if self.available >= self.threshold:
            raise PydanticCustomError("stock_not_low", "What is available is not below the threshold")
        return self

    def subject(self) -> str | None:
        return f"sku/{self.sku}"
