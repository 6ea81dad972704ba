"""What BullMQ 5 left in Redis is read as BullMQ means it."""

from datetime import UTC, datetime, timedelta

import pytest

from integration.bullmq.house import connected, everything, queue_of
from local_start.bullmq.jobs import Bond, Elsewhere, Job, State
from local_start.bullmq.source import Removal
from support import RedisServer


async def jobs_of(server: RedisServer, name: str = "orders") -> list[Job]:
    async with connected(server.url) as client:
        return [job async for job in queue_of(client, name).jobs()]


async def test_jobs_come_in_the_order_in_which_bullmq_would_run_them(bullmq_redis: RedisServer) -> None:
    ids = [job.id for job in await jobs_of(bullmq_redis) if job.bond is None]

    assert ids == ["1", "2", "3", "8", "9", "10", "5", "4", "later-grüße", "6"]


async def test_a_paused_queue_has_its_jobs_elsewhere(bullmq_redis: RedisServer) -> None:
    jobs = await jobs_of(bullmq_redis, "payments")

    assert [(job.id, job.state) for job in jobs] == [("1", State.PAUSED), ("2", State.PAUSED)]


async def test_a_delay_ends_when_bullmq_would_end_it(bullmq_redis: RedisServer) -> None:
    jobs = {job.id: job for job in await jobs_of(bullmq_redis)}

    tomorrow = datetime.now(UTC) + timedelta(days=1)
    due = jobs["6"].due
    assert due is not None
    assert tomorrow - timedelta(minutes=10) < due <= tomorrow + timedelta(seconds=1)
    assert (jobs["1"].due, jobs["4"].due) == (None, None)


async def test_a_priority_is_kept_by_a_delayed_job_too(bullmq_redis: RedisServer) -> None:
    priorities = {job.id: job.priority for job in await jobs_of(bullmq_redis)}

    assert {name: priorities[name] for name in ("1", "4", "5", "later-grüße")} == {
        "1": 0,
        "4": 5,
        "5": 1,
        "later-grüße": 2,
    }


async def test_what_belongs_to_a_schedule_or_a_flow_is_known(bullmq_redis: RedisServer) -> None:
    bonds = [job.bond for name in ("orders", "inventory") for job in await jobs_of(bullmq_redis, name)]

    assert [bond for bond in bonds if bond] == [Bond.SCHEDULE, Bond.FLOW]


async def test_what_is_not_waiting_is_counted_and_not_read(bullmq_redis: RedisServer) -> None:
    async with connected(bullmq_redis.url) as client:
        found = await queue_of(client, "notifications").look()

    assert (found.counts[Elsewhere.ACTIVE], found.counts[Elsewhere.FAILED]) == (1, 1)
    assert [job.state for job in await jobs_of(bullmq_redis, "notifications")] == [State.DELAYED]


@pytest.mark.parametrize(
    ("name", "workers"),
    [
        ("bull:b3JkZXJz", 1),
        ("bull:b3JkZXJz:w:packing", 1),
        ("bull:b3JkZXJz:qe", 0),
        ("bull:cGF5bWVudHM=", 0),
    ],
)
async def test_connected_workers_are_seen(bullmq_redis: RedisServer, name: str, workers: int) -> None:
    async with connected(bullmq_redis.url) as client:
        with bullmq_redis.client() as worker:
            worker.client_setname(name)
            found = await queue_of(client).look()

    assert found.workers == workers
    assert found.is_at_rest is (workers == 0)


@pytest.mark.parametrize("job_id", ["1", "5", "6", "10"])
async def test_a_removed_job_leaves_nothing(bullmq_redis: RedisServer, job_id: str) -> None:
    async with connected(bullmq_redis.url) as client:
        queue = queue_of(client)
        job = next(job for job in await jobs_of(bullmq_redis) if job.id == job_id)

        assert await queue.remove(job) is Removal.REMOVED
        assert await queue.remove(job) is Removal.GONE
    assert job_id not in [job.id for job in await jobs_of(bullmq_redis)]
    with bullmq_redis.client() as redis:
        assert not redis.exists(f"bull:orders:{job_id}")
        assert redis.exists("bull:orders:de:d10") is (0 if job_id == "10" else 1)


async def test_a_job_that_has_begun_is_not_taken_from_its_worker(bullmq_redis: RedisServer) -> None:
    first = (await jobs_of(bullmq_redis))[0]
    with bullmq_redis.client() as redis:
        redis.rpoplpush("bull:orders:wait", "bull:orders:active")
        before = everything(redis)

        async with connected(bullmq_redis.url) as client:
            assert await queue_of(client).remove(first) is Removal.GONE

        assert everything(redis) == before


async def test_a_job_whose_data_was_changed_since_stays(bullmq_redis: RedisServer) -> None:
    first = (await jobs_of(bullmq_redis))[0]
    with bullmq_redis.client() as redis:
        redis.hset("bull:orders:1", "data", '{"order_id":"another"}')

        async with connected(bullmq_redis.url) as client:
            assert await queue_of(client).remove(first) is Removal.CHANGED

        assert redis.lrange("bull:orders:wait", -1, -1) == [b"1"]
