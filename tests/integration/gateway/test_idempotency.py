import asyncio
import json
from datetime import timedelta

from gateway.adapters.purge import KeyPurge
from integration.gateway.house import House, open_house, order_created
from shared.store.tables import utc_now


async def test_the_same_key_and_body_get_the_first_answer_field_for_field(any_house: House) -> None:
    first = await any_house.publish(order_created(), **{"Idempotency-Key": "k"})

    again = await any_house.publish(order_created(), **{"Idempotency-Key": "k"})

    assert (again.status_code, again.json()) == (202, first.json())
    assert len(await any_house.items("/v1/events")) == 1


async def test_bodies_are_compared_as_json_not_as_bytes(house: House) -> None:
    event = order_created()
    first = await house.publish_raw(json.dumps(event).encode(), **{"Idempotency-Key": "k"})
    turned = json.dumps(dict(reversed(event.items())), indent=3).replace("Ada", "\\u0041da")

    again = await house.publish_raw(turned.encode(), **{"Idempotency-Key": "k"})

    assert (again.status_code, again.json()) == (202, first.json())


async def test_the_same_key_with_another_body_is_422(any_house: House) -> None:
    await any_house.publish(order_created(), **{"Idempotency-Key": "k"})

    other = await any_house.publish(order_created("1043"), **{"Idempotency-Key": "k"})

    assert (other.status_code, other.json()["type"]) == (422, "urn:shop-queue:problem:key-reused")
    assert len(await any_house.items("/v1/events")) == 1


async def test_another_clients_key_is_another_space(house: House) -> None:
    other_client = await house.admit("another-key-of-a-client", "events:write")
    await house.publish(order_created(), **{"Idempotency-Key": "k"})

    other = await house.publish(order_created("1043"), **{"Idempotency-Key": "k", **other_client})

    assert (other.status_code, other.json()["duplicate"]) == (202, False)


async def test_a_refused_event_leaves_its_key_free(house: House) -> None:
    refused = await house.publish({"type": "ORDER_CREATED", "data": {}}, **{"Idempotency-Key": "k"})

    accepted = await house.publish(order_created(), **{"Idempotency-Key": "k"})

    assert (refused.status_code, accepted.status_code) == (422, 202)


async def test_an_id_conflict_leaves_its_key_free(any_house: House) -> None:
    await any_house.publish(order_created("1", id="e-1"))
    refused = await any_house.publish(order_created("2", id="e-1"), **{"Idempotency-Key": "k"})

    accepted = await any_house.publish(order_created("3"), **{"Idempotency-Key": "k"})

    assert (refused.status_code, accepted.status_code) == (409, 202)


async def test_50_parallel_posts_with_each_of_20_keys_make_20_events(any_house: House) -> None:
    any_house.publish_with(patience=120)  # on a slow machine nobody is told 409

    answers = await asyncio.gather(
        *(
            any_house.publish(order_created(str(n % 20)), **{"Idempotency-Key": f"k-{n % 20}"})
            for n in range(1000)
        )
    )

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 20
    assert len(await any_house.items("/v1/events", limit=200)) == 20


async def test_two_gateways_on_one_database_agree_on_a_key(any_gateway_url: str) -> None:
    async with open_house(any_gateway_url) as one, open_house(any_gateway_url) as two:
        answers = await asyncio.gather(
            *(
                gateway.publish(order_created(str(n % 10)), **{"Idempotency-Key": f"k-{n % 10}"})
                for n in range(100)
                for gateway in (one, two)
            )
        )

        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.text for answer in answers}) == 10
        assert len(await two.items("/v1/events", limit=200)) == 10


async def test_keys_are_kept_for_a_day_and_forgotten_later(house: House) -> None:
    first = await house.publish(order_created(), **{"Idempotency-Key": "k"})
    await KeyPurge(house.database, clock=lambda: utc_now() + timedelta(hours=24)).purge()
    within_a_day = await house.publish(order_created(), **{"Idempotency-Key": "k"})

    await KeyPurge(house.database, clock=lambda: utc_now() + timedelta(hours=49)).purge()
    later = await house.publish(order_created(), **{"Idempotency-Key": "k"})

    assert within_a_day.json() == first.json()
    assert later.json()["id"] != first.json()["id"]
