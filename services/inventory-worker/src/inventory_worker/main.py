"""The composition root: what inventory-worker is made of."""

from fastapi import FastAPI

from inventory_worker.handlers import inventory
from inventory_worker.routes import router
from inventory_worker.settings import Settings
from shared.service.settings import load
from shared.service.worker import Worker

DESCRIPTION = "Reserves and releases stock."


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or load(Settings)
    worker = Worker(settings, inventory, DESCRIPTION, [router])
    worker.broker.context.set_global("operators_email", settings.operators_email)
    return worker.app
