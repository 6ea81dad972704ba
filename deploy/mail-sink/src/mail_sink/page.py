"""What the sink shows to a person: the mails, and one of them. No script runs, neither ours nor a mail's."""

from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from mail_sink.answers import TheMailbox

LISTED = 200
"""How many of the newest mails the page lists."""

_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_MAIL_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

router = APIRouter(include_in_schema=False)
_templates = Environment(
    loader=PackageLoader("mail_sink", "pages"), autoescape=True, undefined=StrictUndefined
)
_style = (files("mail_sink") / "pages" / "style.css").read_text()


@router.get("/", response_class=HTMLResponse)
def show(mailbox: TheMailbox, mail: Annotated[str | None, Query(max_length=100)] = None) -> Response:
    mails = mailbox.newest_first()
    shown = mailbox.find(mail) if mail else None
    html = _templates.get_template("page.html").render(
        mails=mails[:LISTED], total=len(mails), shown=shown, missing=bool(mail) and shown is None
    )
    return HTMLResponse(
        html,
        404 if mail and shown is None else 200,
        headers={**_HEADERS, "Content-Security-Policy": _PAGE_POLICY},
    )


@router.get("/mails/{mail_id}", response_class=HTMLResponse)
def show_html(mailbox: TheMailbox, mail_id: str) -> Response:
    """The HTML of a mail, for a frame: alone in an origin of its own, with nothing loaded from anywhere."""
    mail = mailbox.find(mail_id)
    headers = {**_HEADERS, "Content-Security-Policy": _MAIL_POLICY}
    return HTMLResponse(mail.reading.html if mail else "", 200 if mail else 404, headers=headers)


@router.get("/style.css")
async def style() -> Response:
    return Response(_style, media_type="text/css", headers={"X-Content-Type-Options": "nosniff"})
