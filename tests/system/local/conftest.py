import subprocess
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from system.local.fake_system import QUEUE, LocalStart


@pytest.fixture
def local(tmp_path: Path) -> Generator[LocalStart]:
    with ExitStack() as processes:
        start = LocalStart(tmp_path, processes)
        yield start
        subprocess.run(
            [*QUEUE, "down"],
            env={"QUEUE_DATA_DIR": str(start.data), "QUEUE_GRACE_SECONDS": "1"},
            capture_output=True,
            check=True,
        )
