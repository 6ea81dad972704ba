"""Orders in a dict."""

from order_worker.domain import Order, OrderMissingError


class FakeOrders:
    def __init__(self, *orders: Order) -> None:
        self.stored = {order.order_id: order for order in orders}

    async def add(self, order: Order) -> bool:
        return self.stored.setdefault(order.order_id, order) is order

    async def find(self, order_id: str) -> Order:
        if order_id not in self.stored:
            raise OrderMissingError(order_id)
        return self.stored[order_id]

    async def lock(self, order_id: str) -> Order:
        return await self.find(order_id)

    async def save(self, order: Order) -> None:
        self.stored[order.order_id] = order
