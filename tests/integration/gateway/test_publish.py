import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from integration.gateway.house import House, order, order_created


async def test_an_accepted_event_can_be_read_back(any_house: House) -> None:
    answer = await any_house.publish(order_created())

    receipt = answer.json()
    event = await any_house.event(receipt["id"])
    assert answer.status_code == 202
    assert receipt == {
        "id": receipt["id"],
        "type": "ORDER_CREATED",
        "queue": "orders",
        "status": "waiting",
        "duplicate": False,
    }
    assert UUID(receipt["id"]).version == 7
    assert event["data"] == order()
    assert (event["subject"], event["correlation_id"]) == ("order/1042", "1042")
    assert (event["status"], event["attempts"], event["caused"]) == ("waiting", [], [])


async def test_what_a_client_sets_is_kept(house: House) -> None:
    later = datetime.now(UTC) + timedelta(days=1)

    event_id = await house.published(
        order_created(
            id="order-1042:created",
            subject="order/of-ada",
            correlation_id="story-1",
            not_before=later.isoformat(),
            expires_at=(later + timedelta(days=1)).isoformat(),
            priority="high",
            max_attempts=3,
        )
    )

    event = await house.event(event_id)
    assert event_id == "order-1042:created"
    assert (event["subject"], event["correlation_id"]) == ("order/of-ada", "story-1")
    assert (event["priority"], event["max_attempts"], event["status"]) == ("high", 3, "delayed")
    assert datetime.fromisoformat(event["not_before"]) == later


async def test_a_delay_in_milliseconds_makes_an_event_delayed(house: House) -> None:
    answer = await house.publish(order_created(delay_ms=60_000))

    event = await house.event(answer.json()["id"])
    ahead = datetime.fromisoformat(event["not_before"]) - datetime.now(UTC)
    assert answer.json()["status"] == "delayed"
    assert timedelta(seconds=50) < ahead <= timedelta(seconds=60)


async def test_no_delay_is_no_delay(house: House) -> None:
    answer = await house.publish(order_created(delay_ms=0))

    assert answer.json()["status"] == "waiting"


async def test_a_known_id_with_the_same_body_is_a_duplicate(any_house: House) -> None:
    await any_house.publish(order_created(id="e-1"))

    again = await any_house.publish(order_created(id="e-1"))

    assert (again.status_code, again.json()["duplicate"]) == (202, True)
    assert len(await any_house.items("/v1/events")) == 1


async def test_a_known_id_with_another_body_is_a_conflict(any_house: House) -> None:
    await any_house.publish(order_created(id="e-1"))

    other = await any_house.publish(order_created("1043", id="e-1"))

    assert other.status_code == 409
    assert other.json()["type"].endswith(":id-conflict")


async def test_an_event_that_has_expired_since_is_still_a_duplicate(house: House) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    event = order_created(id="e-1", expires_at=soon)
    first = await house.publish(event)
    house.publish_with(clock=lambda: datetime.now(UTC) + timedelta(hours=2))

    again = await house.publish(event)

    assert (first.status_code, again.status_code, again.json()["duplicate"]) == (202, 202, True)


async def test_what_is_strange_in_a_text_is_kept_as_it_is(any_house: House) -> None:
    names = [
        "{{7*7}}",
        "<script>alert(1)</script>",
        "=HYPERLINK(1)",
        "\\u001b[31m",
        "O'Brien; DROP TABLE",
        "名前",
    ]
    for number, name in enumerate(names):
        data = order(customer={"id": "c", "email": "a@example.com", "name": name})
        event_id = await any_house.published({"type": "ORDER_CREATED", "data": data, "id": f"e-{number}"})

        assert (await any_house.event(event_id))["data"]["customer"]["name"] == name


async def test_concurrent_requests_share_commits_and_each_gets_its_own_answer(any_house: House) -> None:
    answers = await asyncio.gather(
        *(any_house.publish(order_created(str(n), id=f"e-{n % 60}")) for n in range(100))
    )

    statuses = [answer.status_code for answer in answers]
    assert statuses.count(202) == 60
    assert statuses.count(409) == 40
    assert len(await any_house.items("/v1/events", limit=200)) == 60


async def test_a_row_that_the_database_refuses_does_not_fail_its_neighbours(house: House) -> None:
    async with house.database.transaction() as session:
        await session.execute(
            text(
                "CREATE TRIGGER refuse BEFORE INSERT ON journal WHEN NEW.id = 'bad' "
                "BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        )

    answers = await asyncio.gather(
        *(house.publish(order_created(id=name)) for name in ("good-1", "bad", "good-2")),
        return_exceptions=True,
    )

    assert [getattr(answer, "status_code", None) for answer in answers] == [202, None, 202]
