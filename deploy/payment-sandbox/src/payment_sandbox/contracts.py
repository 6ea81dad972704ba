"""What the sandbox is asked, and what it answers."""

import json
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[str, Field(min_length=1, max_length=255)]


class Movement(BaseModel):
    """Money that is to move. `amount` is in minor units of `currency`."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)

    payment_id: Id
    order_id: Id
    amount: Annotated[int, Field(ge=1, le=10**12)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class CaptureRequest(Movement):
    """Money to be taken by this means of payment."""

    method: Annotated[str, Field(min_length=1, max_length=255, repr=False)]


class RefundRequest(Movement):
    """Money to be given back of what was taken for this payment."""

    refund_id: Id


def fingerprint(request: Movement) -> str:
    """The same for the same parameters, and of no use to anybody who wants to pay with them."""
    parameters = {"operation": type(request).__name__, **request.model_dump()}
    return sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()


class Verdict(BaseModel):
    """What became of a request: `code` says why it was refused."""

    status: Literal["captured", "declined", "refunded", "refused"]
    code: str | None = None
    refund_id: str | None = None
    payment_id: str
    order_id: str
    amount: int
    currency: str


class Entry(BaseModel):
    """Money that moved."""

    kind: Literal["capture", "refund", "void"]
    payment_id: str
    order_id: str
    amount: int
    currency: str
    idempotency_key: str
    at: str
    """The time in UTC, as RFC 3339 has it."""


class LedgerBody(BaseModel):
    """All that happened, newest last."""

    entries: list[Entry]


class ErrorBody(BaseModel):
    """Why a request was not considered; nothing of it is told back."""

    code: Literal["key_missing", "key_reused", "invalid", "fault"]
    message: str
