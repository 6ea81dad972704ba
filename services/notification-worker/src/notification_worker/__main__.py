"""`python -m notification_worker` serves; `migrate` and `seed-templates` prepare its database."""

import argparse
import asyncio
import sys

from notification_worker.settings import Settings
from shared.service.settings import load


def main() -> None:
    """Each part imports only what it needs: a start runs them all, one after the other."""
    parser = argparse.ArgumentParser(prog="notification_worker", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("migrate", help="bring the database up to date")
    seed = commands.add_parser("seed-templates", help="store the templates that come with this service")
    seed.add_argument("--overwrite", action="store_true", help="also those that a person has changed")
    arguments = parser.parse_args()
    settings = load(Settings)
    if arguments.command == "migrate":
        from shared.store.migrate import migrate

        migrate(settings.database_url, "notification_worker")
    elif arguments.command == "seed-templates":
        asyncio.run(_seed(settings, overwrite=arguments.overwrite))
    else:
        from notification_worker.main import create_app
        from shared.service.app import serve

        serve(create_app(settings), settings)


async def _seed(settings: Settings, *, overwrite: bool) -> None:
    """One line a template: what was done with it."""
    from notification_worker.adapters.templates import SqlTemplates, seeds
    from shared.store.database import Database

    database = Database(settings.database_url)
    try:
        async with database.transaction() as session:
            for template in seeds():
                did = await SqlTemplates(session).seed(template, overwrite=overwrite)
                sys.stdout.write(f"{template.key}: {did}\n")
    finally:
        await database.close()


if __name__ == "__main__":
    main()
