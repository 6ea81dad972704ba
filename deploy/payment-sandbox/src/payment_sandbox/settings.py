"""What the sandbox is told from outside."""

import sys
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

Share = Annotated[float, Field(ge=0, le=1)]


class Settings(BaseSettings):
    """Each field's alias is the name of its variable.

    The sandbox asks nobody for a key, so it listens on the loopback interface unless `host` says otherwise.
    """

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, populate_by_name=True, env_ignore_empty=True
    )

    host: str = Field("127.0.0.1", alias="PAYMENT_SANDBOX_HOST")
    port: int = Field(8010, alias="PAYMENT_SANDBOX_PORT", ge=1, le=65535)
    database: Path = Field(Path("payment-sandbox.db"), alias="PAYMENT_SANDBOX_DATABASE")
    """The file of the ledger; its directory has to be there."""
    timeout_share: Share = Field(0.0, alias="SANDBOX_TIMEOUT_SHARE")
    """Of all keys, how many are never answered on their first try, though the money has moved."""
    error_share: Share = Field(0.0, alias="SANDBOX_ERROR_SHARE")
    """Of all keys, how many meet a 500 on their first try; no money has moved."""
    slow_share: Share = Field(0.0, alias="SANDBOX_SLOW_SHARE")
    """Of all keys, how many wait for `SLOW_SECONDS`."""


def load() -> Settings:
    """The settings from the environment; one line a mistake and status 2 where they are wrong."""
    try:
        return Settings()  # pyright: ignore[reportCallIssue] the environment has the arguments
    except ValidationError as error:
        for problem in error.errors(include_input=False):
            name = str(problem["loc"][0]).upper() if problem["loc"] else "settings"
            sys.stderr.write(f"payment-sandbox: {name}: {problem['msg']}\n")
        raise SystemExit(2) from None
