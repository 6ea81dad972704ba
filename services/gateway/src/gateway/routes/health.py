"""How the whole system is, for anyone to see."""

from fastapi import APIRouter, Response

from gateway.health import SystemHealth
from gateway.routes.parts import TheParts

router = APIRouter(tags=["health"])


@router.get(
    "/health",
    responses={503: {"model": SystemHealth, "description": "No event can be accepted"}},
    summary="How all parts of the system are",
)
async def show_health(response: Response, parts: TheParts) -> SystemHealth:
    """200 while events are accepted, be it degraded; 503 otherwise."""
    health = await parts.health.look()
    response.status_code = 503 if health.status == "down" else 200
    return health
