"""A migration adds before anything is taken away, so that the version before runs on the new tables.

What a migration takes away has to be a name in `TAKEN_AWAY`, with the version that stopped using it: at least
one release before.
"""

from importlib.resources import as_file, files
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

PACKAGES = ("gateway", "order_worker", "payment_worker", "inventory_worker", "notification_worker")
TAKEN_AWAY: dict[str, str] = {}
"""`package.table.column`, and the version that no longer used it."""

Columns = dict[str, "sa.engine.interfaces.ReflectedColumn"]


def breaks(before: Columns, after: Columns) -> list[str]:
    """What the version before would stumble over."""
    gone = [f"{name} is gone" for name in before.keys() - after.keys()]
    needed = [
        f"{name} is needed, and only the new version fills it"
        for name, column in after.items()
        if not column["nullable"]
        and column["default"] is None
        and name.rpartition(".")[0] in {each.rpartition(".")[0] for each in before}
        and (name not in before or before[name]["nullable"])
    ]
    return sorted([*gone, *needed])


def columns_of(connection: sa.Connection) -> Columns:
    inspector = sa.inspect(connection)
    return {
        f"{table}.{column['name']}": column
        for table in inspector.get_table_names()
        for column in inspector.get_columns(table)
    }


def steps_that_break(folder: Path, database: Path) -> list[str]:
    """Each revision after the one before it, judged by the tables that they make."""
    engine = sa.create_engine(f"sqlite:///{database}", poolclass=sa.NullPool)
    found: list[str] = []
    revisions = [each.revision for each in ScriptDirectory(str(folder)).walk_revisions()][::-1]
    before: Columns = {}
    for number, revision in enumerate(revisions):
        with engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(folder))
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
        with engine.connect() as connection:
            after = columns_of(connection)
        if number:
            found += [f"{revision}: {wrong}" for wrong in breaks(before, after)]
        before = after
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_every_migration_leaves_what_the_version_before_uses(package: str, tmp_path: Path) -> None:
    with as_file(files(package) / "migrations") as folder:
        found = steps_that_break(folder, tmp_path / "steps.db")

    assert [wrong for wrong in found if f"{package}.{wrong.split()[1]}" not in TAKEN_AWAY] == []


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ('op.add_column("a", sa.Column("c", sa.String))', []),
        ('op.add_column("a", sa.Column("c", sa.String, nullable=False, server_default=""))', []),
        ('op.create_table("b", sa.Column("c", sa.String, nullable=False))', []),
        ('op.drop_column("a", "b")', ["2: a.b is gone"]),
        ('op.drop_table("a")', ["2: a.b is gone", "2: a.id is gone"]),
        (
            (
                'op.drop_table("a"); '
                'op.create_table("a", sa.Column("id", sa.Text), sa.Column("b", sa.Text, nullable=False))'
            ),
            ["2: a.b is needed, and only the new version fills it"],
        ),
    ],
)
def test_a_migration_that_breaks_the_version_before_is_found(
    tmp_path: Path, change: str, wrong: list[str]
) -> None:
    versions = tmp_path / "versions"
    versions.mkdir()
    (tmp_path / "env.py").write_text("from shared.store.migrate import run\n\nrun()\n")
    head = "import sqlalchemy as sa\nfrom alembic import op\nrevision = {!r}\ndown_revision = {!r}\n"
    first = 'op.create_table("a", sa.Column("id", sa.Integer, primary_key=True), sa.Column("b", sa.String))'
    for number, before, step in (("1", None, first), ("2", "1", change)):
        (versions / f"{number}.py").write_text(head.format(number, before) + f"def upgrade():\n    {step}\n")

    assert steps_that_break(tmp_path, tmp_path / "steps.db") == wrong
