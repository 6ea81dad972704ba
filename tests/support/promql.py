"""Which metrics and labels an expression names: enough of PromQL for our rules and dashboards."""

import re
from dataclasses import dataclass

FUNCTIONS = frozenset(
    {
        "sum",
        "max",
        "min",
        "count",
        "rate",
        "increase",
        "absent",
        "vector",
        "histogram_quantile",
        "or",
        "and",
        "unless",
        "last_over_time",
    }
)
"""Those that we use; any other word is taken for a metric, and missed."""

_TOKEN = re.compile(
    r"""(?P<grouping>\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\))
      | (?P<matchers>\{([^}]*)\})
      | (?P<range>\[[^\]]*\])
      | (?P<text>"[^"]*")
      | (?P<name>[A-Za-z_:][A-Za-z0-9_:]*)""",
    re.VERBOSE,
)
_MATCHER = re.compile(r"([A-Za-z_]\w*)\s*(?:=~|!~|!=|=)\s*\"([^\"]*)\"")


@dataclass(frozen=True, slots=True)
class Named:
    """What an expression names."""

    metrics: frozenset[str]
    labels: frozenset[str]
    matchers: frozenset[tuple[str, str, str]]
    """Metric, label and value."""


def named_in(expression: str) -> Named:
    metrics: set[str] = set()
    labels: set[str] = set()
    matchers: set[tuple[str, str, str]] = set()
    last = ""
    for token in _TOKEN.finditer(expression):
        if token["grouping"]:
            labels |= {name.strip() for name in token[2].split(",") if name.strip()}
        elif token["matchers"]:
            found = _MATCHER.findall(token["matchers"])
            matchers |= {(last, label, value) for label, value in found}
            labels |= {label for label, _ in found}
        elif (name := token["name"]) and name not in FUNCTIONS:
            metrics.add(name)
            last = name
    return Named(frozenset(metrics), frozenset(labels), frozenset(matchers))
