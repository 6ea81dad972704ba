"""What notification-worker answers over HTTP."""

from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from notification_worker.adapters.in_app import InApp, UnknownNotificationError
from notification_worker.adapters.rendering import SOURCE_MAX, BadTemplateError, validate
from notification_worker.adapters.tables import MessageRow, TemplateRow
from notification_worker.adapters.templates import SqlTemplates
from notification_worker.domain import Template
from shared.events.base import Contract
from shared.events.contact import Locale
from shared.events.notifications import TemplateKey
from shared.events.text import Identifier, Prose
from shared.service.app import Reading, Writing
from shared.service.body import read_model
from shared.service.keys import Policy
from shared.service.openapi import json_body, problems
from shared.service.problem import Kind, Problem
from shared.service.refusals import Refusal

_refused = (Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.INVALID, Kind.UNAVAILABLE)
router = APIRouter(tags=["notifications"], responses=problems(*_refused))

UserId = Annotated[Identifier, Path()]
NotificationId = Annotated[Identifier, Path()]
Source = Annotated[Prose, Field(max_length=SOURCE_MAX)]


class NotificationBody(BaseModel):
    """What the app shows to a person; `read_at` is null until they have read it."""

    id: str
    event_id: str
    template: str | None
    subject: str
    text: str
    read: bool
    created_at: datetime
    read_at: datetime | None


class NotificationList(BaseModel):
    """Notifications of one person, newest first."""

    items: list[NotificationBody]


class NotificationsQuery(BaseModel):
    """Which of them."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=64)] | None = None
    unread: bool = False


class TemplateSetting(Contract):
    """What a template says, in Jinja2; `html` is a fragment for the shop's layout, or a whole document."""

    subject: Annotated[Prose, Field(max_length=2_000)]
    text: Source
    html: Source | None = None
    locale: Locale | None = None


class TemplateQuery(BaseModel):
    """In which language; without it, the template for everybody."""

    model_config = ConfigDict(extra="forbid")

    locale: Locale | None = None


class TemplateBody(BaseModel):
    """A template as it is now."""

    key: str
    locale: str | None
    subject: str
    text: str
    html: str | None
    updated_at: datetime


@router.get(
    "/v1/users/{user_id}/notifications",
    dependencies=[Depends(Policy("events:read", "admin:read"))],
    summary="What the app shows to a person, newest first",
)
async def list_notifications(
    user_id: UserId,
    query: Annotated[NotificationsQuery, Query()],
    request: Request,
    response: Response,
    session: Reading,
) -> NotificationList:
    try:
        rows, more = await InApp(session, user_id).page(
            limit=query.limit, after=query.cursor, unread=query.unread
        )
    except UnknownNotificationError:
        rule = Refusal(loc=["query", "cursor"], type="cursor", msg="It is no cursor of this list")
        raise Problem(Kind.INVALID, errors=[rule]) from None
    if more:
        kept = [pair for pair in request.query_params.multi_items() if pair[0] != "cursor"]
        following = urlencode([*kept, ("cursor", rows[-1].id)])
        response.headers["Link"] = f'<{request.url.path}?{following}>; rel="next"'
    return NotificationList(items=[_notification(row) for row in rows])


@router.post(
    "/v1/users/{user_id}/notifications/{notification_id}/read",
    dependencies=[Depends(Policy("events:write", "admin:write"))],
    responses=problems(Kind.NOT_FOUND),
    summary="A notification was read",
)
async def mark_read(user_id: UserId, notification_id: NotificationId, session: Writing) -> NotificationBody:
    """However often it is said; `read_at` is the first time. It takes no body."""
    try:
        return _notification(await InApp(session, user_id).mark_read(notification_id))
    except UnknownNotificationError:
        raise Problem(Kind.NOT_FOUND) from None


@router.get(
    "/v1/templates/{key}",
    dependencies=[Depends(Policy("admin:read"))],
    responses=problems(Kind.NOT_FOUND),
    summary="A template",
)
async def show_template(
    key: Annotated[TemplateKey, Path()], query: Annotated[TemplateQuery, Query()], session: Reading
) -> TemplateBody:
    row = await SqlTemplates(session).find(key, query.locale)
    if row is None:
        raise Problem(Kind.NOT_FOUND)
    return _template(row)


async def template_setting(request: Request) -> TemplateSetting:
    setting = await read_model(request, TemplateSetting)
    try:
        validate(Template("", setting.subject, setting.text, setting.html))
    except BadTemplateError as error:
        rule = Refusal(loc=[error.part], type="template", msg=f"line {error.line}: {error.why}")
        raise Problem(Kind.INVALID, errors=[rule]) from None
    return setting


@router.put(
    "/v1/templates/{key}",
    dependencies=[Depends(Policy("admin:write"))],
    responses=problems(Kind.NOT_JSON, Kind.TOO_LARGE, Kind.UNSUPPORTED_MEDIA_TYPE),
    openapi_extra=json_body(TemplateSetting),
    summary="Set a template",
)
async def set_template(
    key: Annotated[TemplateKey, Path()],
    # before the session: no transaction waits for a body that drips in
    setting: Annotated[TemplateSetting, Depends(template_setting)],
    session: Writing,
) -> TemplateBody:
    """Makes it where there is none; 422 says which part is no template, in which line, and why."""
    template = Template(key, setting.subject, setting.text, setting.html, setting.locale)
    return _template(await SqlTemplates(session).put(template))


def _notification(row: MessageRow) -> NotificationBody:
    return NotificationBody(
        id=row.id,
        event_id=row.event_id,
        template=row.template,
        subject=row.subject or "",
        text=row.text or "",
        read=row.read_at is not None,
        created_at=row.created_at,
        read_at=row.read_at,
    )


def _template(row: TemplateRow) -> TemplateBody:
    return TemplateBody(
        key=row.key,
        locale=row.locale or None,
        subject=row.subject,
        text=row.text,
        html=row.html,
        updated_at=row.updated_at,
    )
