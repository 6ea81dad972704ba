"""How many transactions a notification takes, however many channels it goes by."""

from collections.abc import Generator
from contextlib import contextmanager

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from integration.notifications.house import Worker, envelope_of
from integration.notifications.test_sending import SHIPPED, notification
from shared.events import Event
from shared.events.notifications import SendEmail
from shared.queue import Verdict

RAW = SendEmail.model_validate({"to": "ada@example.com", "subject": "Hello", "text": "Hi"})


@contextmanager
def commits() -> Generator[list[Session]]:
    """Those that are made within."""
    made: list[Session] = []

    def note(session: Session) -> None:
        made.append(session)

    event.listen(Session, "after_commit", note)
    try:
        yield made
    finally:
        event.remove(Session, "after_commit", note)


@pytest.mark.parametrize(
    ("what", "count"),
    [(SHIPPED, 3), (RAW, 3), (notification(channels=("in-app",)), 2)],
    ids=["both", "raw", "in-app"],
)
async def test_a_mail_takes_three_its_intent_its_claim_and_its_end(
    worker: Worker, what: Event, count: int
) -> None:
    with commits() as made:
        assert await worker.handle(envelope_of(what)) == Verdict("completed")

    assert len(made) == count
