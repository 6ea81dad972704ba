"""How a payment's state moves."""

from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payment_worker.domain.payment import (
    Capture,
    IllegalTransitionError,
    Payment,
    PaymentConflictError,
    PaymentError,
    PaymentStatus,
    RefundExceedsCaptureError,
)
from unit.payments.examples import CAPTURE, OTHERS, a_payment

S = PaymentStatus
STEPS_ON = {
    S.CAPTURING: {S.CAPTURING, S.UNKNOWN, S.CAPTURED, S.DECLINED, S.VOIDED},
    S.UNKNOWN: {S.UNKNOWN, S.CAPTURED, S.DECLINED},
    S.CAPTURED: {S.CAPTURED, S.PARTLY_REFUNDED, S.REFUNDED},
    S.DECLINED: {S.DECLINED},
    S.VOIDED: {S.VOIDED},
    S.PARTLY_REFUNDED: {S.PARTLY_REFUNDED, S.REFUNDED},
    S.REFUNDED: {S.REFUNDED},
}
TOLD = {
    "asked": Payment.ask,
    "missed": Payment.miss,
    "doubted": Payment.doubt,
    "captured": Payment.capture,
    "declined": Payment.decline,
    "voided": Payment.void,
}


@settings(max_examples=500)
@given(st.lists(st.sampled_from(list(TOLD))), st.booleans())
def test_whatever_a_payment_is_told_its_state_never_goes_back(told: list[str], asked: bool) -> None:
    payment = a_payment(S.CAPTURING, asked=asked)
    for fact in told:
        before = payment
        try:
            payment = TOLD[fact](payment)
        except IllegalTransitionError:
            continue
        assert payment.status in STEPS_ON[before.status]
        assert TOLD[fact](payment).status in {payment.status, S.UNKNOWN}


@settings(max_examples=500)
@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.sampled_from(["promise", "confirm", "refuse"]), st.integers(1, 60)), max_size=30),
)
def test_no_sequence_of_refunds_gives_back_more_than_was_captured(
    captured: int, steps: list[tuple[str, int]]
) -> None:
    payment = replace(a_payment(), amount=captured)
    promised: list[int] = []
    given_back = 0
    for step, number in steps:
        if step == "promise":
            try:
                payment = payment.promise(number)
            except RefundExceedsCaptureError:
                assert number > captured - given_back - sum(promised)
                continue
            promised.append(number)
        elif promised:
            amount = promised.pop(number % len(promised))
            before = payment.status
            payment = payment.refund(amount) if step == "confirm" else payment.take_back(amount)
            given_back += amount if step == "confirm" else 0
            assert payment.status in STEPS_ON[before]
        assert (payment.refunded, payment.refunding) == (given_back, sum(promised))
        assert 0 <= given_back + sum(promised) <= captured
        assert (payment.status is S.REFUNDED) == (given_back == captured)


def test_only_what_the_provider_never_heard_of_is_voided() -> None:
    assert a_payment(S.CAPTURING, asked=False).void().status is S.VOIDED
    assert a_payment(S.CAPTURING, asked=True).void().status is S.CAPTURING
    assert a_payment(S.UNKNOWN).void().status is S.UNKNOWN


def test_a_call_that_missed_the_provider_undoes_no_doubt_about_an_earlier_one() -> None:
    assert not a_payment(S.CAPTURING).miss().asked
    assert a_payment(S.UNKNOWN).miss() == a_payment(S.UNKNOWN)


def test_an_intent_found_again_is_in_doubt_if_the_provider_may_have_been_asked() -> None:
    assert a_payment(S.CAPTURING, asked=True).ask().status is S.UNKNOWN
    assert a_payment(S.CAPTURING, asked=False).ask() == a_payment(S.CAPTURING)


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("status", S)
def test_money_is_in_doubt_once_the_provider_may_have_heard_of_it_and_until_its_answer(
    status: S, asked: bool
) -> None:
    in_flight = status in {S.CAPTURING, S.UNKNOWN}

    assert a_payment(status, asked=asked).in_doubt is (in_flight and asked)


@pytest.mark.parametrize("status", [S.DECLINED, S.VOIDED])
def test_what_ended_without_money_is_never_captured(status: S) -> None:
    with pytest.raises(IllegalTransitionError):
        a_payment(status).capture()


@pytest.mark.parametrize("status", [S.CAPTURED, S.PARTLY_REFUNDED, S.REFUNDED])
def test_what_was_captured_is_never_declined(status: S) -> None:
    with pytest.raises(IllegalTransitionError):
        a_payment(status).decline()


@pytest.mark.parametrize("status", [S.CAPTURING, S.UNKNOWN, S.DECLINED, S.VOIDED])
def test_only_what_was_captured_is_given_back(status: S) -> None:
    with pytest.raises(PaymentError):
        a_payment(status).check_captured()


@pytest.mark.parametrize("other", OTHERS)
def test_another_content_under_the_same_id_is_a_conflict(other: Capture) -> None:
    a_payment().check_same(CAPTURE)

    with pytest.raises(PaymentConflictError):
        a_payment().check_same(other)


def test_a_token_is_neither_printed_nor_kept() -> None:
    assert "tok_ok" not in repr(CAPTURE)
    assert "tok_ok" not in str(asdict(a_payment()))
    assert a_payment().method_digest != replace(CAPTURE, payment_id="payment-2").method_digest
