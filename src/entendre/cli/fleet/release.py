"""`entendre release`: sign firmware and software on your own machine, bring it to a server, and publish it."""

from __future__ import annotations

import argparse
import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entendre.cli.fleet.brand import BRAND
from entendre.cli.fleet.names import brand_of, id_of
from entendre.cli.fleet.verbs import LIMIT, Verb, add_verbs, arg, flags, rows, run_verb
from entendre.core.errors import InvalidInputError

if TYPE_CHECKING:
    from entendre.clients.api import Entendre

SUMMARY = "firmware and software: sign, upload, publish"
MAX_NOTES_BYTES = 64 * 1024


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    add_verbs(subparsers, "release", SUMMARY, VERBS)


def run(args: argparse.Namespace) -> int:
    """Do what the command line says."""
    return run_verb(args, VERBS)


def board_and_file(text: str) -> tuple[str, Path]:
    """`FILE`, or `BOARD=FILE` for one that is for some hardware only."""
    board, equals, file = text.rpartition("=")
    return (board, Path(file)) if equals else ("", Path(text))


async def _keygen(args: argparse.Namespace) -> Any:
    from entendre.clients.signing import make_key

    return _key(make_key(args.file), args.file)


async def _sign(args: argparse.Namespace) -> Any:
    import msgspec

    from entendre.cli.fleet.signing import signed

    release = signed(
        args.key,
        [board_and_file(each) for each in args.files],
        product=args.product,
        kind=args.kind,
        number=args.number,
        channel=args.channel,
        notes=_notes(args.notes),
        minimum=args.minimum,
    )
    args.output.write_bytes(msgspec.json.format(msgspec.json.encode(release), indent=1) + b"\n")
    return {"file": str(args.output), "manifest": msgspec.json.decode(release.manifest)}


def _notes(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_NOTES_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{file} can't be read.", detail=str(error)) from error


def _key(public_key: bytes, file: Path) -> dict[str, str]:
    from entendre.fleet.releases import key_id

    text = base64.b64encode(public_key).decode()
    return {"file": str(file), "public_key": text, "fingerprint": key_id(public_key)}


async def _keys(client: Entendre, args: argparse.Namespace) -> Any:
    return list((await client.releases.list_signing_keys(await brand_of(client, args))).data)


async def _add_key(client: Entendre, args: argparse.Namespace) -> Any:
    from entendre.clients.signing import public_key_of

    brand = await brand_of(client, args)
    return await client.releases.add_signing_key(brand, name=args.name, public_key=public_key_of(args.file))


async def _revoke_key(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.releases.revoke_signing_key(await brand_of(client, args), args.key)


async def _upload(client: Entendre, args: argparse.Namespace) -> Any:
    from entendre.cli.fleet.terminal import Progress

    brand = await brand_of(client, args)
    sent = []
    for _, file in map(board_and_file, args.files):
        progress = Progress(file.name, quiet=args.json)
        try:
            sent.append(await client.artifacts.upload(brand, file, progress))
        finally:
            progress.done()
    return sent


async def _create(client: Entendre, args: argparse.Namespace) -> Any:
    from entendre.cli.fleet.signing import read_signed

    release = read_signed(args.signed)
    await _upload(client, args)
    return await client.releases.create(
        await brand_of(client, args),
        manifest=release.manifest,
        signature=base64.b64decode(release.signature),
        notes=release.notes,
    )


async def release_of(client: Entendre, brand: str, word: str) -> str:
    """The id of a release, by id, a part of it, its number, or product and number. Raises: NotFoundError."""
    known = client.releases.list(brand)
    return await id_of(word, "release", known, lambda each: (f"{each.product_name} {each.number}", each.number))


async def _list(client: Entendre, args: argparse.Namespace) -> Any:
    return await rows(client.releases.list(await brand_of(client, args), product=args.product), args.limit)


async def _show(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    return await client.releases.get(brand, await release_of(client, brand, args.release))


async def _publish(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    return await client.releases.publish(brand, await release_of(client, brand, args.release))


async def _withdraw(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    return await client.releases.withdraw(brand, await release_of(client, brand, args.release))


def _releases(records: list[Any]) -> str:
    from entendre.cli.fleet.records import ID, column, listed

    columns = [column("PRODUCT", "product_name"), column("NUMBER", "number"), column("KIND", "kind")]
    columns += [column("CHANNEL", "channel"), column("STATE", "state"), column("MADE", "created_at_s"), ID]
    return listed(records, columns, "No releases yet: entendre release sign --help")


def _shown_keys(records: list[Any]) -> str:
    from entendre.cli.fleet.records import ID, column, listed

    columns = [column("NAME", "name"), column("FINGERPRINT", "fingerprint")]
    columns += [column("ADDED", "created_at_s"), column("REVOKED", "revoked_at_s"), ID]
    return listed(records, columns, "No keys yet: entendre release keygen FILE, then add-key")


def _artifacts(records: list[Any]) -> str:
    from entendre.cli.fleet.records import column, listed

    columns = [column("SHA-256", "id"), column("SIZE", "size_bytes"), column("WHOLE", "complete")]
    return listed(records, columns, "Nothing was sent.")


_ONE = arg("release", help="its number, or its id")
_FILES = arg("files", nargs="+", metavar="[BOARD=]FILE", help="its files, each for one board if that is said")
VERBS = (
    Verb("keygen", "make a key that signs, here", flags=flags(arg("file", type=Path, help="where to")), alone=_keygen),
    Verb(
        "sign",
        "sign files as a release, here; the key never leaves this machine",
        flags=flags(
            _FILES,
            arg("--key", type=Path, required=True, metavar="FILE", help="the private key"),
            arg("--product", required=True, metavar="NAME", help="whose release it is"),
            arg("--number", required=True, metavar="VERSION", help="its version, such as 2.4.0"),
            arg("--kind", choices=("firmware", "software"), default="firmware", help="what it is (default firmware)"),
            arg("--channel", default="stable", help="who takes it (default stable)"),
            arg("--minimum", default="", metavar="VERSION", help="the lowest version that can go to it directly"),
            arg("--notes", type=Path, metavar="FILE", help="what is new, as text"),
            arg("-o", "--output", type=Path, required=True, metavar="FILE", help="where the signed release goes"),
        ),
        alone=_sign,
    ),
    Verb("keys", "show the keys that may sign", _keys, flags(BRAND), _shown_keys),
    Verb(
        "add-key",
        "let a key sign; only its public half is sent",
        _add_key,
        flags(arg("name", help="what to call it"), arg("file", type=Path, help="the key, private or public"), BRAND),
    ),
    Verb(
        "revoke-key",
        "let a key sign no more; what it signed is offered no more",
        _revoke_key,
        flags(arg("key", help="name or id"), BRAND),
        confirm="Revoke the key {key}? What it signed is offered no more.",
    ),
    Verb("upload", "send files; what broke off goes on", _upload, flags(_FILES, BRAND), _artifacts),
    Verb(
        "create",
        "send the files of a signed release, and make it a draft",
        _create,
        flags(arg("signed", type=Path, help="what `release sign` made"), _FILES, BRAND),
    ),
    Verb(
        "list",
        "show releases",
        _list,
        flags(BRAND, arg("--product", help="only those of this product"), LIMIT),
        _releases,
    ),
    Verb("show", "show a release", _show, flags(_ONE, BRAND)),
    Verb("publish", "let rollouts use a release", _publish, flags(_ONE, BRAND)),
    Verb(
        "withdraw",
        "offer a release to nobody any more",
        _withdraw,
        flags(_ONE, BRAND),
        confirm="Withdraw {release}? It is offered to nobody any more.",
    ),
)
