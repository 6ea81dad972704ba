"""Alembic's way in; `shared.store.migrate` leads here."""

from shared.store.migrate import run

run()
