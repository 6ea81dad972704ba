"""Orders that want the same SKUs lock them in the same order, whatever way the database finds them."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg.errors import LockNotAvailable
from sqlalchemy import text

from inventory_worker.adapters.inventory import SqlInventory
from inventory_worker.service import StockCount
from shared.store.database import Database
from shared.store.migrate import migrate
from support import eventually

WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)
LOCK = "SELECT sku FROM stock WHERE sku = %s FOR UPDATE NOWAIT"
SKUS = ["c", "a", "b"]
"""As the table holds them, and as a scan of it would find them."""


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    migrate(postgres_url, "inventory_worker")
    database = Database(postgres_url)
    async with database.transaction() as session:
        for sku in SKUS:
            await StockCount(SqlInventory(session)).set_to(sku, 10, 0)
    yield database
    await database.close()


async def _lock_all(database: Database) -> list[str]:
    async with database.transaction() as session:
        for way in ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"):
            await session.execute(text(f"SET LOCAL {way} = off"))
        return list(await SqlInventory(session).lock(SKUS))


@pytest.mark.parametrize(("held", "locked_by_then"), [("a", set[str]()), ("b", {"a"}), ("c", {"a", "b"})])
async def test_stock_is_locked_in_the_order_of_its_skus(
    database: Database, postgres_url: str, held: str, locked_by_then: set[str]
) -> None:
    """While somebody else holds one, those before it are locked and those behind it are not."""
    async with (
        await psycopg.AsyncConnection.connect(postgres_url) as holder,
        await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as other,
    ):
        await holder.execute(LOCK, [held])
        locking = asyncio.create_task(_lock_all(database))

        async def it_waits() -> bool:
            return await (await other.execute(WAITING)).fetchone() == (1,)

        await eventually(it_waits)
        assert {sku for sku in SKUS if sku != held and await _is_locked(other, sku)} == locked_by_then

        await holder.rollback()
        assert await asyncio.wait_for(locking, 5) == sorted(SKUS)


async def _is_locked(connection: psycopg.AsyncConnection, sku: str) -> bool:
    try:
        await connection.execute(LOCK, [sku])
    except LockNotAvailable:
        return True
    return False
