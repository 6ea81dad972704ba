"""The orders, asked of order-worker over HTTP."""

from http import HTTPStatus
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from payment_worker.adapters.http import Caller, NoAnswerError, NotReachedError
from payment_worker.domain.order import Customer, Order, OrderMissingError
from payment_worker.ports import OrdersAwayError
from shared.events.contact import Email, Locale
from shared.events.money import Currency, Price
from shared.events.text import Identifier, Label
from shared.service.problem import Kind

SECONDS = 5.0
MOST_BYTES = 1024 * 1024
"""Four times what the gateway takes for an order."""


class _Said(BaseModel):
    """What is read of an answer; it may hold more."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)


class _Customer(_Said):
    id: Identifier
    email: Email
    name: Label
    locale: Locale | None = None


class _Order(_Said):
    order_id: str
    status: str
    customer: _Customer
    currency: Currency
    total: Price


class _Problem(_Said):
    type: str


class HttpOrders:
    """Implements the port `Orders`."""

    def __init__(self, base_url: str, service_key: SecretStr) -> None:
        headers = {"Authorization": f"Bearer {service_key.get_secret_value()}"}
        self._caller = Caller(base_url, seconds=SECONDS, most_bytes=MOST_BYTES, headers=headers)

    async def find(self, order_id: str) -> Order:
        try:
            answer = await self._caller.ask("GET", f"/v1/orders/{quote(order_id, safe='')}")
        except (NotReachedError, NoAnswerError) as error:
            raise OrdersAwayError(f"order-worker: {error}") from None
        if answer.status == HTTPStatus.NOT_FOUND and _is_missing(answer.body):
            raise OrderMissingError(order_id)
        if answer.status != HTTPStatus.OK:
            raise OrdersAwayError(f"order-worker answers {answer.status}")
        try:
            said = _Order.model_validate_json(answer.body)
        except ValidationError:
            raise OrdersAwayError("order-worker answers what is no order") from None
        if said.order_id != order_id:
            raise OrdersAwayError("order-worker answers another order")
        customer = said.customer
        return Order(
            order_id=said.order_id,
            total=said.total,
            currency=said.currency,
            cancelled=said.status == "cancelled",
            customer=Customer(customer.id, customer.email, customer.name, customer.locale),
        )

    async def aclose(self) -> None:
        await self._caller.aclose()


def _is_missing(body: bytes) -> bool:
    """Whether it is order-worker that says so, and not whoever else listens at its address."""
    try:
        return _Problem.model_validate_json(body).type == Kind.NOT_FOUND.type
    except ValidationError:
        return False
