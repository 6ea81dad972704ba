"""How an event of the journal is shown."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.domain import Status


class EventFacts(BaseModel):
    """What is shown of every event."""

    id: str
    type: str
    queue: str
    status: Status
    subject: str | None
    correlation_id: str
    causation_id: str | None
    time: datetime
    reason: str | None = Field(description="why it is dead, or why it is tried again")
    uncertain: bool = Field(
        description="whether its mail or its money may have gone out unseen, or a mail twice"
    )
    run: int
    source: str
    priority: str
    not_before: datetime | None
    expires_at: datetime | None
    max_attempts: int | None
    retry_at: datetime | None
    ended_at: datetime | None


class EventItem(EventFacts):
    """An event in a list."""

    attempts: int = Field(description="tries of this run, without those that were postponed")


class EventList(BaseModel):
    """Some events, and how to get more: `Link: <…>; rel="next"`."""

    items: list[EventItem]


class Timeline(EventList):
    """All events of one story, oldest first."""

    correlation_id: str


class AttemptItem(BaseModel):
    """One try: `effort` is failed, lost, postponed, or how it ended its run."""

    run: int
    started: datetime
    ended: datetime
    effort: str
    worker: str
    reason: str | None
    error: str | None
    retry_at: datetime | None


class EventLink(BaseModel):
    """Another event of the same story."""

    id: str
    type: str
    queue: str
    status: Status


class EventDetail(EventFacts):
    """An event with all that is known of it. `data` is null where only its outcome is known so far."""

    data: Any
    error: str | None
    attempts: list[AttemptItem]
    caused_by: EventLink | None
    caused: list[EventLink]


class EventType(BaseModel):
    """An event type and the contract of its data, as a JSON Schema."""

    model_config = ConfigDict(serialize_by_alias=True)

    type: str
    queue: str
    internal: bool = Field(description="whether only services publish it, or keys with a scope for it")
    max_attempts: int
    contract: dict[str, Any] = Field(alias="schema")


class EventTypeList(BaseModel):
    """All event types."""

    items: list[EventType]
