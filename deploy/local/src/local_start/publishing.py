"""`queue publish`: one event from a terminal or a script."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from pydantic import ValidationError

from local_start.datadir import DataDir
from local_start.errors import BadInputError, LocalStartError
from local_start.record import gateway_address
from local_start.settings import Client, read
from shared.client import (
    EventPublisher,
    GatewayUnavailableError,
    Published,
    PublishOptions,
    PublishRefusedError,
    RetryPolicy,
)
from shared.events import EVENT_TYPES, Event, UnknownTypeError, parse

_DEADLINE = timedelta(seconds=10)  # somebody waits at a terminal


class NotSettledError(LocalStartError):
    """The gateway may have the event: publishing it again with the same id is safe."""

    exit_code = 3


def publish(type_name: str, data: str, options: PublishOptions) -> Published:
    """Checks the event against its contract and publishes it by the key of the local start.

    Raises:
        BadInputError: the type is unknown, or the data is not what it asks for.
        NotSettledError: no answer came.
        LocalStartError: the gateway refused it, or there is no key.
    """
    event = _event(type_name, data)
    client = read(Client)
    data_dir = DataDir(client.data_dir)
    address, key = gateway_address(data_dir, client), key_of(client, data_dir)
    try:
        return asyncio.run(_send(address, key, event, options))
    except PublishRefusedError as error:
        raise LocalStartError(f"refused: {error}") from None
    except GatewayUnavailableError as error:
        again = f"publish it again with --id {error.id}"
        raise NotSettledError(f"{address} gave no answer ({error}); it is safe to {again}") from None


def read_data(given: str) -> str:
    """The JSON text itself, or what `@file` or `-` (standard input) stand for.

    Raises:
        BadInputError: it can't be read as UTF-8 text.
    """
    try:
        if given == "-":
            return sys.stdin.buffer.read().decode()
        if given.startswith("@"):
            return Path(given[1:]).read_bytes().decode()
    except OSError as error:
        raise BadInputError(f"--data {given}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadInputError(f"--data {given}: it is no UTF-8 text") from None
    return given


def _event(type_name: str, data: str) -> Event:
    try:
        return parse(type_name, data)
    except UnknownTypeError:
        raise BadInputError(f"no event type {type_name!r}: there are {', '.join(EVENT_TYPES)}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise BadInputError(f"--data {f'{where}: ' if where else ''}{first['msg']}{more}") from None


def key_of(client: Client, data: DataDir) -> str:
    """The key that the user names, else that of the local start; raises `LocalStartError`."""
    if client.api_key is not None:
        return client.api_key.get_secret_value()
    try:
        return data.api_key.read_text().strip()
    except OSError:
        where = f"set QUEUE_API_KEY, or start the system ({data.api_key} is missing)"
        raise LocalStartError(f"no API key: {where}") from None


async def _send(address: str, key: str, event: Event, options: PublishOptions) -> Published:
    async with EventPublisher(address, key, retry=RetryPolicy(deadline=_DEADLINE)) as publisher:
        return await publisher.publish(event, **options)
