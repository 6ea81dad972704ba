"""Settings: read once by `main`, from the environment, a `.env` file, and files that hold secrets."""

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar
from urllib.parse import quote

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from shared.queue.address import checked

SettingsT = TypeVar("SettingsT", bound="ServiceSettings")


class ServiceSettings(BaseSettings):
    """What every service is told. Each field's alias is the name of its variable.

    A secret may stand in a file instead, named by the variable with `_FILE` behind it.
    """

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, populate_by_name=True, env_ignore_empty=True
    )

    name: ClassVar[str]
    """The service, as a person calls it: `order-worker`."""

    host: str = Field("127.0.0.1", alias="HOST")
    port: int = Field(8000, ge=1, le=65535)
    database_url: str = Field(alias="DATABASE_URL")
    redis_host: str = Field("localhost", alias="REDIS_HOST")
    redis_port: int = Field(6379, alias="REDIS_PORT", ge=1, le=65535)
    redis_password: SecretStr = Field(SecretStr(""), alias="REDIS_PASSWORD")
    redis_url_set: Annotated[str, AfterValidator(checked)] | None = Field(None, alias="REDIS_URL")
    hosts_text: str | None = Field(None, alias="ALLOWED_HOSTS")
    service_key: SecretStr = Field(alias="QUEUE_SERVICE_KEY", min_length=16)
    """What the services show each other."""
    log_format: Literal["text", "json"] = Field("text", alias="LOG_FORMAT")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", alias="LOG_LEVEL")

    otlp_endpoint: Annotated[str, StringConstraints(pattern=r"^https?://")] | None = Field(
        None, alias="OTEL_EXPORTER_OTLP_ENDPOINT"
    )
    """Where traces go, over HTTP; without it there are none."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names that a Host header may have: this machine's and the service's own by default."""
        text = self.hosts_text or f"localhost,127.0.0.1,[::1],{self.name}"
        return tuple(host.strip() for host in text.split(",") if host.strip())

    @property
    def redis_url(self) -> str:
        """`REDIS_URL` where it is set, else what the other three make."""
        if self.redis_url_set:
            return self.redis_url_set
        password = self.redis_password.get_secret_value()
        login = f":{quote(password, safe='')}@" if password else ""
        return f"redis://{login}{self.redis_host}:{self.redis_port}/0"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 secrets have a source of their own
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _NamedFiles(settings_cls), dotenv_settings


class WorkerSettings(ServiceSettings):
    """What every worker is told besides."""

    workers_enabled: bool = Field(default=True, alias="QUEUE_WORKERS_ENABLED")
    """False: stay up, answer, consume nothing."""
    concurrency: int = Field(5, alias="QUEUE_CONCURRENCY", ge=1, le=1000)
    lease_seconds: float = Field(6.0, alias="QUEUE_LEASE_SECONDS", ge=0.5, le=3600)
    """How long a worker may be silent before its events are taken over."""
    grace_seconds: float = Field(15.0, alias="QUEUE_GRACE_SECONDS", ge=0, le=3600)
    """How long running handlers have to finish when the worker is told to stop."""
    gateway_url: Annotated[str, StringConstraints(pattern=r"^https?://")] = Field(
        "http://127.0.0.1:8000", alias="GATEWAY_URL"
    )

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.lease_seconds)

    @property
    def grace(self) -> timedelta:
        return timedelta(seconds=self.grace_seconds)


class SettingsError(SystemExit):
    """A setting is missing or wrong: ends the process with one line a mistake, and status 2."""

    def __init__(self, service: str, error: ValidationError) -> None:
        lines = [
            f"{service}: {_variable(problem)}: {problem['msg']}"
            for problem in error.errors(include_input=False)
        ]
        self.lines = lines
        sys.stderr.write("\n".join(lines) + "\n")
        super().__init__(2)


def load(kind: type[SettingsT]) -> SettingsT:
    """The settings from the environment. Raises `SettingsError`, which prints no value."""
    try:
        return kind()  # pyright: ignore[reportCallIssue] the environment has the arguments
    except ValidationError as error:
        raise SettingsError(kind.name, error) from None


class _NamedFiles(PydanticBaseSettingsSource):
    """For each variable `NAME`: the content of the file that `NAME_FILE` names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        alias = field.alias or field_name
        path = os.environ.get(f"{alias.upper()}_FILE")
        if not path:
            return None, alias, False
        try:
            return Path(path).read_text().strip(), alias, False
        except OSError as error:
            raise SystemExit(f"{alias}_FILE: {path}: {error.strerror}") from None

    def __call__(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, field in self.settings_cls.model_fields.items():
            value, alias, _ = self.get_field_value(field, name)
            if value is not None:
                values[alias] = value
        return values


def _variable(problem: Any) -> str:
    return str(problem["loc"][0]).upper() if problem["loc"] else "settings"
