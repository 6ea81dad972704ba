"""Which job is which event, and in which lane: by a file of the user's, else by the job's name alone."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from local_start.bullmq.jobs import Job
from local_start.errors import BadInputError
from shared.events import EVENT_TYPES, QUEUES, Event, Priority, UnknownTypeError, parse

_MISSING: Final = object()


class DoesNotMapError(Exception):
    """This job is no event of ours. The text says why, without anything of its data."""


def _known(name: str) -> str:
    if name not in EVENT_TYPES:
        raise ValueError(f"there is no such event type, only {', '.join(EVENT_TYPES)}")
    return name


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class JobMapping(_Strict):
    """What the jobs of one name become.

    Without `fields` the job's data is the event's. With them it is made of these alone: a path in the
    event (`customer.email`) for each path in the job (`user.mail`); what the job lacks is left out.
    `set` gives further fields a fixed value.
    """

    type: Annotated[str, AfterValidator(_known)]
    fields: Mapping[str, str] | None = None
    set: Mapping[str, JsonValue] = Field(default_factory=dict[str, JsonValue])


class QueueMapping(_Strict):
    """The jobs of one queue by their names; a text is a type whose data needs no change."""

    jobs: Mapping[str, Annotated[str, AfterValidator(_known)] | JobMapping]


class Lanes(_Strict):
    """Up to which BullMQ priority a job waits in which lane; what is beyond waits in the low one.

    The default keeps BullMQ's order: there a job without a priority (0) goes before all that have one.
    """

    high: Annotated[int, Field(ge=-1)] = -1
    normal: Annotated[int, Field(ge=-1)] = 0

    def of(self, priority: int) -> Priority:
        if priority <= self.high:
            return Priority.HIGH
        return Priority.NORMAL if priority <= self.normal else Priority.LOW


class JobMappings(_Strict):
    """All that a mapping file says. A job that it does not name is the event type of its own name."""

    queues: Mapping[str, QueueMapping] = Field(default_factory=dict[str, QueueMapping])
    priority: Lanes = Lanes()

    @classmethod
    def read(cls, path: Path | None) -> Self:
        """Raises `BadInputError` where it is neither TOML nor JSON of this form."""
        if path is None:
            return cls()
        try:
            text = path.read_text(encoding="utf-8")
            value = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
            return cls.model_validate(value)
        except OSError as error:
            raise BadInputError(f"{path}: {error.strerror}") from None
        except ValidationError as error:
            raise BadInputError(f"{path}: {_first(error)}") from None
        except ValueError as error:  # no UTF-8, no TOML, no JSON
            raise BadInputError(f"{path}: {error}") from None

    @property
    def queue_names(self) -> tuple[str, ...]:
        """The queues to drain where none is named: those of the file, else those of the seed."""
        return tuple(self.queues) or QUEUES

    def event_of(self, job: Job) -> Event:
        """The event that this job is.

        Raises:
            DoesNotMapError: there is no such type, or the data is against its contract.
        """
        named = self.queues.get(job.queue)
        found = named.jobs.get(job.name, job.name) if named else job.name
        mapping = found if isinstance(found, JobMapping) else None
        type_name = mapping.type if mapping else cast("str", found)
        try:
            return parse(type_name, _remade(mapping, job.data) if mapping else job.data)
        except UnknownTypeError:
            raise DoesNotMapError("there is no event type of this name") from None
        except ValidationError as error:
            raise DoesNotMapError(f"not the data of {type_name}: {_first(error)}") from None
        except (ValueError, RecursionError):  # no JSON, or deeper than anything that was meant
            raise DoesNotMapError("its data can't be read as JSON") from None

    def lane_of(self, job: Job) -> Priority:
        return self.priority.of(job.priority)


def _remade(mapping: JobMapping, data: bytes) -> bytes:
    given: Any = json.loads(data)
    made: Any = given
    if mapping.fields is not None:
        made = {}
        for to, source in mapping.fields.items():
            value = _at(given, source)
            if value is not _MISSING:
                _put(made, to, value)
    for to, value in mapping.set.items():
        _put(made, to, value)
    return json.dumps(made).encode()


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        if not isinstance(value, dict) or step not in value:
            return _MISSING
        value = cast("dict[str, Any]", value)[step]
    return value


def _put(value: Any, path: str, what: Any) -> None:
    *way, last = path.split(".")
    for step in way:
        if not isinstance(value, dict):
            return
        value = cast("dict[str, Any]", value).setdefault(step, {})
    if isinstance(value, dict):
        value[last] = what


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{f'{where}: ' if where else ''}{first['msg']}{more}"
