"""What a worker's lease bounds besides the hold on its events."""

import pytest
from sqlalchemy import text

import order_worker.main
import order_worker.settings
from support.ports import free_port


@pytest.mark.parametrize(("lease", "borne"), [("2.5", "2500ms"), ("3600", "1min")])
async def test_a_frozen_worker_holds_no_row_for_longer_than_its_events_nor_than_a_minute(
    postgres_url: str, lease: str, borne: str
) -> None:
    told = {
        "DATABASE_URL": postgres_url,
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}",
        "QUEUE_SERVICE_KEY": "a-key-of-the-services-of-this-test",
        "QUEUE_LEASE_SECONDS": lease,
    }
    app = order_worker.main.create_app(order_worker.settings.Settings.model_validate(told))

    async with app.state.database.reading() as session:
        bears = await session.scalar(text("SHOW idle_in_transaction_session_timeout"))
    await app.state.database.close()

    assert bears == borne
