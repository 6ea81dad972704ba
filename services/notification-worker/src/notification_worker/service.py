"""What is said to people: by template, as a raw mail, to many."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice

from notification_worker.domain import (
    EMAIL,
    SENDINGS_MAX,
    Addressee,
    Content,
    DeliveryError,
    Message,
    MessageState,
    NoChannelError,
    check_reaches_somebody,
    child_id,
    mail_of,
    plan,
)
from notification_worker.ports import (
    MailCutOffError,
    Mailer,
    MailRefusedError,
    MailServerAwayError,
    Renderer,
    Store,
    TemplateError,
    Work,
)
from shared.events.notifications import BatchNotification, Recipient, SendEmail, SendNotification
from shared.queue.outcomes import ExpiredError, GiveUpError, PostponeError

Writing = Callable[[Store], Awaitable[Content]]
"""Decides what is said; raises TemplateError."""

WAITS_AT_MOST = timedelta(days=1)
"""How long a mail waits for its server, and for another try to end."""
CLAIM_MARGIN = 10.0
"""Seconds that a claim outlasts the turn that it is for."""
CHUNK = 200
"""How many recipients of a batch are dealt with in one transaction, at most."""
CHUNK_BYTES = 2_000_000


class Notifications:
    """Messages to one person, a row for each channel.

    A row that was sent is never sent again, whatever is retried, redriven or replayed. A mail's row is
    committed as `sending` before the server hears of it, and as `sent` with the end of the run.
    """

    def __init__(self, work: Work, *, mailer: Mailer, renderer: Renderer, active: Collection[str]) -> None:
        self._work = work
        self._mailer = mailer
        self._renderer = renderer
        self._active = active

    async def notify(self, event: SendNotification) -> None:
        """Fills the template and sends it by each channel; raises what that means for the event."""
        to = _addressee(event)

        async def filled(store: Store) -> Content:
            template = await store.find_template(event.template, to.locale)
            if template is None:
                raise TemplateError(f"there is no template {event.template}")
            try:
                return self._renderer.render(template, event.variables)
            except TemplateError as error:
                raise TemplateError(f"{event.template}: {error}") from error

        await self._send(to, event.channels, event.template, filled)

    async def mail(self, event: SendEmail) -> None:
        """Sends a mail as it is."""

        async def as_it_is(_: Store) -> Content:
            return Content(event.subject_line, event.text, event.html)

        await self._send(Addressee(email=event.to), (EMAIL,), event.type, as_it_is)

    async def _send(
        self, to: Addressee, channels: Sequence[str] | None, template: str, content: Writing
    ) -> None:
        """All that needs no mail server is done, once, before the mail is tried."""
        planned = plan(self._work.event_id, to, channels, self._active, self._work.now())
        messages = await self._intend(planned, template, content)
        try:
            check_reaches_somebody(messages, self._active)
        except NoChannelError as error:
            raise GiveUpError("no_channel", str(error)) from error
        except DeliveryError as error:
            raise GiveUpError("unreachable", str(error)) from error
        for message in messages:
            if message.channel == EMAIL and message.state is not MessageState.SKIPPED:
                await self._deliver(message, to.name)

    async def _intend(self, planned: Sequence[Message], template: str, content: Writing) -> list[Message]:
        """The messages as they stand. What they say is decided here, where no earlier try has done so."""
        async with self._work.step() as store:
            messages = [await store.add(message) for message in planned]
            if self._work.is_expired and not any(message.was_begun for message in messages):
                raise ExpiredError
            unwritten = [message for message in messages if message.is_unwritten]
            if unwritten:
                try:
                    said = await content(store)
                except TemplateError as error:
                    raise GiveUpError("template", str(error)) from error
                for message in unwritten:
                    await store.write(message.written(said), template)
        return messages

    async def _deliver(self, message: Message, name: str | None) -> None:
        """Ends the run, or raises why it did not."""
        if message.state is MessageState.FAILED and message.run == self._work.run:
            raise _failed(message)
        if message.state is not MessageState.SENT and not self._mailer.was_taken(message.id):
            message = await self._claim_and_send(message, name)
        sent = replace(message, state=MessageState.SENT, reason=None)
        async with self._work.last() as store:
            await store.settle(sent)
        self._mailer.forget(message.id)

    async def _claim_and_send(self, message: Message, name: str | None) -> Message:
        """The message as it was claimed. The claim comes after the turn: nobody claims what must wait."""
        claimed: Message | None = None
        try:
            async with self._mailer.connection() as connection:
                claimed = await self._claim(message)
                if claimed.state is not MessageState.SENT:
                    _check_may_be_sent(claimed)
                    await connection.send(mail_of(claimed, name))
                return claimed
        except MailServerAwayError as error:
            if claimed:
                await self._settle(replace(claimed, state=MessageState.QUEUED))
            raise _away(error) from error
        except MailRefusedError as error:
            if claimed is None:
                raise
            raise await self._fail(claimed, error) from error
        except MailCutOffError as error:
            if claimed is None:
                raise
            raise await self._cut_off(claimed, error) from error

    async def _claim(self, message: Message) -> Message:
        async with self._work.step() as store:
            claimed = await store.claim(message.id, lasting=self._mailer.longest + CLAIM_MARGIN)
        if claimed is None:
            another = "another try is sending this mail"
            raise PostponeError("claimed", another, at_most=WAITS_AT_MOST)
        return claimed

    async def _cut_off(self, claimed: Message, error: MailCutOffError) -> Exception:
        """It may have been sent: once more with the same Message-ID, and then never again by itself."""
        cut = replace(claimed, uncertain=True, sendings=claimed.sendings + 1)
        if cut.sendings >= SENDINGS_MAX:
            return await self._fail(cut, error)
        await self._settle(replace(cut, state=MessageState.QUEUED))
        return _away(error)

    async def _fail(self, message: Message, error: Exception) -> Exception:
        failed = replace(message, state=MessageState.FAILED, reason=str(error))
        await self._settle(failed)
        return _failed(failed)

    async def _settle(self, message: Message) -> None:
        async with self._work.step() as store:
            await store.settle(message)


def _check_may_be_sent(claimed: Message) -> None:
    """Once more after a crash, and no third time in a run. Raises MailCutOffError."""
    if claimed.sendings >= SENDINGS_MAX:
        raise MailCutOffError(f"{claimed.sendings} tries to send it were cut off")


def _away(error: Exception) -> PostponeError:
    return PostponeError("mail_server", str(error), at_most=WAITS_AT_MOST)


def _failed(message: Message) -> GiveUpError:
    reason = "uncertain" if message.sendings >= SENDINGS_MAX else "refused"
    return GiveUpError(reason, message.reason or "")


class Batches:
    """Messages to many people: an event for each, with an id that is the same in every try."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def spread(self, event: BatchNotification) -> None:
        """Causes a `send-notification` for each recipient.

        Where the batch stands is committed with what it caused up to there, so that whoever takes it up
        again goes on from there.
        """
        total = len(event.recipients)
        size = len(event.model_copy(update={"recipients": event.recipients[:1]}).to_json())
        chunk = max(1, min(CHUNK, CHUNK_BYTES // size))
        position = 0
        while position < total:
            async with self._work.step() as store:
                position = await store.batch_position(total)
                if position == 0 and self._work.is_expired:
                    raise ExpiredError
                for index, recipient in islice(enumerate(event.recipients), position, position + chunk):
                    name = child_id(self._work.event_id, index, recipient.model_dump_json(exclude_none=True))
                    store.publish_child(_child(event, recipient), id=name)
                position = min(position + chunk, total)
                await store.move_batch(position)


def _child(event: BatchNotification, recipient: Recipient) -> SendNotification:
    return SendNotification(
        recipient=recipient, template=event.template, channels=event.channels, variables=event.variables
    )


def _addressee(event: SendNotification) -> Addressee:
    recipient, name = event.recipient, event.variables.get("name")
    return Addressee(
        user_id=recipient.user_id,
        email=recipient.email,
        phone=recipient.phone,
        locale=recipient.locale,
        name=name if isinstance(name, str) else None,
    )
