"""What the seeded templates say, and what a template may not do."""

import time
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notification_worker.adapters.rendering import BadTemplateError, SandboxRenderer, validate
from notification_worker.adapters.templates import SEEDED, seeds
from notification_worker.domain import Content, Template, money
from notification_worker.ports import TemplateError
from notification_worker.settings import RENDERING_SECONDS, Settings
from shared.events.money import CURRENCIES

LINES = [
    {"sku": "MUG-BLUE", "quantity": 2, "unit_price": 1250},
    {"sku": "TEAPOT", "quantity": 1, "unit_price": 123_900},
]
VARIABLES: dict[str, dict[str, Any]] = {
    "order-confirmation": {
        "name": "Ada",
        "order_id": "1042",
        "lines": LINES,
        "total": 126_400,
        "currency": "EUR",
    },
    "payment-receipt": {"name": "Ada", "order_id": "1042", "amount": 126_400, "currency": "EUR"},
    "order-shipped": {"name": "Ada", "order_id": "1042", "carrier": "DHL", "tracking_number": "0034"},
    "order-cancelled": {"name": "Ada", "order_id": "1042", "reason": "changed my mind"},
    "refund": {"name": "Ada", "order_id": "1042", "amount": 1250, "currency": "JPY"},
    "low-stock": {"sku": "MUG-BLUE", "available": 4, "threshold": 5},
}
SEEDS = {template.key: template for template in seeds()}
HOSTILE = "{{7*7}} {% for x in y %} <script>alert('1')</script> & =HYPERLINK(\"x\") \\x1b[31m &#27;"


def render(template: Template | str, variables: dict[str, Any] | None = None) -> Content:
    if isinstance(template, str):
        template = Template("test", "Hello", template, template)
    return SandboxRenderer(seconds=RENDERING_SECONDS).render(template, variables or {})


def tree_of(html: str | None) -> ET.Element:
    assert html is not None
    return ET.fromstring(html.removeprefix("<!DOCTYPE html>"))  # noqa: S314 our own renderer wrote it


def words_of(html: str | None) -> str:
    return " ".join(" ".join(tree_of(html).itertext()).split())


@pytest.mark.parametrize("key", SEEDED)
def test_a_seeded_template_says_all_its_variables_in_text_and_in_well_formed_html(key: str) -> None:
    content = render(SEEDS[key], VARIABLES[key])

    for value in VARIABLES[key].values():
        if isinstance(value, str) and value not in {"EUR", "JPY"}:
            assert value in content.subject + (content.text or "")
            assert value in words_of(content.html)
    assert "{" not in content.subject + (content.text or "")


@pytest.mark.parametrize("key", SEEDED)
@given(text=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=50))
def test_whatever_a_variable_says_the_html_stays_well_formed(key: str, text: str) -> None:
    variables = {
        name: text if isinstance(value, str) and name != "currency" else value
        for name, value in VARIABLES[key].items()
    }

    assert tree_of(render(SEEDS[key], variables).html).tag.endswith("html")


@pytest.mark.parametrize(
    ("key", "missing"), [(key, name) for key, variables in VARIABLES.items() for name in variables]
)
def test_a_missing_variable_is_named(key: str, missing: str) -> None:
    variables = {name: value for name, value in VARIABLES[key].items() if name != missing}

    with pytest.raises(TemplateError, match=f"'{missing}' is undefined"):
        render(SEEDS[key], variables)


def test_an_order_is_confirmed_line_by_line_with_money_as_people_read_it() -> None:
    content = render(SEEDS["order-confirmation"], VARIABLES["order-confirmation"])

    assert content.subject == "Your order 1042"
    assert "2 x MUG-BLUE at 12.50 EUR = 25.00 EUR" in (content.text or "")
    assert "Total: 1,264.00 EUR" in (content.text or "")
    assert "TEAPOT 1 x 1,239.00 EUR 1,239.00 EUR Total 1,264.00 EUR" in words_of(content.html)


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (6400, "EUR", "64.00 EUR"),
        (5, "USD", "0.05 USD"),
        (1_234_567, "JPY", "1,234,567 JPY"),
        (1_234_567, "KWD", "1,234.567 KWD"),
        (0, "GBP", "0.00 GBP"),
        (-150, "EUR", "-1.50 EUR"),
        (10**12, "CHF", "10,000,000,000.00 CHF"),
    ],
)
def test_money_has_the_decimals_of_its_currency(amount: int, currency: str, shown: str) -> None:
    assert money(amount, currency) == shown


@given(st.integers(0, 10**12), st.sampled_from(sorted(CURRENCIES)))
def test_no_minor_unit_of_money_is_lost(amount: int, currency: str) -> None:
    digits = "".join(filter(str.isdigit, money(amount, currency)))

    assert int(digits) == amount


@pytest.mark.parametrize("amount", ["64", 64.0, True, None])
def test_money_that_is_no_whole_number_is_refused(amount: object) -> None:
    with pytest.raises(TemplateError, match="minor units"):
        render("{{ a | money('EUR') }}", {"a": amount})


def test_what_a_variable_says_comes_out_literally() -> None:
    content = render("{{ a }}", {"a": HOSTILE})

    assert content.text == HOSTILE
    assert HOSTILE in " ".join(tree_of(content.html).itertext())
    assert "<script>" not in (content.html or "")


def test_a_subject_is_one_line() -> None:
    content = render(Template("test", "  Hi {{ a }} ", "x"), {"a": "a\r\nBcc: eve@example.com\n\n b"})

    assert content.subject == "Hi a Bcc: eve@example.com b"


def test_a_whole_document_stands_for_itself() -> None:
    assert render("<!doctype html><p>{{ a }}</p>", {"a": "<b>"}).html == "<!doctype html><p>&lt;b&gt;</p>"


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ a.__init__.__globals__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ self }}",
        "{{ a.upper }}",
        "{{ cycler }}",
        "{{ config }}",
        "{{ a | attr('__class__') }}",
        "{{ a | map(attribute='__class__') | join }}",
        "{{ [a] | join(attribute='__class__') }}",
        "{{ [a] | sort(attribute='__class__.__mro__') }}",
    ],
)
def test_a_template_reaches_nothing_but_its_variables(source: str) -> None:
    with pytest.raises(TemplateError):
        render(source, {"a": "x"})


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("one\n{{ a", "line 2: it cannot be read"),
        ("{% if a %}", "line 1"),
        ("{% set a = 1 %}", "Assign"),
        ("{{ a() }}", "Call"),
        ("{% for x in range(9) %}{% endfor %}", "Call"),
        ("{{ a ~ a }}", "Concat"),
        ("{{ 9 ** 9 }}", "Pow"),
        ("{% include 'x' %}", "Include"),
        ("{% import 'x' as y %}", "Import"),
        ("{% extends 'x' %}", "Extends"),
        ("{% macro x() %}{% endmacro %}", "Macro"),
        ("{% filter upper %}{% endfilter %}", "FilterBlock"),
        ("{% autoescape false %}{{ a }}{% endautoescape %}", "line 1"),
        ("{{ a | safe }}", "no such filter"),
        ("{{ a | center(9999999999) }}", "no such filter"),
        ("{{ a | secret }}", "no such filter"),
        ("{{ a is secret }}", "no such test"),
        ("{% for x in a recursive %}{% endfor %}", "loops"),
        ("{% for a in b %}" * 4 + "{% endfor %}" * 4, "deeper than 3"),
        ("{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}", "nested too deeply"),
        ("{{ " + "9" * 5_000 + " }}", "number too large"),
        ("{{ " + "not " * 50 + "a }}", "nested too deeply"),
        ("x" * 100_001, "longer than"),
    ],
)
def test_what_is_no_template_is_refused_with_its_place_and_a_reason(source: str, why: str) -> None:
    with pytest.raises(BadTemplateError, match=why) as refused:
        validate(Template("test", "Hello", source))

    assert refused.value.part == "text"
    assert "secret" not in str(refused.value)


BIG: dict[str, Any] = {"l": list(range(9_000)), "s": "x" * 90_000, "words": ["abcdefgh"] * 9_000}


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in l %}{% for b in l %}{% for c in l %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in l %}{{ s }}{% endfor %}",
        "{% for a in l %}{% if l | sort | length == 1 %}{% endif %}{% endfor %}",
        "{% for a in l %}{% if 'zz' in words or 'yy' in words or 'xx' in words %}{% endif %}{% endfor %}",
        "{{ l | join(s) }}",
        "{{ [s, s, s] | join(s) }}" * 9,
        "{{ s }}" * 9,
        "{{ 9999999999999999 * 9999999999999999 * 9999999999999999 }}",
        "{{ s * 9999 }}",
        "{{ l * 9999 }}",
        "{{ s % 9 }}",
    ],
)
def test_no_template_takes_long_or_becomes_long(source: str) -> None:
    started = time.thread_time()
    with pytest.raises(TemplateError):
        render(source, BIG)

    assert time.thread_time() - started < RENDERING_SECONDS + 2  # what one expression may take


@pytest.mark.parametrize("lease", [0.5, 1.0, 6.0, 60.0])
def test_a_rendering_ends_well_within_a_lease(lease: float) -> None:
    settings = Settings.model_validate(
        {"DATABASE_URL": "sqlite:///x.db", "QUEUE_SERVICE_KEY": "k" * 16, "QUEUE_LEASE_SECONDS": lease}
    )

    assert settings.rendering_seconds <= min(lease / 2, RENDERING_SECONDS)


def test_a_machine_that_stands_still_makes_no_template_a_bad_one() -> None:
    class Slow(list[int]):
        def __iter__(self) -> Iterator[int]:
            time.sleep(0.3)
            return super().__iter__()

    template = Template("test", "Hello", "{% for a in l %}{{ a }}{% endfor %}")

    assert SandboxRenderer(seconds=0.2).render(template, {"l": Slow([1, 2])}).text == "12"


def test_a_rendering_that_has_no_time_left_is_refused() -> None:
    with pytest.raises(TemplateError, match="longer than 0 s"):
        SandboxRenderer(seconds=0).render(Template("test", "Hello", "{{ 1 }}"), {})


def test_the_largest_order_that_a_contract_allows_fits_its_confirmation() -> None:
    lines = [{"sku": f"{number:0>64}", "quantity": 10_000, "unit_price": 10**8} for number in range(500)]

    content = render(
        SEEDS["order-confirmation"], {**VARIABLES["order-confirmation"], "lines": lines, "total": 10**12}
    )

    assert (content.text or "").count(" x ") == 500
