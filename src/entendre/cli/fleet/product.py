"""`entendre product`: what a brand sells: speakers and laptops, by model."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from entendre.cli.fleet.brand import BRAND
from entendre.cli.fleet.names import brand_of, id_of, is_part
from entendre.cli.fleet.verbs import LIMIT, Verb, add_verbs, arg, flags, rows, run_verb

if TYPE_CHECKING:
    from entendre.clients.api import Entendre

SUMMARY = "what a brand sells: speakers and laptops by model"


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    add_verbs(subparsers, "product", SUMMARY, VERBS)


def run(args: argparse.Namespace) -> int:
    """Do what the command line says."""
    return run_verb(args, VERBS)


async def product_of(client: Entendre, brand: str, word: str) -> str:
    """The product that goes by a word, for the server: a part of an id becomes the whole."""
    if not is_part(word):
        return word
    return await id_of(word, "product", client.products.list(brand), lambda each: (each.name,))


async def _create(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.products.create(
        await brand_of(client, args),
        name=args.name,
        display_name=args.display_name or args.name,
        kind=args.kind,
        **_given(args),
    )


async def _list(client: Entendre, args: argparse.Namespace) -> Any:
    return await rows(client.products.list(await brand_of(client, args)), args.limit)


async def _show(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    return await client.products.get(brand, await product_of(client, brand, args.product))


async def _change(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    given = _given(args) | ({"display_name": args.display_name} if args.display_name else {})
    return await client.products.change(brand, await product_of(client, brand, args.product), **given)


async def _end(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    await client.products.end(brand, await product_of(client, brand, args.product))


def _given(args: argparse.Namespace) -> dict[str, Any]:
    named = {"model": args.model, "channel": args.channel, "tools": args.tool, "wake_words": args.wake_word}
    return {name: value for name, value in {**named, "voices": args.voice}.items() if value}


def _products(records: list[Any]) -> str:
    from entendre.cli.fleet.records import ID, column, listed

    columns = [column(name.upper(), name) for name in ("name", "kind", "model", "channel")]
    columns += [column("SHOWN AS", "display_name"), column("WAKE WORDS", "wake_words"), ID]
    return listed(records, columns, "No products yet: entendre product create NAME --kind speaker")


_MORE = (
    arg("--display-name", help="what people read"),
    arg("--model", help="the maker's own name for it"),
    arg("--channel", help="which releases its devices take (default stable)"),
    arg("--tool", action="append", default=[], help="a tool that its devices have; may be repeated"),
    arg("--wake-word", action="append", default=[], metavar="WORD", help="what wakes it; may be repeated"),
    arg("--voice", action="append", default=[], help="a voice that it may have; may be repeated"),
)
_ONE = arg("product", help="name or id")
VERBS = (
    Verb(
        "create",
        "make a product",
        _create,
        flags(
            arg("name", help="its name: letters, digits, dashes"),
            BRAND,
            arg("--kind", choices=("speaker", "laptop"), default="speaker", help="what it is (default speaker)"),
            *_MORE,
        ),
    ),
    Verb("list", "show the products of a brand", _list, flags(BRAND, LIMIT), _products),
    Verb("show", "show a product", _show, flags(_ONE, BRAND)),
    Verb("change", "change a product", _change, flags(_ONE, BRAND, *_MORE)),
    Verb("end", "end a product that has no devices", _end, flags(_ONE, BRAND), confirm="End the product {product}?"),
)
