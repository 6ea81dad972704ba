"""What inventory-worker answers over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, Field

from inventory_worker.adapters.inventory import SqlInventory
from inventory_worker.domain import BelowReservedError, Stock, StockMissingError
from inventory_worker.service import StockCount
from shared.events.base import Contract
from shared.events.inventory import STOCK_MAX
from shared.events.text import Sku
from shared.service.app import Reading, Writing
from shared.service.body import read_model
from shared.service.keys import Policy
from shared.service.openapi import json_body, problems
from shared.service.problem import Kind, Problem

router = APIRouter(
    tags=["inventory"],
    responses=problems(Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.INVALID, Kind.UNAVAILABLE),
)

SkuInPath = Annotated[Sku, Path()]
Pieces = Annotated[int, Field(ge=0, le=STOCK_MAX, description="pieces")]


class StockSetting(Contract):
    """The stock of a SKU as it was counted, and below how many available pieces it is low."""

    on_hand: Pieces
    low_stock_threshold: Pieces


class StockBody(BaseModel):
    """The stock of a SKU now; `on_hand` is what is reserved and what is available."""

    sku: str
    on_hand: int
    reserved: int
    available: int
    low_stock_threshold: int


@router.get(
    "/v1/inventory/{sku}",
    dependencies=[Depends(Policy("events:read", "admin:read"))],
    responses=problems(Kind.NOT_FOUND),
    summary="The stock of a SKU",
)
async def show_stock(sku: SkuInPath, session: Reading) -> StockBody:
    try:
        return _body(await StockCount(SqlInventory(session)).find(sku))
    except StockMissingError:
        raise Problem(Kind.NOT_FOUND) from None


async def stock_setting(request: Request) -> StockSetting:
    return await read_model(request, StockSetting)


@router.put(
    "/v1/inventory/{sku}",
    dependencies=[Depends(Policy("admin:write"))],
    responses=problems(Kind.NOT_JSON, Kind.CONFLICT, Kind.TOO_LARGE, Kind.UNSUPPORTED_MEDIA_TYPE),
    openapi_extra=json_body(StockSetting),
    summary="Set the stock of a SKU",
)
async def set_stock(
    sku: SkuInPath,
    # before the session: no transaction waits for a body that drips in
    setting: Annotated[StockSetting, Depends(stock_setting)],
    session: Writing,
) -> StockBody:
    """Makes the SKU where there is none; 409 where orders hold more than `on_hand`."""
    try:
        stock = await StockCount(SqlInventory(session)).set_to(
            sku, setting.on_hand, setting.low_stock_threshold
        )
    except BelowReservedError:
        raise Problem(Kind.CONFLICT, "orders hold more than that") from None
    return _body(stock)


def _body(stock: Stock) -> StockBody:
    return StockBody(
        sku=stock.sku,
        on_hand=stock.on_hand,
        reserved=stock.reserved,
        available=stock.available,
        low_stock_threshold=stock.low_stock_threshold,
    )
