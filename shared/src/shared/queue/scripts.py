"""The Lua scripts, loaded once a server and called by their hash."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, ResponseError

from shared.queue.connection import client_of

NAMES = ("ack", "epoch", "fetch", "hand_back", "later", "open", "renew", "send", "tidy")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a script: its name, its keys, its arguments."""

    script: str
    keys: Sequence[str]
    args: Sequence[str | bytes | int | float] = field(default=())


@dataclass(frozen=True, slots=True)
class Listen:
    """A wait, consuming nothing, until one of the streams goes beyond the id given for it."""

    keys: Sequence[str]
    ids: Sequence[bytes]
    seconds: float

    @property
    def command(self) -> tuple[str | bytes | int, ...]:
        milliseconds = max(1, int(self.seconds * 1000))  # nought would be for ever
        return ("XREAD", "COUNT", 1, "BLOCK", milliseconds, "STREAMS", *self.keys, *self.ids)


class Scripts:
    """Calls scripts on one client, several in one round trip.

    A server that was restarted or flushed its scripts gets them again. The calls of a round trip
    are separate: each is atomic, the sequence is not.
    """

    def __init__(self, client: "Redis") -> None:
        folder = files("shared.queue") / "lua"
        self._client = client
        self._sources = {name: (folder / f"{name}.lua").read_text() for name in NAMES}
        self._hashes = {
            name: sha1(source.encode(), usedforsecurity=False).hexdigest()
            for name, source in self._sources.items()
        }

    async def call(self, script: str, keys: Sequence[str], *args: str | bytes | float) -> Any:
        """The reply of one call. Raises `RedisError`, or `OSError` where there is no server."""
        hashed = self._hashes[script]
        try:
            return await self._client.evalsha(hashed, len(keys), *keys, *args)
        except NoScriptError:
            await self._load()
            return await self._client.evalsha(hashed, len(keys), *keys, *args)

    async def call_all(self, calls: Sequence[Call | Listen]) -> list[Any]:
        """The replies of several calls, in their order; an error of one call stands in its reply's place.

        What stands behind a `Listen` runs when that has ended.

        Raises `RedisError` or `OSError` where the round trip failed: some of them may have run.
        """
        if not calls:
            return []
        replies = await self._run(calls)
        missed = [n for n, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if missed:
            await self._load()
            again = await self._run([calls[n] for n in missed])  # and only those: the others have run
            for n, reply in zip(missed, again, strict=True):
                replies[n] = reply
        return replies

    async def _run(self, calls: Sequence[Call | Listen]) -> list[Any]:
        if len(calls) == 1:  # cheaper without a pipeline
            reply: Any
            try:
                reply = await self._client.execute_command(*self._command(calls[0]))  # pyright: ignore[reportUnknownVariableType] redis-py leaves it open
            except ResponseError as error:
                reply = error
            return [reply]
        pipeline = self._client.pipeline(transaction=False)
        for call in calls:
            pipeline.execute_command(*self._command(call))
        return await pipeline.execute(raise_on_error=False)

    def _command(self, call: Call | Listen) -> Sequence[Any]:
        if isinstance(call, Listen):
            return call.command
        return ("EVALSHA", self._hashes[call.script], len(call.keys), *call.keys, *call.args)

    async def _load(self) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for source in self._sources.values():
            pipeline.script_load(source)
        await pipeline.execute()


class ScriptsByQueue:
    """The scripts of each queue, on the server that has its keys."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._known: dict[str, Scripts] = {}

    def __getitem__(self, queue: str) -> Scripts:
        if queue not in self._known:
            self._known[queue] = Scripts(client_of(self._client, queue))
        return self._known[queue]
