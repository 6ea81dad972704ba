"""What is said to people: by template, as a raw mail, to many."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice

from notification_worker.domain import (
    EMAIL,
    IN_APP,
    SENDINGS_MAX,
    Addressee,
    Content,
    DeliveryError,
    Mail,
    Message,
    MessageState,
    NoChannelError,
    Template,
    check_reaches_somebody,
    child_id,
    plan,
)
from notification_worker.ports import (
    MailCutOffError,
    Mailer,
    MailRefusedError,
    MailServerAwayError,
    Renderer,
    TemplateError,
    Work,
)
from shared.events.notifications import BatchNotification, Recipient, SendEmail, SendNotification
from shared.queue.outcomes import GiveUpError, PostponeError

AWAY_AT_MOST = timedelta(days=1)
"""How long a mail waits for its server."""
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
        template = await self._find(event.template, to.locale)
        try:
            content = self._renderer.render(template, event.variables)
        except TemplateError as error:
            raise GiveUpError("template", f"{event.template}: {error}") from error
        await self._send(to, event.channels, event.template, content)

    async def mail(self, event: SendEmail) -> None:
        """Sends a mail as it is."""
        content = Content(event.subject_line, event.text, event.html)
        await self._send(Addressee(email=event.to), (EMAIL,), event.type, content)

    async def _find(self, key: str, locale: str | None) -> Template:
        async with self._work.step() as store:
            template = await store.find_template(key, locale)
        if template is None:
            raise GiveUpError("template", f"there is no template {key}")
        return template

    async def _send(
        self, to: Addressee, channels: Sequence[str] | None, template: str, content: Content
    ) -> None:
        """All that needs no mail server is done, once, before the mail is tried."""
        planned = plan(self._work.event_id, to, channels, self._active)
        async with self._work.step() as store:
            messages = [await store.add(message) for message in planned]
            for message in messages:
                if message.channel == IN_APP:
                    await store.show(message, template, content)
        try:
            check_reaches_somebody(messages, self._active)
        except NoChannelError as error:
            raise GiveUpError("no_channel", str(error)) from error
        except DeliveryError as error:
            raise GiveUpError("unreachable", str(error)) from error
        for message in messages:
            if message.channel == EMAIL and message.state is not MessageState.SKIPPED:
                await self._deliver(message, to, content)

    async def _deliver(self, message: Message, to: Addressee, content: Content) -> None:
        """Ends the run, or raises why it did not."""
        if message.state is MessageState.FAILED and message.run == self._work.run:
            raise GiveUpError("refused", message.reason or "")
        if message.state is not MessageState.SENT and not self._mailer.was_taken(message.id):
            mail = Mail(message.id, message.address or "", to.name, content)
            message = await self._claim_and_send(message, mail)
        async with self._work.last() as store:
            await store.settle(replace(message, state=MessageState.SENT, reason=None))
        self._mailer.forget(message.id)

    async def _claim_and_send(self, message: Message, mail: Mail) -> Message:
        """The message as it was claimed. The claim comes after the turn: nobody claims what must wait."""
        claimed: Message | None = None
        try:
            async with self._mailer.connection() as connection:
                async with self._work.step() as store:
                    claimed = await store.claim(message.id, lasting=self._mailer.longest + CLAIM_MARGIN)
                if claimed is None:
                    raise PostponeError("claimed", "another try is sending this mail")
                _check_may_be_sent(claimed)
                if claimed.state is not MessageState.SENT:
                    await connection.send(mail)
                return claimed
        except MailServerAwayError as error:
            if claimed:
                await self._settle(replace(claimed, state=MessageState.QUEUED))
            raise PostponeError("mail_server", str(error), at_most=AWAY_AT_MOST) from error
        except MailRefusedError as error:
            if claimed:
                await self._settle(replace(claimed, state=MessageState.FAILED, reason=str(error)))
            raise GiveUpError("refused", str(error)) from error
        except MailCutOffError as error:
            if claimed is None:
                raise
            raise await self._cut_off(claimed, error) from error

    async def _cut_off(self, claimed: Message, error: MailCutOffError) -> Exception:
        """It may have been sent: once more with the same Message-ID, and then never again by itself."""
        cut = replace(claimed, uncertain=True, sendings=claimed.sendings + 1)
        if cut.sendings >= SENDINGS_MAX:
            await self._settle(replace(cut, state=MessageState.FAILED, reason=str(error)))
            return GiveUpError("uncertain", str(error), uncertain=True)
        await self._settle(replace(cut, state=MessageState.QUEUED))
        return PostponeError("mail_server", str(error), at_most=AWAY_AT_MOST)

    async def _settle(self, message: Message) -> None:
        async with self._work.step() as store:
            await store.settle(message)


def _check_may_be_sent(claimed: Message) -> None:
    """Once more after a crash, and no third time. Raises MailCutOffError."""
    if claimed.sendings >= SENDINGS_MAX:
        raise MailCutOffError(f"{claimed.sendings} tries to send it were cut off")


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
