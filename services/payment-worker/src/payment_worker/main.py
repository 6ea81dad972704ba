"""The composition root: what payment-worker is made of."""

from fastapi import FastAPI

from payment_worker.adapters.events import in_doubt
from payment_worker.adapters.orders import HttpOrders
from payment_worker.adapters.provider import SandboxProvider
from payment_worker.handlers import payments
from payment_worker.routes import router
from payment_worker.settings import Settings
from shared.service.settings import load
from shared.service.worker import create_worker

DESCRIPTION = "Captures and refunds at the payment provider, never twice."


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or load(Settings)
    provider = SandboxProvider(settings.sandbox_url, seconds=settings.provider_seconds)
    orders = HttpOrders(settings.order_worker_url, settings.service_key)
    return create_worker(
        settings,
        queue=payments,
        description=DESCRIPTION,
        routes=[router],
        context={"provider": provider, "orders": orders, "claim_for": settings.claim_for},
        needs={"provider": provider.trouble},
        closing=[provider.aclose, orders.aclose],
        in_doubt=in_doubt,
    )
