"""The part of Jinja2's language that templates may use.

Left out is what can grow a value or run without bound (assignments, macros, calls, concatenation, powers),
what reaches other templates (include, import, extends), and `safe`, which would let a variable be markup.
"""

from typing import Final

from jinja2 import Environment, nodes

PASSES: Final = "passes of a loop"
"""The filter through which every loop goes; no template can name it."""
_FILTERS: Final = """
abs capitalize count d default e escape first int join last length lower money reverse sort title trim
truncate upper urlencode
"""
_TESTS: Final = """
boolean defined divisibleby eq even false float ge gt in integer iterable le lt mapping ne none number odd
sequence string true undefined
"""
FILTERS_ALLOWED: Final = frozenset(_FILTERS.split())
TESTS_ALLOWED: Final = frozenset(_TESTS.split())
_NODES: Final = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If, nodes.CondExpr),
    *(nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Getattr, nodes.Getitem, nodes.Keyword),
    *(nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod),
)
DEPTH_MAX: Final = 40
LOOPS_MAX: Final = 3


def check(tree: nodes.Template, environment: Environment) -> tuple[int, str] | None:
    """The line and the reason where a template leaves the language; else None, and its loops are counted.

    The reason repeats nothing of the template.
    """
    todo: list[tuple[nodes.Node, int, int]] = [(tree, 0, 0)]
    while todo:
        node, depth, loops = todo.pop()
        why = _why_not(node, depth, loops)
        if why:
            return node.lineno or 1, why
        if isinstance(node, nodes.For):
            loops += 1
        todo.extend((child, depth + 1, loops) for child in node.iter_child_nodes())
    for loop in list(tree.find_all(nodes.For)):
        counted = nodes.Filter(loop.iter, PASSES, [], [], None, None, lineno=loop.lineno)
        counted.set_environment(environment)
        loop.iter = counted
    return None


def _why_not(node: nodes.Node, depth: int, loops: int) -> str | None:
    why = None
    match node:
        case _ if not isinstance(node, _NODES):
            why = f"a template may not use Jinja2's {type(node).__name__}"
        case _ if depth > DEPTH_MAX:
            why = "it is nested too deeply"
        case nodes.For() if node.recursive or loops >= LOOPS_MAX:
            why = f"loops may not call themselves, nor stand deeper than {LOOPS_MAX}"
        case nodes.Filter() if node.name not in FILTERS_ALLOWED:
            why = f"there is no such filter; there are {', '.join(sorted(FILTERS_ALLOWED))}"
        case nodes.Test() if node.name not in TESTS_ALLOWED:
            why = f"there is no such test; there are {', '.join(sorted(TESTS_ALLOWED))}"
        case nodes.Filter() | nodes.Test() if node.dyn_args or node.dyn_kwargs:
            why = "arguments may not be unpacked"
        case _:
            pass
    return why
