"""Fills templates in Jinja2's immutable sandbox.

A template is data that people write: it must not reach anything, and it must end. What makes a template
grow or run without bound is left out of the language (`language.py`), and what is left is counted: passes
of loops, what filters take in, and characters of output. The clock is looked at with each of them, so a
rendering ends within its time and what one expression takes, which its source and the variables, of at most
100 KB each, bound. It runs in the event loop, so its time is a part of a lease (`settings.py`); that is
time of the processor, and more of a clock's where the processor has other work.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache, wraps
from importlib.resources import files
from time import thread_time
from typing import Any, Final, cast

from jinja2 import StrictUndefined, Template, Undefined, UndefinedError
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.filters import FILTERS
from jinja2.sandbox import ImmutableSandboxedEnvironment

from notification_worker import domain
from notification_worker.adapters.language import FILTERS_ALLOWED, PASSES, TESTS_ALLOWED, check
from notification_worker.domain import Content
from notification_worker.ports import TemplateError
from shared.events.money import CURRENCIES

WORK: Final = 2_000_000
"""Loop passes and values that filters take in, together."""
NUMBER_MAX: Final = 10**24
LIMITS: Final = {"subject": 2_000, "text": 200_000, "html": 500_000}
"""The characters that each part may have."""
SUBJECT_SHOWN: Final = 250
SOURCE_MAX: Final = 100_000
_PASS_COST: Final = 20
_OF_VALUES: Final = (ArithmeticError, RecursionError, TypeError, ValueError, LookupError)
"""What a value of the wrong kind raises in the middle of a template."""


class BadTemplateError(TemplateError):
    """A part of a template is no template in this language."""

    def __init__(self, part: str, line: int, why: str) -> None:
        super().__init__(f"{part}, line {line}: {why}")
        self.part, self.line, self.why = part, line, why


class _Budget:
    """What one rendering may still use up.

    Its time is the processor's: that a machine stands still for a moment makes no template a bad one.
    """

    def __init__(self, seconds: float) -> None:
        self.left = WORK
        self._seconds = seconds
        self._until = thread_time() + seconds

    def charge(self, work: int) -> None:
        self.left -= work
        if self.left < 0:
            raise TemplateError("it does more work than a template may")
        if thread_time() > self._until:
            raise TemplateError(f"it takes longer than {self._seconds:g} s")


_budget: ContextVar[_Budget] = ContextVar("budget")


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of all templates: arithmetic on numbers only, and nothing that calls."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        for operand in (left, right):
            if isinstance(operand, bool) or not isinstance(operand, int | float):
                raise TemplateError(f"`{operator}` is for numbers")
            if abs(operand) > NUMBER_MAX:
                raise TemplateError("a number is too large")
        return super().call_binop(context, operator, left, right)


def _sandbox(*, html: bool) -> Sandbox:
    sandbox = Sandbox(
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_printable,
        cache_size=0,
    )
    sandbox.globals.clear()
    sandbox.filters = {name: _counted(FILTERS[name]) for name in FILTERS_ALLOWED if name in FILTERS}
    sandbox.filters |= {"money": _money, PASSES: _passes}
    sandbox.tests = {name: test for name, test in sandbox.tests.items() if name in TESTS_ALLOWED}
    return sandbox


class SandboxRenderer:
    """Implements the port `Renderer`; each rendering may take so many `seconds`."""

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        layout = (files("notification_worker") / "templates" / "layout.html").read_text("utf-8")
        self._layout = ImmutableSandboxedEnvironment(autoescape=True, undefined=StrictUndefined).from_string(
            layout
        )

    def render(self, template: domain.Template, variables: dict[str, Any]) -> Content:
        token = _budget.set(_Budget(self._seconds))
        try:
            subject = " ".join(_fill("subject", template.subject, variables).split())
            if not subject:
                raise TemplateError("subject: it is empty")
            if len(subject) > SUBJECT_SHOWN:
                subject = f"{subject[: SUBJECT_SHOWN - 1]}…"
            text = _fill("text", template.text, variables)
            html = None if template.html is None else self._html(template.html, subject, variables)
        finally:
            _budget.reset(token)
        return Content(subject, text, html)

    def _html(self, source: str, subject: str, variables: dict[str, Any]) -> str:
        """A fragment stands in our layout; a whole document stays as it is."""
        filled = _fill("html", source, variables)
        if source.lstrip().lower().startswith(("<!doctype", "<html")):
            return filled
        return self._layout.render(subject=subject, content=filled)


def validate(template: domain.Template) -> None:
    """Returns if each part can be read; raises BadTemplateError. Says nothing about variables."""
    for part, source in (("subject", template.subject), ("text", template.text), ("html", template.html)):
        if source is not None:
            _compiled(part, source)


def _fill(part: str, source: str, variables: Mapping[str, Any]) -> str:
    compiled = _compiled(part, source)
    try:
        return "".join(_measured(compiled.generate(variables), LIMITS[part]))
    except UndefinedError as error:
        raise TemplateError(f"{part}: {error.message}") from error
    except (TemplateError, JinjaError, *_OF_VALUES) as error:
        raise TemplateError(f"{part}: {error}") from error


def _measured(pieces: Iterable[str], most: int) -> Iterator[str]:
    """The pieces of the output, each paid for."""
    for piece in pieces:
        most -= len(piece)
        if most < 0:
            raise TemplateError("it becomes too long")
        _budget.get().charge(1)
        yield piece


@lru_cache(maxsize=256)
def _compiled(part: str, source: str) -> Template:
    sandbox = _SANDBOXES[part == "html"]
    if len(source) > SOURCE_MAX:
        raise BadTemplateError(part, 1, f"longer than {SOURCE_MAX:,} characters")
    try:
        tree = sandbox.parse(source)
        refusal = check(tree, sandbox)
        if refusal:
            raise BadTemplateError(part, *refusal)
        return sandbox.from_string(tree)
    except JinjaError as error:
        line = getattr(error, "lineno", None) or 1
        raise BadTemplateError(part, line, "it cannot be read as a template") from error
    except (SyntaxError, RecursionError, MemoryError, ValueError, ArithmeticError) as error:
        raise BadTemplateError(part, 1, "it is nested too deeply, or has a number too large") from error


def _counted(wrapped: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, charged for all that it is given before it begins."""

    @wraps(wrapped)
    def charged(*args: Any, **kwargs: Any) -> Any:
        work = 1
        for value in (*args, *kwargs.values()):
            work *= _size(value)
        _budget.get().charge(work)
        return wrapped(*args, **kwargs)

    return charged


def _size(value: Any) -> int:
    """How much a filter has to do with a value: `join` has to do it for each of a list."""
    match value:
        case str():
            return 1 + len(value) // 100
        case list() | dict():
            return 1 + len(cast("list[Any]", value))
        case _:
            return 1


def _passes(values: Iterable[Any]) -> Iterator[Any]:
    """Each value of a loop, counted."""
    for value in values:
        _budget.get().charge(_PASS_COST)
        yield value


def _printable(value: Any) -> Any:
    """Variables and numbers are printed; what Python and Jinja2 bring along is not."""
    if isinstance(value, str | int | float | list | dict | Undefined) or value is None:
        return cast("Any", value)
    raise TemplateError("only a variable's value can be printed")


def _money(amount: Any, currency: Any) -> str:
    for value in (amount, currency):
        if isinstance(value, Undefined):
            str(value)  # raises, with its name
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise TemplateError("money is a whole number of minor units")
    if currency not in CURRENCIES:
        raise TemplateError("money needs the code of a currency")
    return domain.money(amount, currency)


_SANDBOXES: Final = {html: _sandbox(html=html) for html in (False, True)}
