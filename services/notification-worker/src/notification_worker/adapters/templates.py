"""The templates in SQL, and those that are seeded."""

from collections.abc import Iterable
from enum import StrEnum
from hashlib import sha256
from importlib.resources import files

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from notification_worker.adapters.tables import TemplateRow
from notification_worker.domain import Template, fallbacks
from shared.store.tables import utc_now

SEEDED = ("order-confirmation", "payment-receipt", "order-shipped", "order-cancelled", "refund", "low-stock")


class Seeding(StrEnum):
    """What seeding did with a template."""

    MADE = "made"
    RENEWED = "renewed"
    UNCHANGED = "unchanged"
    KEPT = "kept as a person changed it"
    OVERWRITTEN = "overwritten"


class SqlTemplates:
    """The templates in the transaction of a session, which stays the caller's."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def nearest(self, key: str, locale: str | None) -> Template | None:
        """The template in this locale, else in its language, else the one for everybody."""
        wanted = [name or "" for name in fallbacks(locale)]
        found = await self._session.execute(
            select(TemplateRow).where(col(TemplateRow.key) == key, col(TemplateRow.locale).in_(wanted))
        )
        rows = {row.locale: row for row in found.scalars()}
        return next((template_of(rows[name]) for name in wanted if name in rows), None)

    async def find(self, key: str, locale: str | None) -> TemplateRow | None:
        """The template in exactly this locale."""
        return await self._session.get(TemplateRow, (key, locale or ""))

    async def put(self, template: Template) -> TemplateRow:
        """Stores it as a person's own."""
        return await self._store(template, seed=None)

    async def seed(self, template: Template, *, overwrite: bool) -> Seeding:
        """Stores it, unless a person has changed what was seeded before, or `overwrite` says so."""
        known = await self.find(template.key, template.locale)
        digest = _digest(template)
        if known is None:
            did = Seeding.MADE
        elif _digest(template_of(known)) == digest:
            did = Seeding.UNCHANGED
        elif known.seed is not None and known.seed == _digest(template_of(known)):
            did = Seeding.RENEWED
        elif overwrite:
            did = Seeding.OVERWRITTEN
        else:
            return Seeding.KEPT
        if did is not Seeding.UNCHANGED:
            await self._store(template, seed=digest)
        return did

    async def _store(self, template: Template, *, seed: str | None) -> TemplateRow:
        row = TemplateRow(
            key=template.key,
            locale=template.locale or "",
            subject=template.subject,
            text=template.text,
            html=template.html,
            updated_at=utc_now(),
            seed=seed,
        )
        return await self._session.merge(row)


def seeds() -> Iterable[Template]:
    """The templates that come with this service."""
    folder = files("notification_worker") / "templates"
    for key in SEEDED:
        subject, text, html = (
            (folder / f"{key}.{ending}").read_text("utf-8") for ending in ("subject.txt", "text.txt", "html")
        )
        yield Template(key, subject.strip(), text, html)


def template_of(row: TemplateRow) -> Template:
    return Template(row.key, row.subject, row.text, row.html, row.locale or None)


def _digest(template: Template) -> str:
    parts = (template.subject, template.text, template.html or "")
    return sha256("\x00".join(parts).encode()).hexdigest()
