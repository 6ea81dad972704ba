"""The composition root: what order-worker is made of."""

from fastapi import FastAPI

from order_worker.handlers import orders
from order_worker.routes import router
from order_worker.settings import Settings
from shared.service.settings import load
from shared.service.worker import create_worker

DESCRIPTION = "Stores orders and follows their state."


def create_app(settings: Settings | None = None) -> FastAPI:
    return create_worker(settings or load(Settings), queue=orders, description=DESCRIPTION, routes=[router])
