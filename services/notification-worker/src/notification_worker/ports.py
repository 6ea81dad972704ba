"""What the use cases need."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

from notification_worker.domain import Content, Mail, Message, Template
from shared.events.base import Event


class MailServerAwayError(Exception):
    """The mail server cannot be used now; it has certainly not taken the mail."""


class MailRefusedError(Exception):
    """The mail server refuses this mail, or this recipient, for good."""


class MailCutOffError(Exception):
    """The mail server had the mail when the connection ended: nobody knows whether it took it."""


class TemplateError(Exception):
    """A template cannot be filled; the text says which part of it and why."""


class MailConnection(Protocol):
    """A turn to speak to the mail server."""

    async def send(self, mail: Mail) -> None:
        """Returns once the server has taken the mail.

        Raises MailServerAwayError, MailRefusedError or MailCutOffError.
        """
        ...


class Mailer(Protocol):
    """The way to the mail server."""

    @property
    def longest(self) -> float:
        """How many seconds a turn lasts at most."""
        ...

    def connection(self) -> AbstractAsyncContextManager[MailConnection]:
        """A turn with a server that answers.

        Raises MailServerAwayError where there is none, or where no turn comes within `longest` seconds.
        """
        ...

    def was_taken(self, mail_id: str) -> bool:
        """Whether the server has taken this mail from this process, and nobody said `forget` since."""
        ...

    def forget(self, mail_id: str) -> None:
        """That it was taken is written down."""
        ...


class Renderer(Protocol):
    """Fills templates."""

    def render(self, template: Template, variables: dict[str, Any]) -> Content:
        """Raises TemplateError."""
        ...


class Store(Protocol):
    """Templates, messages and batches, inside one transaction."""

    async def find_template(self, key: str, locale: str | None) -> Template | None:
        """The template in this locale, or in the nearest that there is."""
        ...

    async def add(self, message: Message) -> Message:
        """Stores a message that is not there yet; answers the one that is.

        Nobody else changes it before the commit. One that was skipped and can go now is queued.
        """
        ...

    async def write(self, message: Message, template: str) -> None:
        """Stores what an added message says, and its state."""
        ...

    async def claim(self, message_id: str, *, lasting: float) -> Message | None:
        """Makes a message `sending` for this try and for `lasting` seconds; None if another try has it.

        One that was sent already stays as it is. One that was found `sending` is uncertain from now on.
        Sendings are counted anew in another run.
        """
        ...

    async def settle(self, message: Message) -> None:
        """Stores what became of a message, and ends this try's claim.

        That it was sent is stored whoever holds it by now; what it said is then dropped. Anything else
        is stored only while the claim is still this try's.
        """
        ...

    async def batch_position(self, total: int) -> int:
        """How many of the batch's recipients were dealt with; nobody else moves it before the commit."""
        ...

    async def move_batch(self, position: int) -> None: ...

    def publish_child(self, event: Event, *, id: str) -> None:  # noqa: A002 the envelope's word
        """Lets the batch cause this event, behind all that is more urgent."""
        ...


class Work(Protocol):
    """The transactions of one run of one event."""

    @property
    def event_id(self) -> str: ...

    @property
    def run(self) -> int: ...

    @property
    def is_expired(self) -> bool:
        """Whether the event's time has passed."""
        ...

    def now(self) -> datetime: ...

    def step(self) -> AbstractAsyncContextManager[Store]:
        """A transaction, committed at the end of its block."""
        ...

    def last(self) -> AbstractAsyncContextManager[Store]:
        """The one that ends the run as completed.

        Where a copy has ended the run, the block is committed all the same, since what it says has
        happened outside; then AlreadyEndedError is raised.
        """
        ...
