"""What the sink answers to programs: Mailpit's list of messages, with their texts and headers in it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from mail_sink.mail import Address, Mail
from mail_sink.mailbox import Mailbox

router = APIRouter(tags=["messages"])


class AddressBody(BaseModel):
    Name: str
    Address: str


class MessageBody(BaseModel):
    """A mail. `To` are the envelope's recipients, with the names that its headers give them."""

    ID: str
    MessageID: str
    From: AddressBody
    To: list[AddressBody]
    Subject: str
    Created: datetime
    Size: int
    Text: str
    HTML: str
    Headers: Mapping[str, list[str]]


class MessagesBody(BaseModel):
    """`total` counts all mails, however many are listed."""

    total: int
    messages: list[MessageBody]


def the_mailbox(request: Request) -> Mailbox:
    mailbox: Mailbox = request.app.state.mailbox
    return mailbox


TheMailbox = Annotated[Mailbox, Depends(the_mailbox)]


# Not `async`: the parsing of many mails is done in a thread, while SMTP goes on.
@router.get("/api/v1/messages", summary="The mails, newest first: all of them without a limit")
def list_messages(
    mailbox: TheMailbox,
    limit: Annotated[int | None, Query(ge=0)] = None,
    start: Annotated[int, Query(ge=0)] = 0,
) -> MessagesBody:
    mails = mailbox.newest_first()
    asked = mails[start:] if limit is None else mails[start : start + limit]
    return MessagesBody(total=len(mails), messages=[_message(mail) for mail in asked])


@router.delete("/api/v1/messages", response_class=PlainTextResponse, summary="Forget every mail")
def forget_messages(mailbox: TheMailbox) -> str:
    mailbox.forget_all()
    return "ok"


@router.get("/livez", tags=["health"], summary="Whether the process works")
async def livez() -> Mapping[str, str]:
    return {"status": "ok"}


@router.get("/readyz", tags=["health"], summary="Whether mail is taken: HTTP answers only while SMTP does")
async def readyz() -> Mapping[str, str]:
    return {"status": "ok"}


def _message(mail: Mail) -> MessageBody:
    reading = mail.reading
    return MessageBody(
        ID=mail.id,
        MessageID=reading.message_id,
        From=_address(reading.sender),
        To=[_address(recipient) for recipient in reading.recipients],
        Subject=reading.subject,
        Created=mail.envelope.taken,
        Size=len(mail.content),
        Text=reading.text,
        HTML=reading.html,
        Headers=reading.headers,
    )


def _address(address: Address) -> AddressBody:
    return AddressBody(Name=address.name, Address=address.address)
