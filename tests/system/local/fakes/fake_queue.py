"""The `queue` command line over fake services."""

import sys

from local_start.cli import create_cli
from local_start.services import Service

SERVICES = (Service("fake_gateway", 18_000, worker=False), Service("fake_worker", 18_001))

if __name__ == "__main__":
    create_cli(SERVICES, (sys.executable, __file__))(prog_name="queue")
