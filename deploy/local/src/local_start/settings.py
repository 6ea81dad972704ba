"""What the environment and `.env` say about a local start, read once and strictly."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar
from urllib.parse import quote

from pydantic import AfterValidator, Field, FilePath, SecretStr, ValidationError, create_model
from pydantic_settings import BaseSettings, SettingsConfigDict

from local_start.errors import BadSettingError
from local_start.services import StandIn, port_variable

Port = Annotated[int, Field(ge=1, le=65_535)]
Seconds = Annotated[float, Field(gt=0, le=3_600, allow_inf_nan=False)]


def _redis_url(value: SecretStr) -> SecretStr:
    from shared.queue.address import checked  # noqa: PLC0415 - loads a library that few starts need

    checked(value.get_secret_value())
    return value


class _Environment(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )


class Place(_Environment):
    """Where a local start keeps its things, and how patiently it stops: all that `queue down` needs."""

    data_dir: Path = Field(Path(".data"), validation_alias="QUEUE_DATA_DIR")
    grace_seconds: Seconds = Field(15.0, validation_alias="QUEUE_GRACE_SECONDS")

    @property
    def grace(self) -> timedelta:
        return timedelta(seconds=self.grace_seconds)


class Settings(Place):
    """Everything else that a start needs, and the services' own numbers, so that a bad one shows here."""

    workers_enabled: bool = Field(default=True, validation_alias="QUEUE_WORKERS_ENABLED")
    concurrency: Annotated[int, Field(ge=1, le=1_000)] = Field(5, validation_alias="QUEUE_CONCURRENCY")
    lease_seconds: Annotated[Seconds, Field(ge=0.5)] = Field(6.0, validation_alias="QUEUE_LEASE_SECONDS")
    start_seconds: Seconds = Field(60.0, validation_alias="QUEUE_START_SECONDS")
    valkey_port: Port = Field(6380, validation_alias="QUEUE_REDIS_PORT")
    redis_url: Annotated[SecretStr, AfterValidator(_redis_url)] | None = Field(
        None, validation_alias="REDIS_URL"
    )
    redis_host: str | None = Field(None, validation_alias="REDIS_HOST")
    redis_port: Port = Field(6379, validation_alias="REDIS_PORT")
    redis_password: SecretStr = Field(SecretStr(""), validation_alias="REDIS_PASSWORD")
    redis_password_file: FilePath | None = Field(None, validation_alias="REDIS_PASSWORD_FILE")

    @property
    def external_redis(self) -> str | None:
        """The URL of the Redis that the user runs; None where the start brings its own Valkey."""
        if self.redis_url is not None:
            return self.redis_url.get_secret_value()
        if self.redis_host is None:
            return None
        password = self.redis_password.get_secret_value()
        if self.redis_password_file is not None:
            password = self.redis_password_file.read_text().strip()
        login = f":{quote(password, safe='')}@" if password else ""
        host = f"[{self.redis_host}]" if ":" in self.redis_host else self.redis_host
        return f"redis://{login}{host}:{self.redis_port}/0"


class Client(Place):
    """Where a user says that the gateway is, and the key for it."""

    gateway_url: Annotated[str, Field(pattern="^https?://")] | None = Field(
        None, validation_alias="GATEWAY_URL"
    )
    gateway_port: Port = Field(8000, validation_alias="GATEWAY_PORT")
    api_key: SecretStr | None = Field(None, validation_alias="QUEUE_API_KEY")


Kind = TypeVar("Kind", bound=BaseSettings)


def read(kind: type[Kind]) -> Kind:
    """The settings of this kind.

    Raises:
        BadSettingError: names the first bad value in one line.
    """
    try:
        return kind()
    except ValidationError as error:
        raise BadSettingError(_in_one_line(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettingError(f".env cannot be read: {error}") from None


class Listens(Protocol):
    """What has ports: each by a key that its variable is made of."""

    @property
    def ports(self) -> Mapping[str, int]: ...


def read_ports(listening: Iterable[Listens]) -> Mapping[str, int]:
    """The port for each key: `ORDER_WORKER_PORT` where it is set, else its default, for `order_worker`.

    Raises:
        BadSettingError: names the first bad value in one line.
    """
    fields: dict[str, Any] = {
        key: (Port, Field(port, validation_alias=port_variable(key)))
        for part in listening
        for key, port in part.ports.items()
    }
    return read(create_model("Ports", __base__=_Environment, **fields)).model_dump()


def needed(stand_ins: Sequence[StandIn]) -> tuple[StandIn, ...]:
    """Those that stand in for something that the user does not name."""
    fields: dict[str, Any] = {
        stand_in.module: (str | None, Field(None, validation_alias=stand_in.instead_of))
        for stand_in in stand_ins
    }
    named = read(create_model("Named", __base__=_Environment, **fields)).model_dump()
    return tuple(stand_in for stand_in in stand_ins if named[stand_in.module] is None)


def _in_one_line(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    variable = str(first["loc"][0])
    shown = "" if variable.startswith("REDIS_") else f" (it is {str(first['input'])[:40]!r})"
    message = first["msg"].split(", unable to parse")[0].removeprefix("Input ")
    return f"{variable} {message}{shown}"
