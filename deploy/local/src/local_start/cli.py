"""The `queue` command line. What a command needs is loaded when it runs, so that `--help` is quick."""

# ruff: noqa: PLC0415 - see above

import functools
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, ParamSpec, TypeVar

import typer
from rich.console import Console

from local_start.bullmq.command import drain_bullmq
from local_start.console import Teller
from local_start.durations import parse_duration, parse_time
from local_start.errors import LocalStartError
from local_start.services import SYSTEM, System
from shared.events import Priority

P = ParamSpec("P")
Parsed = TypeVar("Parsed")


def _option(parse: Callable[[str], Parsed]) -> Callable[[str], Parsed]:
    @functools.wraps(parse)
    def parsed(text: str) -> Parsed:
        try:
            return parse(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return parsed


Detach = Annotated[bool, typer.Option("--detach", "-d", help="Return once all is healthy; it runs on.")]
TypeName = Annotated[str, typer.Argument(metavar="TYPE", help="The event type, such as ORDER_CREATED.")]
Data = Annotated[str, typer.Option(metavar="JSON|@FILE|-", help="Its data; - reads standard input.")]
Id = Annotated[str | None, typer.Option("--id", help="Its id; the same id again publishes nothing twice.")]
Correlation = Annotated[str | None, typer.Option("--correlation-id", help="The story it belongs to.")]
Delay = Annotated[
    timedelta | None,
    typer.Option(
        parser=_option(parse_duration), metavar="DURATION", help="Wait first: 250ms, 30s, 5m, 2h, 1d."
    ),
]
NotBefore = Annotated[
    datetime | None,
    typer.Option(parser=_option(parse_time), metavar="TIME", help="Wait until then: 2030-01-31T09:00:00Z."),
]
Expires = Annotated[
    datetime | None,
    typer.Option("--expires-at", parser=_option(parse_time), metavar="TIME", help="Pointless after this."),
]
Lane = Annotated[Priority | None, typer.Option(help="Which lane of its queue it waits in.")]
Attempts = Annotated[int | None, typer.Option("--max-attempts", min=1, help="How often a run is tried.")]
Json = Annotated[bool, typer.Option("--json", help="Print the gateway's answer as one line of JSON.")]


def create_cli(
    system: System = SYSTEM,
    command: Sequence[str] = (sys.executable, "-P", "-m", "local_start"),
) -> typer.Typer:
    """The command line for this system; `command` is how it runs itself in the background."""
    cli = typer.Typer(
        name="queue",
        help="Runs the queue system on this machine, and publishes to it.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    @cli.command()
    @_tells_errors
    def up(*, detach: Detach = False) -> None:
        """Start everything, wait until all is healthy, and stay until Ctrl-C."""
        from local_start.detaching import start_detached
        from local_start.starting import start_system

        if detach:
            start_detached(system, command, Teller())
        else:
            start_system(system, Teller())

    @cli.command()
    @_tells_errors
    def demo() -> None:
        """Start everything, show what becomes of four sample orders, and stay until Ctrl-C.

        Where the system runs already, the samples go to that one.
        """
        from local_start.demo import show
        from local_start.starting import start_system

        teller = Teller()
        start_system(system, teller, show(teller))

    @cli.command()
    @_tells_errors
    def down() -> None:
        """Stop everything, and return when no process is left; nothing to stop is fine."""
        from local_start.stopping import stop

        stop(Teller())

    @cli.command()
    @_tells_errors
    def reset() -> None:
        """Stop everything and forget its data, without asking."""
        from local_start.stopping import stop_and_forget

        stop_and_forget(Teller())

    @cli.command()
    @_tells_errors
    def start() -> None:
        """Start the workers alone, and stay until Ctrl-C.

        They use the Redis of REDIS_URL or REDIS_HOST, else that of the system that runs here, else a
        Valkey of their own. Beside a running system they are more of the same, on free ports.
        """
        from local_start.starting import start_workers

        start_workers(system, Teller())

    @cli.command()
    @_tells_errors
    def migrate() -> None:
        """Bring the databases of every service up to date."""
        from local_start.preparing import migrate_all

        migrate_all(system, Teller())

    @cli.command()
    @_tells_errors
    def seed_templates() -> None:
        """Give the notifications the templates that they come with; those that are there stay as they are."""
        from local_start.preparing import seed_all

        seed_all(system, Teller())

    cli.command("publish")(_tells_errors(_publish))
    cli.command("drain-bullmq")(_tells_errors(drain_bullmq))
    return cli


def _publish(
    type_name: TypeName,
    *,
    data: Data = "{}",
    event_id: Id = None,
    correlation_id: Correlation = None,
    delay: Delay = None,
    not_before: NotBefore = None,
    priority: Lane = None,
    max_attempts: Attempts = None,
    expires_at: Expires = None,
    as_json: Json = False,
) -> None:
    """Publish an event, by QUEUE_API_KEY or the key of the local start.

    Ends with 2 if the input is wrong, 1 if the gateway refuses it, 3 if no answer came: then publishing it
    again with the id that is shown is safe.
    """
    from local_start.publishing import publish, read_data

    published = publish(
        type_name,
        read_data(data),
        {
            "id": event_id,
            "correlation_id": correlation_id,
            "delay": delay,
            "not_before": not_before,
            "priority": priority,
            "max_attempts": max_attempts,
            "expires_at": expires_at,
        },
    )
    if as_json:
        typer.echo(published.model_dump_json())
        return
    known = " (it was there already)" if published.duplicate else ""
    Teller().good(f"{published.type} {published.id} is {published.status} in {published.queue}{known}")


def _tells_errors(command: Callable[P, None]) -> Callable[P, None]:
    """An error that a user can act on is one line on standard error and an exit code."""

    @functools.wraps(command)
    def telling(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except LocalStartError as error:
            console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
            console.print(f"queue: {error}", style="red")
            for line in error.details:
                console.print(f"    {line}", style="dim")
            raise typer.Exit(error.exit_code) from None

    return telling


app = create_cli()
