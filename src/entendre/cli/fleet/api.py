"""`entendre api`: any operation of the HTTP API by its name, for what has no command of its own, and for scripts."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from entendre.cli.fleet.connection import add_connection_flags, asked
from entendre.core.errors import InvalidInputError

if TYPE_CHECKING:
    from entendre.clients.api import Entendre

Method = Callable[..., Any]
PLAIN = ("str", "Literal")


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("api", help="call any operation of a running server's API")
    parser.add_argument("operation", nargs="?", help="its name, as create_brand (default: list them all)")
    parser.add_argument("arguments", nargs="*", metavar="NAME=VALUE", help="its arguments; values may be JSON")
    add_connection_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Call it and print its answer as JSON, or list what there is."""
    from entendre.cli.fleet.records import as_json

    if args.operation is None:
        print(as_json(operations()) if args.json else _listed(operations()))
        return 0
    result = asked(args, lambda client: called(client, args.operation, args.arguments))
    if result is not None:
        print(as_json(result))
    return 0


def operations() -> list[dict[str, str]]:
    """Every operation that can be called: its name, arguments and summary."""
    from entendre.clients.api import Entendre

    described = []
    for name, method in sorted(methods_of(Entendre("http://localhost"))):
        arguments = " ".join(_argument(each) for each in _parameters(method).values())
        summary = (inspect.getdoc(method) or "").removesuffix(" Raises: ApiError.")
        described.append({"name": name, "arguments": arguments, "summary": summary})
    return described


def methods_of(client: Entendre) -> Iterator[tuple[str, Method]]:
    """The operations of a client by name."""
    from entendre.clients.api.groups import NAMES

    for group in (getattr(client, name) for name in NAMES):
        for name, route in vars(inspect.getmodule(type(group)))["ROUTES"].items():
            yield route.operation, getattr(group, name)


async def called(client: Entendre, operation: str, pairs: Sequence[str]) -> Any:
    """Call an operation with `name=value` arguments. Raises: InvalidInputError, ApiError."""
    method = dict(methods_of(client)).get(operation)
    if method is None:
        raise InvalidInputError(f"There is no operation {operation}; `entendre api` lists them.")
    result = method(**arguments_of(method, pairs))
    if isinstance(result, AsyncIterator):
        return [each async for each in result]
    return await result


def arguments_of(method: Method, pairs: Sequence[str]) -> dict[str, Any]:
    """What a method is called with. Raises: InvalidInputError."""
    known, given = _parameters(method), {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or name not in known:
            raise InvalidInputError(f"{pair!r} is no argument; there are: {', '.join(known) or 'none'}.")
        given[name] = value_of(text, str(known[name].annotation))
    missing = [name for name, each in known.items() if each.default is inspect.Parameter.empty and name not in given]
    if missing:
        raise InvalidInputError(f"Arguments are missing: {', '.join(missing)}.")
    return given


def value_of(text: str, annotation: str) -> Any:
    """A value as the argument's type asks: a text stays one, anything else is JSON where it can be."""
    import msgspec

    if annotation.startswith(PLAIN) and not (text == "null" and "None" in annotation):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _parameters(method: Method) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(method).parameters


def _argument(parameter: inspect.Parameter) -> str:
    return parameter.name if parameter.default is inspect.Parameter.empty else f"[{parameter.name}]"


def _listed(described: Sequence[Mapping[str, str]]) -> str:
    from entendre.cli.fleet.terminal import table

    rows = [(each["name"], each["summary"], each["arguments"]) for each in described]
    return table(("OPERATION", "WHAT", "ARGUMENTS"), rows)
