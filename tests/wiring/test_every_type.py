"""Every type of event is handled where the documentation says, and by nobody else."""

from importlib import import_module

import pytest

from shared.events import EVENT_TYPES, QUEUES, Event
from shared.events.flow import WORKERS, handler_of
from shared.queue import Queue


def queue_of(worker: str) -> Queue:
    """What the worker listens to."""
    handlers = import_module(f"{worker.replace('-', '_')}.handlers")
    (queue,) = {value for value in vars(handlers).values() if isinstance(value, Queue)}
    return queue


@pytest.mark.parametrize("contract", EVENT_TYPES.values(), ids=EVENT_TYPES)
def test_it_is_handled_where_the_documentation_says(contract: type[Event]) -> None:
    path, _, name = handler_of(contract).partition("::")
    registration = queue_of(WORKERS[contract.queue]).registrations[contract.type]

    assert registration.event is contract
    assert registration.handler.__name__ == name
    assert path.endswith(f"/{registration.handler.__module__.replace('.', '/')}.py")


@pytest.mark.parametrize("queue", QUEUES)
def test_a_worker_handles_every_type_of_its_queue_and_no_other(queue: str) -> None:
    served = queue_of(WORKERS[queue])

    assert served.name == queue
    assert set(served.registrations) == {name for name, kind in EVENT_TYPES.items() if kind.queue == queue}


def test_what_lies_outside_of_the_database_holds_no_transaction_open() -> None:
    """Money and mails: their handlers call somebody."""
    outside = {name for queue in QUEUES for name in EVENT_TYPES if queue_of(WORKERS[queue]).is_outside(name)}

    assert outside == {
        "PAYMENT_AUTHORIZED",
        "PAYMENT_REFUNDED",
        "send-notification",
        "batch-notification",
        "SEND_EMAIL",
    }
