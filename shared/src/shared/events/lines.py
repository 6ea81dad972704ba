"""The lines of an order: what, how many, and at which price."""

from typing import Annotated, Final, Protocol, TypeVar

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from shared.events.base import Contract
from shared.events.money import Price
from shared.events.text import Sku

LINES_MAX: Final = 500
QUANTITY_MAX: Final = 10_000

Quantity = Annotated[int, Field(ge=1, le=QUANTITY_MAX, description="pieces")]


class _HasSku(Protocol):
    @property
    def sku(self) -> str: ...


_L = TypeVar("_L", bound=_HasSku)


def _each_sku_once(lines: tuple[_L, ...]) -> tuple[_L, ...]:
    if len({line.sku for line in lines}) < len(lines):
        raise PydanticCustomError("sku_twice", "A SKU appears in more than one line")
    return lines


class StockLine(Contract):
    """So many pieces of one SKU."""

    sku: Sku
    quantity: Quantity


class OrderLine(Contract):
    """So many pieces of one SKU, each at one price."""

    sku: Sku
    quantity: Quantity
    unit_price: Price


StockLines = Annotated[
    tuple[StockLine, ...],
    Field(min_length=1, max_length=LINES_MAX, description="each SKU once"),
    AfterValidator(_each_sku_once),
]
OrderLines = Annotated[
    tuple[OrderLine, ...],
    Field(min_length=1, max_length=LINES_MAX, description="each SKU once"),
    AfterValidator(_each_sku_once),
]
