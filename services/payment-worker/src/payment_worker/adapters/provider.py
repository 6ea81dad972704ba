"""The sandbox provider over HTTP (`deploy/payment-sandbox`)."""

from collections.abc import Mapping
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, ValidationError

from payment_worker.adapters.http import Answer, Caller, NoAnswerError, NotReachedError
from payment_worker.domain.payment import Capture
from payment_worker.domain.refund import Refund
from payment_worker.ports import KeyRefusedError, ProviderAwayError, UnclearError

MOST_BYTES = 64 * 1024
HEALTH_SECONDS = 1.0
_KEY_REFUSED = {HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}


class _Said(BaseModel):
    """What is read of an answer; it may hold more."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    status: str = ""
    code: str | None = None
    refund_id: str | None = None
    payment_id: str = ""
    order_id: str = ""
    amount: int = 0
    currency: str = ""


class SandboxProvider:
    """Implements the port `Provider`.

    An answer counts only if it says in every field that it is about what was asked. Any other, whatever
    its status, does not say what happened.
    """

    def __init__(self, base_url: str, *, seconds: float) -> None:
        """A call takes at most `seconds` from the first byte sent to the last one received."""
        self._caller = Caller(base_url, seconds=seconds, most_bytes=MOST_BYTES)

    async def capture(self, key: str, capture: Capture) -> bool:
        facts = {
            "payment_id": capture.payment_id,
            "order_id": capture.order_id,
            "amount": capture.amount,
            "currency": capture.currency,
        }
        status, said = await self._post("/v1/captures", key, {**facts, "method": capture.method}, facts)
        match status, said.status:
            case HTTPStatus.OK, "captured":
                return True
            case HTTPStatus.PAYMENT_REQUIRED, "declined":
                return False
            case _:
                raise UnclearError(f"the provider answers {status} and does not say what happened")

    async def refund(self, refund: Refund) -> bool:
        facts = {
            "refund_id": refund.refund_id,
            "payment_id": refund.payment_id,
            "order_id": refund.order_id,
            "amount": refund.amount,
            "currency": refund.currency,
        }
        status, said = await self._post("/v1/refunds", refund.key, facts, facts)
        match status, said.status:
            case HTTPStatus.OK, "refunded":
                return True
            case HTTPStatus.UNPROCESSABLE_ENTITY, "refused":
                return False
            case _:
                raise UnclearError(f"the provider answers {status} and does not say what happened")

    async def trouble(self) -> str | None:
        """What is wrong with it, None if nothing; within a second."""
        try:
            answer = await self._caller.ask("GET", "/health", within=HEALTH_SECONDS)
        except (NotReachedError, NoAnswerError) as error:
            return str(error)
        return None if answer.status == HTTPStatus.OK else f"answers {answer.status}"

    async def aclose(self) -> None:
        await self._caller.aclose()

    async def _post(
        self, path: str, key: str, body: Mapping[str, object], facts: Mapping[str, object]
    ) -> tuple[int, _Said]:
        """Status and body of an answer that is about these facts."""
        try:
            answer = await self._caller.ask("POST", path, json=body, headers={"Idempotency-Key": key})
        except NotReachedError as error:
            raise ProviderAwayError(f"provider: {error}") from None
        except NoAnswerError as error:
            raise UnclearError(f"provider: {error}") from None
        said = _read(answer)
        if said.code == "key_reused" and answer.status in _KEY_REFUSED:
            raise KeyRefusedError(f"the provider knows the key {key} with other parameters")
        if said.model_dump(include=set(facts)) != facts:
            raise UnclearError(f"the provider answers {answer.status} about something else")
        return answer.status, said


def _read(answer: Answer) -> _Said:
    try:
        return _Said.model_validate_json(answer.body)
    except ValidationError:
        raise UnclearError(f"the provider answers {answer.status} with what is no answer") from None
