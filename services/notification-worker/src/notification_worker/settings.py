"""What this service is told from outside."""

from email.utils import getaddresses
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, TypeAdapter, ValidationError

from notification_worker.domain import CHANNELS
from shared.events.contact import Email
from shared.service.settings import WorkerSettings


def _mailbox(text: str) -> str:
    found = getaddresses([text])
    try:
        if len(found) == 1 and text.isprintable():
            TypeAdapter(Email).validate_python(found[0][1])
            return text
    except ValidationError:
        pass
    raise ValueError("it has to be one mail address, perhaps as `Name <address>`")


def _known_channels(text: str) -> str:
    names = [name.strip() for name in text.split(",")]
    if not set(names) <= set(CHANNELS) or len(set(names)) < len(names):
        raise ValueError(f"a list of {', '.join(CHANNELS)}, each at most once, separated by commas")
    return text


RENDERING_SECONDS: Final = 1.0


class Settings(WorkerSettings):
    name: ClassVar[str] = "notification-worker"

    port: int = Field(8004, alias="NOTIFICATION_WORKER_PORT", ge=1, le=65535)
    channels_text: Annotated[str, AfterValidator(_known_channels)] = Field(
        "email,in-app", alias="NOTIFICATION_CHANNELS"
    )
    smtp_host: Annotated[str, StringConstraints(min_length=1)] = Field("127.0.0.1", alias="SMTP_HOST")
    smtp_port: int = Field(1025, alias="SMTP_PORT", ge=1, le=65535)
    smtp_username: str | None = Field(None, alias="SMTP_USERNAME")
    smtp_password: SecretStr | None = Field(None, alias="SMTP_PASSWORD")
    smtp_security: Literal["none", "starttls", "tls"] = Field("none", alias="SMTP_SECURITY")
    smtp_from: Annotated[str, AfterValidator(_mailbox)] = Field(
        "Your shop <shop@shop.example>", alias="SMTP_FROM"
    )
    """Who mails come from: an address, perhaps with a name."""
    smtp_seconds: float = Field(10.0, alias="SMTP_SECONDS", gt=0, le=25)
    """How long a whole conversation with the mail server may take, and as long one waits for a connection.

    A handler has 60 s for both.
    """

    @property
    def rendering_seconds(self) -> float:
        """How long filling a template may take of the processor, and so of a lease."""
        return min(RENDERING_SECONDS, self.lease_seconds / 2)

    @property
    def channels(self) -> frozenset[str]:
        """The channels that are active."""
        return frozenset(name.strip() for name in self.channels_text.split(","))
