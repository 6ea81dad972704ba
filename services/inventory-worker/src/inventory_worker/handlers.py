"""What inventory-worker listens to. Each handler names one use case; it decides nothing."""

from typing import Annotated

from faststream import Context, Depends

from inventory_worker.adapters.inventory import SqlInventory
from inventory_worker.service import StockService
from shared.events.inventory import InventoryReleased, InventoryReserved, LowStockAlert
from shared.queue import Queue
from shared.store.unit import CurrentUnit

inventory = Queue("inventory")


def stock_service(unit: CurrentUnit) -> StockService:
    return StockService(SqlInventory(unit.session), unit)


Stock = Annotated[StockService, Depends(stock_service)]
OperatorsEmail = Annotated[str, Context("operators_email")]
"""A setting, which `main` puts into the context."""


@inventory.on(InventoryReserved)
async def on_inventory_reserved(event: InventoryReserved, stock: Stock) -> None:
    await stock.reserve_for(event.order_id, event.lines)


@inventory.on(InventoryReleased)
async def on_inventory_released(event: InventoryReleased, stock: Stock) -> None:
    await stock.release_for(event.order_id)


@inventory.on(LowStockAlert)
async def on_low_stock_alert(event: LowStockAlert, stock: Stock, email: OperatorsEmail) -> None:
    await stock.alert_operators(event, email)
