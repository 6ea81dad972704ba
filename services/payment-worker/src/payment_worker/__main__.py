"""`python -m payment_worker` serves; with `migrate` it brings the database up to date."""

import sys

from payment_worker.settings import Settings
from shared.service.settings import load


def main() -> None:
    """Each half imports only what it needs: a start runs both, one after the other."""
    settings = load(Settings)
    if sys.argv[1:] == ["migrate"]:
        from shared.store.migrate import migrate

        migrate(settings.database_url, "payment_worker")
    else:
        from payment_worker.main import create_app
        from shared.service.app import serve

        serve(create_app(settings), settings)


if __name__ == "__main__":
    main()
