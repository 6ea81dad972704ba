"""`python -m order_worker` serves; with `migrate` it brings the database up to date."""

import sys

from order_worker.main import create_app
from order_worker.settings import Settings
from shared.service.app import serve
from shared.service.settings import load
from shared.store.migrate import migrate


def main() -> None:
    settings = load(Settings)
    if sys.argv[1:] == ["migrate"]:
        migrate(settings.database_url, "order_worker")
    else:
        serve(create_app(settings), settings)


if __name__ == "__main__":
    main()
