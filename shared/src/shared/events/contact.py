"""Where a person is reached, and in which language."""

from typing import Annotated, Final

from pydantic import Field

# The address of the HTML standard (what `<input type=email>` takes), with no empty atoms and at least two
# labels in the domain. No display names, comments, quoted parts, lists or line breaks can pass. It judges
# the form alone: domains reserved for tests are addresses too, which rules out stricter libraries.
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL_PATTERN: Final = rf"^{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+$"

Email = Annotated[
    str,
    Field(
        min_length=3,
        max_length=254,  # RFC 5321, 4.5.3.1.3: a path of 256 with its angle brackets
        pattern=EMAIL_PATTERN,
        description="one mail address, without a name",
        json_schema_extra={"format": "email"},
    ),
]
"""One mail address in ASCII, kept as it was written."""

Phone = Annotated[
    str,
    Field(
        pattern=r"^\+[1-9][0-9]{6,14}$", min_length=8, max_length=16, description="E.164, such as +4930901820"
    ),
]
"""A telephone number with its country, in the form of E.164."""

Locale = Annotated[
    str,
    Field(
        pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$",
        min_length=2,
        max_length=12,
        description="BCP 47: language, script and region, such as `de`, `pt-BR`, `zh-Hant-TW`",
    ),
]
"""A language, perhaps with a script and a region."""
