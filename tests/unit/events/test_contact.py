import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.events import BatchNotification, Event, OrderCreated, SendEmail, SendNotification
from shared.events.contact import Email

ADDRESSES = [
    (OrderCreated, "customer.email"),
    (SendNotification, "recipient.email"),
    (BatchNotification, "recipients.1.email"),
    (SendEmail, "to"),
]
NO_ADDRESS = {
    "CR and LF": "ada@example.com\r\nBcc: all@example.com",
    "LF at the end": "ada@example.com\n",
    "LF in front": "\nada@example.com",
    "two, by comma": "ada@example.com,bob@example.com",
    "two, by semicolon": "ada@example.com;bob@example.com",
    "two, by space": "ada@example.com bob@example.com",
    "two at signs": "ada@bob@example.com",
    "with a name": "Ada <ada@example.com>",
    "in brackets": "<ada@example.com>",
    "with a comment": "ada(comment)@example.com",
    "quoted": '"ada lovelace"@example.com',
    "NUL": "ada\x00@example.com",
    "no at sign": "ada.example.com",
    "no local part": "@example.com",
    "no domain": "ada@",
    "one label": "ada@localhost",
    "an IP literal": "ada@[127.0.0.1]",
    "empty label": "ada@example..com",
    "dot at the end": "ada@example.com.",
    "dot in front": ".ada@example.com",
    "two dots": "ada..lovelace@example.com",
    "label ends with a hyphen": "ada@example-.com",
    "label of 64": f"ada@{'a' * 64}.com",
    "longer than 254": f"{'a' * 243}@example.com",
    "beyond ASCII": "ada@exämple.com",
    "full-width at sign": "ada\uff20example.com",
    "empty": "",
}

email = TypeAdapter[str](Email)


@pytest.mark.parametrize("text", NO_ADDRESS.values(), ids=NO_ADDRESS)
@pytest.mark.parametrize(("contract", "field"), ADDRESSES)
def test_a_mail_address_is_one_plain_address(
    contract: type[Event], field: str, text: str, refuse: Callable[[type[Event], str, str], set[str]]
) -> None:
    assert refuse(contract, field, json.dumps(text)) <= {
        "string_pattern_mismatch",
        "string_too_short",
        "string_too_long",
    }


@pytest.mark.parametrize(
    "text",
    [
        "ada@example.com",
        "a@b.co",
        "ada.lovelace+shop@mail.example.co.uk",
        "o'hara@example.com",
        "{{7*7}}@example.com",
        "ADA@EXAMPLE.COM",
        "ada@xn--exmple-cua.com",
        "operators@shop.test",
        "ada@shop.invalid",
        f"{'a' * 242}@example.com",
    ],
)
@pytest.mark.parametrize(("contract", "field"), ADDRESSES)
def test_an_address_is_kept_as_it_was_written(
    contract: type[Event], field: str, text: str, accept: Callable[[type[Event], str, str], Event]
) -> None:
    assert f'"{text}"' in accept(contract, field, json.dumps(text)).to_json()


@given(st.text('ab.@-<>,;"\\ \r\n\t\x00ä', max_size=40))
def test_no_accepted_address_can_end_a_header_or_name_a_second_person(text: str) -> None:
    try:
        email.validate_python(text, strict=True)
    except ValidationError:
        return
    assert text.count("@") == 1
    assert not set(text) & set('<>,;"\\ \r\n\t\x00ä')


@pytest.mark.parametrize("text", ["+4930901820", "+12025550123", "+1234567", "+123456789012345"])
def test_a_phone_number_names_its_country(
    text: str, accept: Callable[[type[Event], str, str], Event]
) -> None:
    accept(SendNotification, "recipient.phone", json.dumps(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "030901820",
        "+0301234567",
        "+49 30 901820",
        "+49-30-901820",
        "+123456",
        "+1234567890123456",
        "+4930\n",
    ],
)
def test_a_phone_number_of_another_form_is_refused(
    text: str, refuse: Callable[[type[Event], str, str], set[str]]
) -> None:
    assert refuse(SendNotification, "recipient.phone", json.dumps(text))


@pytest.mark.parametrize("text", ["de", "gsw", "en-GB", "pt-BR", "es-419", "zh-Hant", "zh-Hant-TW"])
@pytest.mark.parametrize(
    ("contract", "field"), [(OrderCreated, "customer.locale"), (SendNotification, "recipient.locale")]
)
def test_a_locale_is_a_language_with_script_and_region(
    contract: type[Event], field: str, text: str, accept: Callable[[type[Event], str, str], Event]
) -> None:
    accept(contract, field, json.dumps(text))


@pytest.mark.parametrize(
    "text", ["", "d", "DE", "de_DE", "de-de", "deutsch", "de-DE-1996", "../en", "en-GB\n", "*", "zh-hant"]
)
@pytest.mark.parametrize(
    ("contract", "field"), [(OrderCreated, "customer.locale"), (SendNotification, "recipient.locale")]
)
def test_a_locale_of_another_form_is_refused(
    contract: type[Event], field: str, text: str, refuse: Callable[[type[Event], str, str], set[str]]
) -> None:
    assert refuse(contract, field, json.dumps(text))
