"""What all contracts have in common."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, JsonValue

from shared.events.text import Identifier


class Contract(BaseModel):
    """A frozen record that takes exactly what it declares: no coercion, no field more.

    The text of its errors does not repeat the input, so it may be logged.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)


class Event(Contract):
    """The data of one event type, and the routing that belongs to the type.

    A contract only ever gains optional fields, and its bounds only ever widen: what was once accepted
    parses for ever.
    """

    type: ClassVar[str]
    """The name on the wire."""
    queue: ClassVar[str]
    """The queue that carries it."""
    internal: ClassVar[bool] = False
    """Whether only services publish it; a client needs a scope of its own for it."""
    max_attempts: ClassVar[int] = 5
    """How often a run is tried before the event is dead, unless its envelope says otherwise."""

    def subject(self) -> str | None:
        """The aggregate that it is about, such as `order/1042`, or None where there is none."""
        return None

    def correlation(self) -> str | None:
        """What joins it to the rest of its story, or None where it begins one of its own."""
        return None

    def to_json(self) -> str:
        """The data as JSON text, without the optional fields that are absent."""
        return self.model_dump_json(exclude_none=True)

    def to_data(self) -> dict[str, JsonValue]:
        """The data as plain JSON values, without the optional fields that are absent."""
        return self.model_dump(mode="json", exclude_none=True)


class OrderEvent(Event):
    """An event in the story of one order."""

    order_id: Identifier

    def subject(self) -> str | None:
        return f"order/{self.order_id}"

    def correlation(self) -> str | None:
        return self.order_id
