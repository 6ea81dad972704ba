"""What the routes work with; the composition root puts it together."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from gateway.activity import Activity
from gateway.adapters.reader import JournalReader
from gateway.adapters.takeover import TakeOver
from gateway.adapters.workers import Workers
from gateway.cursors import Cursors
from gateway.health import HealthCheck
from gateway.service import Publishing


@dataclass(frozen=True, slots=True)
class Parts:
    """The use cases and adapters of this gateway, in `app.state.parts`."""

    publishing: Publishing
    reader: JournalReader
    activity: Activity
    take_over: TakeOver
    workers: Workers
    cursors: Cursors
    health: HealthCheck


def _parts(request: Request) -> Parts:
    return cast("Parts", request.app.state.parts)


TheParts = Annotated[Parts, Depends(_parts)]
