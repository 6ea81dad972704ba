"""What a message to a person is, by which channels it goes, and how money is written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

EMAIL: Final = "email"
IN_APP: Final = "in-app"
CHANNELS: Final = (EMAIL, IN_APP)
"""Every channel that there is; which of them are active is a setting."""

_MESSAGES: Final = UUID("0d6f7c1e-6a42-4d0e-9b57-2f9d5d0c8a11")
_CHILDREN: Final = UUID("5b8f7a52-1f0c-4f6b-8b38-6c1c3a0c7e94")
SENDINGS_MAX: Final = 2
"""A mail that was cut off is sent once more in its run; then a person has to decide on another run."""


class MessageState(StrEnum):
    """What has become of a message."""

    QUEUED = "queued"
    SENDING = "sending"  # a worker has told the mail server of it, or is about to
    SENT = "sent"
    READ = "read"  # in the app only
    FAILED = "failed"
    SKIPPED = "skipped"


class DeliveryError(Exception):
    """Why a notification reaches nobody."""


class NoChannelError(DeliveryError):
    """No channel that was asked for is active here."""

    def __init__(self, channels: Sequence[str]) -> None:
        super().__init__(f"not active: {', '.join(channels)}")
        self.channels = tuple(channels)


class UnreachableError(DeliveryError):
    """The recipient has no address for any channel that it could go by."""

    def __init__(self, channels: Sequence[str]) -> None:
        super().__init__(f"the recipient has no address for: {', '.join(channels)}")
        self.channels = tuple(channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """A person, by what is known of them."""

    user_id: str | None = None
    email: str | None = None
    phone: str | None = None
    locale: str | None = None
    name: str | None = None

    @property
    def identity(self) -> str:
        """One name for the person, the same in every try."""
        return self.user_id or self.email or self.phone or ""

    def address(self, channel: str) -> str | None:
        """Where this channel finds the person, None if nowhere."""
        return {EMAIL: self.email, IN_APP: self.user_id}.get(channel)


@dataclass(frozen=True, slots=True)
class Content:
    """What is said."""

    subject: str
    """One line."""
    text: str | None
    html: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one event says to one person by one channel."""

    id: str
    event_id: str
    recipient: str
    channel: str
    address: str | None
    state: MessageState
    created_at: datetime
    reason: str | None = None
    """Why it failed or was skipped."""
    run: int = 0
    """The run of the event that the state comes from."""
    uncertain: bool = False
    """Whether a sending was ever cut off: it may have gone, and it may go twice."""
    sendings: int = 0
    """How often in that run a sending was begun and its end not seen."""
    content: Content | None = None
    """Decided once, for all tries; a mail that was sent needs it no more."""

    @property
    def was_begun(self) -> bool:
        """Whether somebody has it, or may have it."""
        return self.may_have_gone or self.state in {MessageState.SENT, MessageState.READ}

    @property
    def may_have_gone(self) -> bool:
        """Whether a sending was begun whose end nobody has seen."""
        return self.state is MessageState.SENDING or self.uncertain

    @property
    def is_unwritten(self) -> bool:
        return self.state is MessageState.QUEUED and self.content is None

    def written(self, content: Content) -> "Message":
        """With what it says; what the app shows is sent with that."""
        if self.channel == IN_APP:
            return replace(self, content=replace(content, html=None), state=MessageState.SENT)
        return replace(self, content=content)


@dataclass(frozen=True, slots=True)
class Template:
    """What is said, still to be filled. Without a locale it is for everybody."""

    key: str
    subject: str
    text: str
    html: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to one person. The same `id` is the same mail: it becomes the Message-ID."""

    id: str
    to: str
    name: str | None
    content: Content
    date: datetime


def mail_of(message: Message, name: str | None) -> Mail:
    """What a queued message by EMAIL is to the person of this name: the same in every try."""
    assert message.address is not None  # noqa: S101 else it is skipped
    assert message.content is not None  # noqa: S101 it is queued and written in one transaction
    return Mail(message.id, message.address, name, message.content, message.created_at)


def plan(
    event_id: str,
    addressee: Addressee,
    asked: Sequence[str] | None,
    active: Collection[str],
    now: datetime,
) -> tuple[Message, ...]:
    """A message per channel: those asked for, else each active one that finds the person.

    One that cannot go is skipped and says why.
    """
    if asked is None:
        asked = [name for name in CHANNELS if name in active and addressee.address(name)]
    return tuple(_planned(event_id, addressee, channel, active, now) for channel in asked)


def _planned(
    event_id: str, addressee: Addressee, channel: str, active: Collection[str], now: datetime
) -> Message:
    address, reason = addressee.address(channel), None
    if channel not in active:
        reason = "no_channel"
    elif address is None:
        reason = "unreachable"
    return Message(
        id=str(uuid5(_MESSAGES, f"{event_id}\n{channel}\n{addressee.identity}")),
        event_id=event_id,
        recipient=addressee.identity,
        channel=channel,
        address=address,
        state=MessageState.SKIPPED if reason else MessageState.QUEUED,
        created_at=now,
        reason=reason,
    )


def check_reaches_somebody(messages: Sequence[Message], active: Collection[str]) -> None:
    """Raises NoChannelError or UnreachableError where no message can go."""
    if any(message.state is not MessageState.SKIPPED for message in messages):
        return
    asked = [message.channel for message in messages]
    if asked and not any(channel in active for channel in asked):
        raise NoChannelError(asked)
    raise UnreachableError([name for name in asked or CHANNELS if name in active])


def child_id(event_id: str, index: int, recipient: str) -> str:
    """The id of the event that a batch causes for its `index`-th recipient: the same in every try."""
    return str(uuid5(_CHILDREN, f"{event_id}\n{index}\n{recipient}"))


def fallbacks(locale: str | None) -> tuple[str | None, ...]:
    """In which locales to look for a template, best first: `pt-BR`, `pt`, then the one for everybody."""
    if locale is None:
        return (None,)
    parts = locale.split("-")
    return (*("-".join(parts[:count]) for count in range(len(parts), 0, -1)), None)


# ISO 4217: how many decimals the minor unit of a currency stands for, where that is not two.
_NONE: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE: Final = "BHD IQD JOD KWD LYD OMR TND"
_DECIMALS: Final = {**dict.fromkeys(_NONE.split(), 0), **dict.fromkeys(_THREE.split(), 3)}


def money(minor_units: int, currency: str) -> str:
    """An amount as people read it: `1,234.50 EUR`, `1,235 JPY`."""
    decimals = _DECIMALS.get(currency, 2)
    whole, rest = divmod(abs(minor_units), 10**decimals)
    sign = "-" if minor_units < 0 else ""
    fraction = f".{rest:0{decimals}}" if decimals else ""
    return f"{sign}{whole:,}{fraction} {currency}"
