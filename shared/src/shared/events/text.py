"""Text that may enter the system: bounded, and free of what hides or reorders what a person reads."""

from typing import Annotated, Final

from pydantic import Field

# ECMA-262, Python and Rust read these escapes alike, so the JSON Schemas hold in any language. The patterns
# fix where a match begins, so that an engine that backtracks reads each text once.
CONTROLS: Final = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"
"""Control characters but tabs and line breaks, for a class of a regular expression."""
BREAKS: Final = r"\u0009\u000a\u000d\u2028\u2029"
"""Tabs and line breaks."""
BIDI: Final = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Unicode's property Bidi_Control: characters that reorder the text around them."""

_SPACES: Final = r" \u00a0\u3000"
_LINE: Final = rf"^[{_SPACES}]*[^\s{CONTROLS}{BIDI}][^{CONTROLS}{BREAKS}{BIDI}]*$"
_PROSE: Final = rf"^[{_SPACES}{BREAKS}]*[^\s{CONTROLS}{BIDI}][^{CONTROLS}{BIDI}]*$"

Identifier = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._:-]{0,63}$",
        min_length=1,
        max_length=64,
        description="letters, digits and `. _ : -`, not beginning with `.`, `:` or `-`",
    ),
]
"""An id that others gave. It fits into a URL's path, a subject and a correlation id as it is."""

Sku = Identifier
"""The id of a stock keeping unit."""

Label = Annotated[str, Field(min_length=1, max_length=200, pattern=_LINE, description="text on one line")]
"""A name, a heading, a number that a person reads."""

Reason = Annotated[
    str,
    Field(min_length=1, max_length=500, pattern=_LINE, description="why, as a code or in words"),
]
"""Why something happened: a code such as `out_of_stock`, or a person's words."""

Prose = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200_000,
        pattern=_PROSE,
        description="text, with line breaks and tabs",
    ),
]
"""The body of a message."""
