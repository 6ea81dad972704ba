"""`python -m gateway` serves, `python -m gateway migrate` brings the database up to date."""

import sys

from gateway.main import create_app
from gateway.settings import Settings
from shared.service.app import serve
from shared.service.settings import load
from shared.store.migrate import migrate


def main() -> None:
    settings = load(Settings)
    if sys.argv[1:] == ["migrate"]:
        migrate(settings.database_url, "gateway")
    else:
        serve(create_app(settings), settings)


if __name__ == "__main__":
    main()
