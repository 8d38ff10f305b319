"""A noun of the command line and its verbs: each one operation of the API, shown to a person or as JSON."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from entendre.cli.fleet.connection import add_connection_flags, asked
from entendre.core.errors import EntendreError, InvalidInputError

if TYPE_CHECKING:
    from entendre.clients.api import Entendre

T = TypeVar("T")
DEFAULT_ROWS = 100
Flags = Callable[[argparse.ArgumentParser], None]
Work = Callable[["Entendre", argparse.Namespace], Awaitable[Any]]


class NotConfirmedError(EntendreError):
    """A person did not say yes to what can't be undone."""

    code = "not_confirmed"


@dataclass(frozen=True, slots=True)
class Verb:
    """What is done to a noun. `show`: its result for people; None shows its fields. `confirm`: what is asked before it
    is done, `{name}` of its arguments filled in; None for what can be undone. `live`: it prints by itself.
    `alone`: done without a server, instead of `work`.
    """

    name: str
    help: str
    work: Work | None = None
    flags: Flags | None = None
    show: Callable[[Any], str] | None = None
    confirm: str | None = None
    live: bool = False
    alone: Callable[[argparse.Namespace], Awaitable[Any]] | None = None


def add_verbs(subparsers: Any, noun: str, summary: str, verbs: Sequence[Verb], epilog: str = "") -> None:
    """Add a noun with its verbs."""
    parser = subparsers.add_parser(noun, help=summary, description=f"{summary}.", epilog=epilog)
    actions = parser.add_subparsers(dest="verb", metavar="ACTION", required=True)
    for verb in verbs:
        each = actions.add_parser(verb.name, help=verb.help, description=f"{verb.help}.")
        if verb.flags is not None:
            verb.flags(each)
        if verb.confirm is not None:
            each.add_argument("--yes", action="store_true", help="do not ask whether it is meant")
        if verb.alone is None:
            add_connection_flags(each)
        else:
            each.add_argument("--json", action="store_true", help="print JSON")


def run_verb(args: argparse.Namespace, verbs: Sequence[Verb]) -> int:
    """Do what the command line says, and print the result."""
    from entendre.cli.fleet.records import as_json, described

    verb = next(each for each in verbs if each.name == args.verb)
    if verb.confirm is not None and not args.yes:
        confirmed(verb.confirm.format(**vars(args)))
    result = _done(verb, args)
    if verb.live:
        return int(result or 0)
    if args.json:
        print(as_json(result))
    elif verb.show is not None:
        print(verb.show(result))
    elif result is not None:
        print(described(result))
    return 0


def _done(verb: Verb, args: argparse.Namespace) -> Any:
    if verb.alone is not None:
        return asyncio.run(_awaited(verb.alone(args)))
    assert verb.work is not None
    work = verb.work
    return asked(args, lambda client: work(client, args))


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def confirmed(question: str) -> None:
    """Ask a person. Raises: NotConfirmedError, also where nobody can be asked."""
    if not sys.stdin.isatty():
        raise NotConfirmedError(f"{question} Say --yes to do it without being asked.")
    print(f"{question} [y/N] ", end="", flush=True, file=sys.stderr)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise NotConfirmedError("Nothing was changed.")


def flags(*arguments: tuple[tuple[str, ...], dict[str, Any]]) -> Flags:
    """Arguments of a verb: `flags(arg("name", help=…), arg("--brand"))`."""

    def add(parser: argparse.ArgumentParser) -> None:
        for names, options in arguments:
            parser.add_argument(*names, **options)

    return add


def arg(*names: str, **options: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    """One argument, as argparse takes it."""
    return names, options


LIMIT = arg(
    "--limit", type=int, default=DEFAULT_ROWS, metavar="N", help=f"rows at most (default {DEFAULT_ROWS}; 0: all)"
)


async def rows(records: AsyncIterator[T], limit: int) -> list[T]:
    """The first records of a list; a person is told where there are more."""
    found: list[T] = []
    async for each in records:
        if limit and len(found) == limit:
            print(f"entendre: the first {limit}; --limit 0 shows all", file=sys.stderr)
            break
        found.append(each)
    return found


def key_values(pairs: Sequence[str]) -> dict[str, Any]:
    """`name=value` pairs; a value that is JSON is taken as such, `null` removes. Raises: InvalidInputError."""
    import msgspec

    document: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise InvalidInputError(f"{pair!r} is no NAME=VALUE.")
        try:
            value = msgspec.json.decode(text)
        except msgspec.DecodeError:
            value = text
        inner = document
        *path, last = name.split(".")
        for part in path:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise InvalidInputError(f"{name} is below a value that is no object.")
        inner[last] = value
    return document


async def gathered(works: Sequence[Awaitable[T]], at_once: int = 8) -> list[T]:
    """Several requests, a few at a time."""
    room = asyncio.Semaphore(at_once)

    async def one(work: Awaitable[T]) -> T:
        async with room:
            return await work

    return await asyncio.gather(*(one(each) for each in works))
