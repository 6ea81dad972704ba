"""Where mails are kept: one file each, complete on disk before anybody is told that it was taken."""

import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mail_sink.mail import Envelope, Mail, from_file, to_file

log = logging.getLogger(__name__)

BYTES_KEPT = 256 * 1024 * 1024
"""How much mail is kept, in bytes; past that the oldest go."""


@dataclass(frozen=True, slots=True)
class _Kept:
    mail: Mail
    size: int


class Mailbox:
    """All mails, oldest first. Its methods may be called from any thread.

    A directory belongs to one process. Memory holds what the disk holds: both are bounded by `kept` mails
    and by `BYTES_KEPT`.
    """

    def __init__(self, directory: Path, *, kept: int, bytes_kept: int = BYTES_KEPT) -> None:
        self._directory = directory
        self._most, self._most_bytes = kept, bytes_kept
        self._mails: dict[str, _Kept] = {}
        self._bytes = 0
        self._last = 0
        self._lock = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True)
        self._read_all()

    def __len__(self) -> int:
        return len(self._mails)

    def add(self, envelope: Envelope, content: bytes) -> Mail:
        """Keeps a mail; once this returns it survives the death of the process and of the machine.

        Raises:
            OSError: it could not be written; then it is not kept.
        """
        mail_id = self._new_id()
        kept = to_file(envelope, content)
        path = self._path(mail_id)
        _write(path, kept)
        mail = Mail(mail_id, envelope, content)
        with self._lock:
            self._mails[mail_id] = _Kept(mail, len(kept))
            self._bytes += len(kept)
            for dropped in self._too_many():
                self._path(dropped).unlink(missing_ok=True)
        return mail

    def newest_first(self) -> list[Mail]:
        with self._lock:
            return [self._mails[mail_id].mail for mail_id in sorted(self._mails, reverse=True)]

    def find(self, mail_id: str) -> Mail | None:
        kept = self._mails.get(mail_id)
        return kept.mail if kept else None

    def forget_all(self) -> int:
        """Deletes every mail that is there now, and returns how many they were."""
        with self._lock:
            forgotten = list(self._mails)
            self._mails.clear()
            self._bytes = 0
            for mail_id in forgotten:
                self._path(mail_id).unlink(missing_ok=True)
        return len(forgotten)

    def _path(self, mail_id: str) -> Path:
        return self._directory / f"{mail_id}.eml"

    def _new_id(self) -> str:
        """The time of its taking in nanoseconds, or the next number after the last where the clock stands."""
        with self._lock:
            self._last = max(self._last + 1, time.time_ns())
            return f"{self._last:020d}"

    def _too_many(self) -> Iterator[str]:
        while len(self._mails) > self._most or (self._bytes > self._most_bytes and len(self._mails) > 1):
            oldest = min(self._mails)
            self._bytes -= self._mails.pop(oldest).size
            yield oldest

    def _read_all(self) -> None:
        for unfinished in self._directory.glob(".*.unfinished"):
            unfinished.unlink(missing_ok=True)
        for path in sorted(self._directory.glob("*.eml")):
            kept = path.read_bytes()
            try:
                mail = from_file(path.stem, kept)
            except (ValueError, KeyError, TypeError):
                log.warning("not a mail of ours, left alone: %s", path.name)
                continue
            self._mails[mail.id] = _Kept(mail, len(kept))
            self._bytes += len(kept)
            self._last = max(self._last, int(mail.id) if mail.id.isdecimal() else 0)


def _write(path: Path, content: bytes) -> None:
    """The whole file under its name, or nothing under it; the name itself is on disk too."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
