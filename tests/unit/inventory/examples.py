"""Stock and lines in few words."""

from inventory_worker.domain import Stock
from shared.events.lines import StockLine


def of(sku: str, on_hand: int, *, reserved: int = 0, threshold: int = 0, alerted: bool = False) -> Stock:
    return Stock(sku=sku, on_hand=on_hand, reserved=reserved, low_stock_threshold=threshold, alerted=alerted)


def line(sku: str, quantity: int) -> StockLine:
    return StockLine(sku=sku, quantity=quantity)
