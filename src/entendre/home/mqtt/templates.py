"""Value and command templates of discovery messages: Jinja in a sandbox without loops, so that each ends at once.

A template comes from whoever may publish to the broker. Its size, its nodes, its filters and its output are bounded;
nothing in it can repeat, and nothing that is allowed multiplies text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from entendre.core.errors import MissingExtraError

try:
    from jinja2 import Template, TemplateError, nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment
except ImportError as error:  # pragma: no cover
    raise MissingExtraError("MQTT needs more packages: pip install 'entendre[mqtt]'") from error

MAX_TEMPLATE_CHARS = 4096
MAX_ASSIGNMENTS = 4
MAX_CONCATENATIONS = 8
"""Together they keep text from growing to more than a few times the payload."""
MAX_RESULT_CHARS = 4096

_NODES = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Const,
    nodes.Name,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Slice,
    nodes.Filter,
    nodes.Test,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.CondExpr,
    nodes.If,
    nodes.Assign,
    nodes.Add,
    nodes.Sub,
    nodes.Mul,
    nodes.Div,
    nodes.FloorDiv,
    nodes.Mod,
    nodes.Neg,
    nodes.Pos,
    nodes.Concat,
    nodes.Dict,
    nodes.Pair,
    nodes.List,
    nodes.Tuple,
    nodes.Call,
    nodes.Keyword,
)
_FILTERS = frozenset(
    {"default", "d", "int", "float", "round", "lower", "upper", "abs", "trim", "string", "bool", "iif", "join"}
)
_METHODS = frozenset({"get", "lower", "upper", "strip", "startswith", "endswith", "split"})
MAX_JOINED_ITEMS = 64
MAX_JOINED_CHARS = 256


class UnsupportedTemplateError(ValueError):
    """A template uses something that is not allowed, or is malformed."""


class _Environment(ImmutableSandboxedEnvironment):
    """Arithmetic on numbers only, so that no operator repeats or formats text."""

    intercepted_binops = frozenset({"*", "+", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            raise TemplateError(f"{operator} needs numbers")
        return super().call_binop(context, operator, left, right)


def _boolean(value: object) -> bool:
    return str(value).strip().lower() in ("true", "yes", "on", "1")


def _iif(value: object, yes: object = True, no: object = False) -> object:
    return yes if value else no


def _join(values: Iterable[object], separator: str = "") -> str:
    return str(separator)[:16].join(str(value)[:MAX_JOINED_CHARS] for value in islice(values, MAX_JOINED_ITEMS))


_environment = _Environment()
_environment.globals.clear()
_environment.filters |= {"bool": _boolean, "iif": _iif, "join": _join}


@lru_cache(maxsize=4096)
def _compile(source: str) -> Template:
    if len(source) > MAX_TEMPLATE_CHARS:
        raise UnsupportedTemplateError("template is too long")
    try:
        tree = _environment.parse(source)
        _check(tree)
        return _environment.from_string(source)
    except (TemplateError, RecursionError) as error:
        raise UnsupportedTemplateError(f"template is malformed: {error}") from error


def _check(tree: nodes.Template) -> None:
    for node in tree.find_all(nodes.Node):
        if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
            raise UnsupportedTemplateError(f"filter {node.name} is not supported")
        if isinstance(node, nodes.Call) and not (isinstance(node.node, nodes.Getattr) and node.node.attr in _METHODS):
            raise UnsupportedTemplateError("only simple calls are supported")
        if not isinstance(node, (*_NODES, nodes.EvalContextModifier)):
            raise UnsupportedTemplateError(f"{type(node).__name__.lower()} is not supported")
    if len(list(tree.find_all(nodes.Assign))) > MAX_ASSIGNMENTS:
        raise UnsupportedTemplateError("too many assignments")
    if sum(len(node.nodes) for node in tree.find_all(nodes.Concat)) > MAX_CONCATENATIONS:
        raise UnsupportedTemplateError("too many concatenations")


Decode = Callable[[str], str | None]


def value_template(source: object) -> Decode:
    """What turns a payload into a value's text; without a template the payload itself. None: no value in it.

    Raises: UnsupportedTemplateError.
    """
    if source is None:
        return lambda payload: payload
    template = _compile(str(source))

    def decode(payload: str) -> str | None:
        return _render(template, {"value": payload, "value_json": _json(payload)})

    return decode


def command_template(source: object) -> Callable[[Mapping[str, Any]], str]:
    """What turns values into a command's payload; without a template `value` as text.

    Raises: UnsupportedTemplateError.
    """
    if source is None:
        return lambda values: str(values["value"])
    template = _compile(str(source))
    return lambda values: _render(template, values) or ""


def _json(payload: str) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None


def _render(template: Template, values: Mapping[str, Any]) -> str | None:
    try:
        text = template.render(values).strip()
    except (TemplateError, TypeError, ValueError, KeyError, AttributeError, ArithmeticError, RecursionError):
        return None
    return text if text and len(text) <= MAX_RESULT_CHARS else None
