from integration.gateway.house import House, open_house


async def test_without_redis_events_are_still_accepted(house: House) -> None:
    health = await house.client.get("/health", headers={"Authorization": ""})
    ready = await house.client.get("/readyz")

    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert health.json()["redis"] == {"status": "down"}
    assert health.json()["database"] == {"status": "ok"}
    assert ready.status_code == 200


async def test_only_the_services_of_this_start_are_listed(gateway_url: str) -> None:
    async with open_house(gateway_url, ORDER_WORKER_URL="http://127.0.0.1:1") as house:
        health = (await house.client.get("/health")).json()

    assert health["services"] == {"gateway": {"status": "ok"}, "order-worker": {"status": "down"}}


async def test_with_redis_all_is_well(gateway_url: str, redis_url: str) -> None:
    async with open_house(gateway_url, REDIS_URL=redis_url) as house:
        health = (await house.client.get("/health")).json()

    assert health == {
        "status": "ok",
        "services": {"gateway": {"status": "ok"}},
        "redis": {"status": "ok"},
        "database": {"status": "ok"},
    }
