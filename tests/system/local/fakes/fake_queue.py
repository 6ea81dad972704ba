"""The `queue` command line over fake services."""

import sys

from local_start.cli import create_cli
from local_start.services import Service, StandIn, System

SYSTEM = System(
    services=(
        Service("fake_gateway", 18_000, worker=False),
        Service("fake_worker", 18_001, seed="seed"),
    ),
    stand_ins=(StandIn("fake_world", 18_002, instead_of="REAL_WORLD", keeps_in="FAKE_WORLD_DIR"),),
)

if __name__ == "__main__":
    create_cli(SYSTEM, (sys.executable, __file__))(prog_name="queue")
