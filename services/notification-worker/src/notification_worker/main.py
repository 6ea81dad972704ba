"""The composition root: what notification-worker is made of."""

from email.utils import parseaddr

from fastapi import FastAPI

from notification_worker.adapters.mail import address_of
from notification_worker.adapters.rendering import SandboxRenderer
from notification_worker.adapters.smtp import SmtpMailer, SmtpServer
from notification_worker.adapters.work import in_doubt
from notification_worker.handlers import notifications
from notification_worker.routes import router
from notification_worker.settings import Settings
from shared.service.settings import load
from shared.service.worker import create_worker

DESCRIPTION = "Renders templates and sends what they say by each channel."


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or load(Settings)
    mailer = SmtpMailer(_server(settings))
    renderer = SandboxRenderer(seconds=settings.rendering_seconds)
    return create_worker(
        settings,
        queue=notifications,
        description=DESCRIPTION,
        routes=[router],
        context={"mailer": mailer, "renderer": renderer, "channels": settings.channels},
        needs={"smtp": mailer.trouble} if "email" in settings.channels else {},
        closing=[mailer.close],
        in_doubt=in_doubt,
    )


def _server(settings: Settings) -> SmtpServer:
    name, address = parseaddr(settings.smtp_from)
    password = settings.smtp_password
    return SmtpServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=address_of(address, name),
        username=settings.smtp_username,
        password=password.get_secret_value() if password else None,
        security=settings.smtp_security,
        time_limit=settings.smtp_seconds,
    )
