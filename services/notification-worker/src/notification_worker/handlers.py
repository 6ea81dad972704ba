"""What notification-worker listens to. Each handler names one use case; it decides nothing."""

from typing import Annotated

from faststream import Context, Depends

from notification_worker.adapters.work import SqlWork
from notification_worker.ports import Mailer, Renderer
from notification_worker.service import Batches, Notifications
from shared.events.notifications import BatchNotification, SendEmail, SendNotification
from shared.queue import Queue
from shared.store.steps import CurrentSteps

notifications = Queue("notifications")


def notifications_service(
    steps: CurrentSteps,
    mailer: Annotated[Mailer, Context("mailer")],
    renderer: Annotated[Renderer, Context("renderer")],
    active: Annotated[frozenset[str], Context("channels")],
) -> Notifications:
    return Notifications(SqlWork(steps), mailer=mailer, renderer=renderer, active=active)


def batches_service(steps: CurrentSteps) -> Batches:
    return Batches(SqlWork(steps))


ToOne = Annotated[Notifications, Depends(notifications_service, cast=False)]
ToMany = Annotated[Batches, Depends(batches_service)]


@notifications.on(SendNotification, outside=True)
async def on_send_notification(event: SendNotification, to_one: ToOne) -> None:
    await to_one.notify(event)


@notifications.on(BatchNotification, outside=True)
async def on_batch_notification(event: BatchNotification, to_many: ToMany) -> None:
    await to_many.spread(event)


@notifications.on(SendEmail, outside=True)
async def on_send_email(event: SendEmail, to_one: ToOne) -> None:
    await to_one.mail(event)
