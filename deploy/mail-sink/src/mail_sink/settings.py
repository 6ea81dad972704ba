"""What the sink is told from outside."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Each field's alias is the name of its variable; a `.env` file is read."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, populate_by_name=True, env_ignore_empty=True
    )

    host: str = Field("127.0.0.1", alias="HOST")
    smtp_port: int = Field(1025, alias="MAIL_SINK_SMTP_PORT", ge=1, le=65_535)
    port: int = Field(8025, alias="MAIL_SINK_PORT", ge=1, le=65_535)
    directory: Path = Field(Path("mails"), alias="MAIL_SINK_DIR")
    kept: int = Field(10_000, alias="MAIL_SINK_KEPT", ge=1)
    """How many mails are kept; past that the oldest go."""
    size_limit: int = Field(10 * 1024 * 1024, alias="MAIL_SINK_SIZE_LIMIT", ge=1024)
    """The largest mail that is taken, in bytes."""
