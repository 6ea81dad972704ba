"""Messages to people."""

from typing import Annotated, ClassVar, Final, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.events.base import Contract, Event
from shared.events.contact import Email, Locale, Phone
from shared.events.text import Identifier, Label, Prose
from shared.events.variables import Variables

RECIPIENTS_MAX: Final = 5_000
CHANNELS_MAX: Final = 8

TemplateKey = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        min_length=1,
        max_length=100,
        description="the key of a template, such as `order-shipped`",
    ),
]
# Which channels are active is for the notification service to say, so any name of this form passes here.
Channel = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9_-]{0,31}$", min_length=1, max_length=32, description="the name of a channel"
    ),
]


class Recipient(Contract):
    """A person, by what is known of them: at least one of `user_id`, `email` and `phone`."""

    user_id: Identifier | None = None
    email: Email | None = None
    phone: Phone | None = None
    locale: Locale | None = None

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.user_id is None and self.email is None and self.phone is None:
            raise PydanticCustomError(
                "recipient_unreachable", "A recipient has a user_id, an email or a phone"
            )
        return self


def _each_channel_once(channels: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(channels)) < len(channels):
        raise PydanticCustomError("channel_twice", "A channel appears more than once")
    return channels


def _each_recipient_once(recipients: tuple[Recipient, ...]) -> tuple[Recipient, ...]:
    if len(set(recipients)) < len(recipients):
        raise PydanticCustomError("recipient_twice", "A recipient appears more than once")
    return recipients


Channels = Annotated[
    tuple[Channel, ...],
    Field(
        min_length=1,
        max_length=CHANNELS_MAX,
        description="each once; without them, every active channel that reaches the recipient",
    ),
    AfterValidator(_each_channel_once),
]
Recipients = Annotated[
    tuple[Recipient, ...],
    Field(min_length=1, max_length=RECIPIENTS_MAX, description="each once"),
    AfterValidator(_each_recipient_once),
]


class SendNotification(Event):
    """A template is to be filled and sent to one person."""

    type: ClassVar[str] = "send-notification"
    queue: ClassVar[str] = "notifications"

    recipient: Recipient
    template: TemplateKey
    channels: Channels | None = None
    variables: Variables
    critical: Annotated[bool, Field(description="goes out whatever the recipient has muted")] = False

    def subject(self) -> str | None:
        return f"user/{self.recipient.user_id}" if self.recipient.user_id else None


class BatchNotification(Event):
    """A template is to be filled and sent to many people, to each of them once."""

    type: ClassVar[str] = "batch-notification"
    queue: ClassVar[str] = "notifications"

    recipients: Recipients
    template: TemplateKey
    channels: Channels | None = None
    variables: Variables


class SendEmail(Event):
    """A mail is to be sent as it is: text, HTML or both. `send-notification` takes its place in new code."""

    model_config = ConfigDict(serialize_by_alias=True)

    type: ClassVar[str] = "SEND_EMAIL"
    queue: ClassVar[str] = "notifications"

    to: Email
    # `subject` on the wire; in Python that is the name of what an event is about.
    subject_line: Label = Field(alias="subject")
    text: Prose | None = None
    html: Prose | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.text is None and self.html is None:
            raise PydanticCustomError("mail_empty", "A mail has a text, an html or both")
        return self
