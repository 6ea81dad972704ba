"""What is there before the worker starts: its tables, its templates, its settings."""

import os
import subprocess
import sys
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import ValidationError
from sqlalchemy import inspect

from notification_worker.adapters.tables import BatchRow, MessageRow, TemplateRow
from notification_worker.adapters.templates import SEEDED, Seeding, SqlTemplates, seeds
from notification_worker.domain import Template
from notification_worker.settings import Settings
from shared.store.database import Database, async_url
from shared.store.migrate import migrate
from shared.store.tables import Attempt, Inbox, Outbox

REQUIRED: dict[str, Any] = {"DATABASE_URL": "sqlite:///x.db", "QUEUE_SERVICE_KEY": "a key of the services"}


def test_the_migrations_make_exactly_the_tables_of_the_code(database_url: str) -> None:
    migrate(database_url, "notification_worker")
    migrate(database_url, "notification_worker")
    declared = sa.MetaData()
    for table in (Inbox, Attempt, Outbox, MessageRow, TemplateRow, BatchRow):
        of_the_code = inspect(table).local_table
        assert isinstance(of_the_code, sa.Table)
        of_the_code.to_metadata(declared)
    url = async_url(database_url)

    engine = sa.create_engine(url.set(drivername=url.drivername.replace("+aiosqlite", "")))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        difference = compare_metadata(context, declared)
    engine.dispose()

    assert difference == []


def command(*arguments: str, url: str) -> list[str]:
    environment = {**os.environ, **REQUIRED, "DATABASE_URL": url}
    done = subprocess.run(
        [sys.executable, "-m", "notification_worker", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_command_seeds_what_is_not_there_and_says_what_it_did(sqlite_url: str) -> None:
    command("migrate", url=sqlite_url)

    assert command("seed-templates", url=sqlite_url) == [f"{key}: made" for key in SEEDED]
    assert command("seed-templates", url=sqlite_url) == [f"{key}: unchanged" for key in SEEDED]
    assert command("seed-templates", "--overwrite", url=sqlite_url) == [f"{key}: unchanged" for key in SEEDED]


async def seed(database: Database, template: Template, *, overwrite: bool = False) -> Seeding:
    async with database.transaction() as session:
        return await SqlTemplates(session).seed(template, overwrite=overwrite)


async def put(database: Database, template: Template) -> None:
    async with database.transaction() as session:
        await SqlTemplates(session).put(template)


async def subject(database: Database) -> str:
    async with database.reading() as session:
        row = await SqlTemplates(session).find("refund", None)
    assert row is not None
    return row.subject


async def test_what_a_person_has_changed_is_kept_unless_they_ask(database: Database) -> None:
    (seeded,) = (template for template in seeds() if template.key == "refund")
    await put(database, Template("refund", "My own words", "x"))

    assert await seed(database, seeded) is Seeding.KEPT
    assert await subject(database) == "My own words"
    assert await seed(database, seeded, overwrite=True) is Seeding.OVERWRITTEN
    assert await subject(database) == seeded.subject


async def test_what_nobody_has_changed_follows_a_new_version(database: Database) -> None:
    newer = Template("refund", "Newer", "x")

    assert await seed(database, newer) is Seeding.RENEWED
    assert await subject(database) == "Newer"
    assert await seed(database, newer) is Seeding.UNCHANGED


def test_the_settings_have_their_defaults() -> None:
    settings = Settings.model_validate(REQUIRED)

    assert (settings.port, settings.channels) == (8004, {"email", "in-app"})
    assert (settings.smtp_host, settings.smtp_port, settings.smtp_security) == ("127.0.0.1", 1025, "none")


@pytest.mark.parametrize(
    "wrong",
    [
        {"NOTIFICATION_CHANNELS": "email,pigeon"},
        {"NOTIFICATION_CHANNELS": "email,email"},
        {"NOTIFICATION_CHANNELS": ","},
        {"SMTP_SECURITY": "perhaps"},
        {"SMTP_PORT": 0},
        {"SMTP_FROM": "Shop"},
        {"SMTP_FROM": "Shop <shop@>"},
        {"SMTP_FROM": "a@b.example, c@d.example\nBcc: x@y.example"},
        {"SMTP_SECONDS": 0},
        {"SMTP_SECONDS": 26},
    ],
    ids=str,
)
def test_a_wrong_setting_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({**REQUIRED, **wrong})
