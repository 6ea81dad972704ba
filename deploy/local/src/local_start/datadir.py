"""The one directory that a local start keeps everything in, and only what is its own there."""

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Generator
from pathlib import Path

from local_start.errors import LocalStartError

_MARKER = ".made-by-queue"
_FOLDERS = ("logs", "run", "valkey", "stand-ins")
_KEYS = ("api-key", "service-key")


class DataDir:
    """Databases, the files of Valkey and of the stand-ins, logs, keys and the records of running starts."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.logs = self.root / "logs"
        self.run = self.root / "run"
        self.valkey = self.root / "valkey"
        self.api_key = self.root / "api-key"
        self.service_key = self.root / "service-key"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def database(self, module: str) -> Path:
        return self.root / f"{module}.db"

    def stand_in(self, module: str) -> Path:
        """The file or directory in which a stand-in keeps what it has."""
        return self.root / "stand-ins" / module

    def prepare(self) -> None:
        """Makes whatever is missing: the directory, its marker, its folders and the two keys.

        Raises:
            LocalStartError: it can't be written, or it holds things of these names that are not ours
                (which `queue reset` would delete one day).
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._is_ours():
                self._mark()
            for name in _FOLDERS:
                (self.root / name).mkdir(exist_ok=True)
            for name in _KEYS:
                _make_key(self.root / name)
        except OSError as error:
            raise LocalStartError(f"{self.root} cannot be used: {error.strerror} (QUEUE_DATA_DIR)") from error

    def new_log(self, name: str) -> Path:
        """An empty log; what the start before wrote is kept beside it as `<name>.log.1`."""
        log = self.log(name)
        if log.exists() and log.stat().st_size:
            log.replace(log.with_suffix(".log.1"))
        log.touch()
        return log

    @contextlib.contextmanager
    def only_one(self) -> Generator[bool]:
        """True to one process at a time; the kernel takes it back from whoever dies with it."""
        with (self.run / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def refuse_if_not_ours(self) -> None:
        """Returns if a local start made this directory, or there is nothing in it.

        Raises:
            LocalStartError: somebody else's things are in it.
        """
        if self._holds_something() and not self._is_ours():
            raise LocalStartError(f"{self.root} was not made by a local start: nothing was deleted")

    def forget(self) -> bool:
        """Deletes what local starts made here and nothing else; False if there was nothing.

        Raises:
            LocalStartError: the directory was not made by a local start, or one is running on it.
        """
        self.refuse_if_not_ours()
        if not self._holds_something():
            return False
        self.run.mkdir(exist_ok=True)
        with self.only_one() as alone:
            if not alone:
                raise LocalStartError(f"a start on {self.root} has just begun: nothing was deleted")
            databases = [path for path in self.root.iterdir() if ".db" in path.suffix]
            ours = [self.root / name for name in (*_FOLDERS, *_KEYS)]
            for path in [*ours, *databases, self.root / _MARKER]:
                _delete(path)
        with contextlib.suppress(OSError):  # something of the user's is in there: it stays
            self.root.rmdir()
        return True

    def _holds_something(self) -> bool:
        return self.root.is_dir() and any(self.root.iterdir())

    def _is_ours(self) -> bool:
        return (self.root / _MARKER).is_file()

    def _mark(self) -> None:
        taken = [name for name in _FOLDERS if os.path.lexists(self.root / name)]
        taken += [path.name for path in self.root.iterdir() if ".db" in path.suffix]
        if taken:
            raise LocalStartError(
                f"{self.root} has {taken[0]!r} of somebody else: choose another QUEUE_DATA_DIR"
            )
        (self.root / _MARKER).write_text("`queue reset` deletes what local starts keep here.\n")


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _make_key(path: Path) -> None:
    """A key in one line that only the owner reads; one that is there is kept."""
    if path.exists() and path.read_text().strip():
        path.chmod(0o600)
        return
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"qk_{secrets.token_urlsafe(32)}\n")
    unfinished.replace(path)
