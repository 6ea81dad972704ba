"""What a worker's migrations make is what its code reads and writes."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from inventory_worker.adapters.inventory import MovementRow, ReservationRow, StockRow
from notification_worker.adapters.tables import BatchRow, MessageRow, TemplateRow
from order_worker.adapters.orders import OrderRow
from payment_worker.adapters.tables import PaymentRow, RefundRow
from shared.store.database import async_url
from shared.store.migrate import migrate
from shared.store.tables import Attempt, Inbox, Outbox

DELIVERY = (Inbox, Attempt, Outbox)
TABLES = {
    "order_worker": (*DELIVERY, OrderRow),
    "inventory_worker": (*DELIVERY, StockRow, ReservationRow, MovementRow),
    "payment_worker": (*DELIVERY, PaymentRow, RefundRow),
    "notification_worker": (*DELIVERY, MessageRow, TemplateRow, BatchRow),
}


@pytest.mark.parametrize("package", TABLES)
def test_the_migrations_make_exactly_the_tables_of_the_code(package: str, database_url: str) -> None:
    migrate(database_url, package)
    migrate(database_url, package)
    declared = sa.MetaData()
    for table in TABLES[package]:
        of_the_code = inspect(table).local_table
        assert isinstance(of_the_code, sa.Table)
        of_the_code.to_metadata(declared)
    url = async_url(database_url)

    engine = sa.create_engine(url.set(drivername=url.drivername.replace("+aiosqlite", "")))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        difference = compare_metadata(context, declared)
    engine.dispose()

    assert difference == []
