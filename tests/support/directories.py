"""Directories that go when the tests end."""

import shutil
from pathlib import Path
from tempfile import mkdtemp

from support.processes import tell_reaper

_MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a directory of its own in it
_ENOUGH = 1 << 30  # bytes


def directory_for(user: str | None, *, in_memory: bool = False) -> Path:
    """A new directory that belongs to `user`, and to nobody else.

    `in_memory` asks for one that costs no disk; where memory is short it is on the disk all the same.
    """
    has_memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH
    directory = Path(mkdtemp(prefix="shop-queue-test-", dir=_MEMORY if in_memory and has_memory else None))
    tell_reaper(f"directory {directory}")
    if user is not None:
        shutil.chown(directory, user)
    return directory
