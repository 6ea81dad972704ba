"""The composition root: what inventory-worker is made of."""

from fastapi import FastAPI

from inventory_worker.handlers import inventory
from inventory_worker.routes import router
from inventory_worker.settings import Settings
from shared.service.settings import load
from shared.service.worker import create_worker

DESCRIPTION = "Reserves and releases stock."


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or load(Settings)
    return create_worker(
        settings,
        queue=inventory,
        description=DESCRIPTION,
        routes=[router],
        context={"operators_email": settings.operators_email},
    )
