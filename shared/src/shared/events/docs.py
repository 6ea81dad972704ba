"""Writes `docs/events.md` from the contracts."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from shared.events.base import Event
from shared.events.catalog import EVENT_TYPES, QUEUES, json_schema
from shared.events.examples import EXAMPLES
from shared.events.flow import FLOW, WORKERS, Cause, handler_of

_HEAD: Final = """\
# Events

Every event of the system: what it carries, who publishes it, and what it sets in motion. This page is
generated from the contracts in `shared/src/shared/events`; `python -m shared.events.docs --write
docs/events.md` writes it anew.

- A body takes exactly these fields: one more, a text for a number, a boolean for a number are refused.
- Money is an integer in minor units, with its currency.
- No text may hold control or bidi characters, and none is blank. Lengths are in characters.
- What is marked as optional may be left out or null.
- A contract only ever gains optional fields, and its bounds only ever widen.
- `INVENTORY_RESERVED`, `INVENTORY_RELEASED` and `PAYMENT_REFUNDED` ask for what they name; the shop's own
  contract names them so. All others tell what has happened, or say by their name what to do.
- An *internal* event is published by services; a client needs the scope `events:write:<type>` for it.
"""

Schema = Mapping[str, Any]


def render() -> str:
    """The whole page as Markdown."""
    return "\n".join([_HEAD, *_flow(), *(line for name in EVENT_TYPES for line in _section(name))])


def _flow() -> Iterator[str]:
    yield "## Domain flow\n"
    yield "| event (queue) | who publishes | what its worker does | what it causes |"
    yield "|---|---|---|---|"
    for contract, flow in FLOW.items():
        event = f"{_link(contract)} ({contract.queue})"
        causes = "; ".join(map(_cause, flow.causes))
        yield f"| {event} | {', '.join(flow.publishers)} | {flow.does} | {causes} |"
    yield ""
    queues = ", ".join(f"`{queue}` by {WORKERS[queue]}" for queue in QUEUES)
    yield f"The queues are worked off so: {queues}.\n"


def _section(name: str) -> Iterator[str]:
    contract, schema = EVENT_TYPES[name], json_schema(name)
    flow = FLOW[contract]
    yield f"## {name}\n"
    yield f"{schema['description']}\n"
    yield "| | |"
    yield "|---|---|"
    yield f"| contract | `{contract.__module__}.{contract.__name__}` |"
    yield f"| queue | `{contract.queue}` |"
    yield f"| published by | {', '.join(flow.publishers)}{' (internal)' if contract.internal else ''} |"
    yield f"| what happens | {WORKERS[contract.queue]} {flow.does} |"
    yield f"| handler | `{handler_of(contract)}` |"
    yield f"| causes | {'; '.join(map(_cause, flow.causes)) or 'nothing'} |"
    yield f"| attempts | {contract.max_attempts} |"
    yield f"| subject, correlation | {_about(EXAMPLES[contract])} |\n"
    yield "| field | type | bounds | |"
    yield "|---|---|---|---|"
    yield from _fields(schema, schema, "")
    example = json.dumps(EXAMPLES[contract].to_data(), indent=2, ensure_ascii=False)
    yield f"\n```json\n{example}\n```\n"


def _link(contract: type[Event]) -> str:
    return f"[`{contract.type}`](#{contract.type.lower()})"


def _cause(cause: Cause) -> str:
    text = _link(cause.event)
    if cause.template:
        text += f" {cause.template}"
    return f"{text}: {cause.when}" if cause.when else text


def _about(example: Event) -> str:
    """The default subject and correlation id, as the example has them."""
    subject, correlation = example.subject(), example.correlation()
    return f"{f'`{subject}`' if subject else 'none'}, {f'`{correlation}`' if correlation else 'its own id'}"


def _fields(node: Schema, root: Schema, prefix: str) -> Iterator[str]:
    """A row for each field of an object, and for each field of the objects in it."""
    required = node.get("required", ())
    for name, declared in node["properties"].items():
        field = _resolve(_present(declared), root)
        optional = "" if name in required else "optional"
        path = f"{prefix}{name}"
        note = declared.get("description") or field.get("description", "")
        yield f"| `{path}` | {_type(field)} | {_bounds(field)} | {_join(optional, note)} |"
        items = _resolve(field.get("items", {}), root)
        if "properties" in field:
            yield from _fields(field, root, f"{path}.")
        elif "properties" in items:
            yield from _fields(items, root, f"{path}[].")


def _present(schema: Schema) -> Schema:
    """An optional field's schema without the null."""
    return next((each for each in schema.get("anyOf", ()) if each.get("type") != "null"), schema)


def _resolve(schema: Schema, root: Schema) -> Schema:
    reference = schema.get("$ref")
    return root["$defs"][reference.rpartition("/")[2]] if reference else schema


def _type(schema: Schema) -> str:
    names: dict[str, str] = {"string": "text", "array": "list"}
    kind: str = schema["type"]
    return names.get(kind, kind)


def _bounds(schema: Schema) -> str:
    low = schema.get("minimum", schema.get("minLength", schema.get("minItems")))
    high = schema.get("maximum", schema.get("maxLength", schema.get("maxItems")))
    if high is None:
        return ""
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _join(*parts: str) -> str:
    return "; ".join(filter(None, parts))


def main(arguments: list[str] | None = None) -> int:
    """Prints, writes or compares the page; 1 where the compared file differs."""
    parser = argparse.ArgumentParser(prog="python -m shared.events.docs", description=__doc__)
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--write", type=Path, metavar="PATH", help="write the page there")
    target.add_argument("--check", type=Path, metavar="PATH", help="fail if the page there is not this one")
    options = parser.parse_args(arguments)
    page = render()
    if options.write:
        options.write.write_text(page, encoding="utf-8")
    elif options.check:
        if not options.check.exists() or options.check.read_text(encoding="utf-8") != page:
            sys.stderr.write(f"{options.check} is out of date: python -m shared.events.docs --write it\n")
            return 1
    else:
        sys.stdout.write(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
