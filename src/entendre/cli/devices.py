"""`entendre devices`: bind speakers by the code that they show, name them, and end their access, also while serving."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from entendre.cli.settings import add_settings_flags, settings_of
from entendre.config import Settings
from entendre.core.device import DeviceRecord, PendingDevice, language_of, shown_device, shown_pending
from entendre.core.errors import InvalidInputError
from entendre.home.demo import demo_home, demo_languages
from entendre.home.document import load_home
from entendre.home.rooms import room_named
from entendre.store import Devices, open_database
from entendre.store.devices import KEY_BYTES
from entendre.system import SystemClock

BY = "cli"
MAX_KEY_FILE_BYTES = 1_024


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    summary = "bind, name and end speakers of this home, by the code that they show"
    epilog = "The fleet's devices, on a running server: entendre device"
    parser = subparsers.add_parser("devices", help=summary, description=f"{summary}.", epilog=epilog)
    actions = parser.add_subparsers(dest="devices_action", metavar="ACTION", required=True)
    show = actions.add_parser("list", help="show devices, and those that wait to be bound")
    bind = actions.add_parser("bind", help="take in the device that shows a code")
    bind.add_argument("code", help="the six digits that the device shows and says")
    bind.add_argument("--name", default="", help="what to call it (default: its board and the end of its address)")
    bind.add_argument("--room", default="", help="where it stands: a room of the home")
    rename = actions.add_parser("rename", help="give a device another name")
    room = actions.add_parser("room", help="put a device into a room")
    revoke = actions.add_parser("revoke", help="end a device's access; a running server ends it within seconds")
    forget = actions.add_parser("forget", help="remove a device, so that it can be bound as a new one")
    for each in (rename, room, revoke, forget):
        each.add_argument("device", help="name, id or MAC address")
    rename.add_argument("name", help="its new name")
    room.add_argument("room", help="a room of the home; '' for none")
    enrol = actions.add_parser("enrol", help="keep the key that is burnt into a device")
    enrol.add_argument("serial", help="its serial number")
    enrol.add_argument("keyfile", type=Path, help=f"file with the key: {KEY_BYTES} bytes, or as many in hexadecimal")
    for each in (show, bind, rename, room, revoke, forget, enrol):
        each.add_argument("--json", action="store_true", help="print JSON")
        add_settings_flags(each)


def run(args: argparse.Namespace) -> int:
    """Do the action on the database of the settings."""
    print(asyncio.run(_run(args, settings_of(args))))
    return 0


async def _run(args: argparse.Namespace, settings: Settings) -> str:
    database = await open_database(settings.database_place)
    try:
        devices = Devices(database, SystemClock(), settings.server.region)
        if args.devices_action == "list":
            return _shown_all(await devices.devices(), await devices.pending(), args.json)
        if args.devices_action == "enrol":
            await devices.enrol(args.serial, _key_in(args.keyfile), by=BY)
            return _as_json({"serial": args.serial}) if args.json else f"enrolled {args.serial}"
        record = await _changed(devices, args, settings)
        return _as_json(shown_device(record)) if args.json else _said(args.devices_action, record)
    finally:
        await database.close()


async def _changed(devices: Devices, args: argparse.Namespace, settings: Settings) -> DeviceRecord:
    match args.devices_action:
        case "bind":
            room = _room(settings, args.room)
            language = language_of(getattr(args, "server.language") or "")  # of this device, as `--language` gave it
            return await devices.bind(args.code, name=args.name, room=room, language=language, by=BY, guesser=BY)
        case "rename":
            return await devices.change(args.device, name=args.name, by=BY)
        case "room":
            return await devices.change(args.device, room=_room(settings, args.room), by=BY)
        case "revoke":
            return await devices.revoke(args.device, by=BY)
        case _:
            return await devices.forget(args.device, by=BY)


def _room(settings: Settings, named: str) -> str:
    """The id of a room of the home file; rooms that a broker announced are known to the running server only."""
    if not named:
        return ""
    home = load_home(settings.home.file) if settings.home.file is not None else demo_home(demo_languages())
    return room_named(home.rooms, named)


def _key_in(file: Path) -> bytes:
    """The key in a file. Raises: InvalidInputError."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_KEY_FILE_BYTES)
    except OSError as error:
        raise InvalidInputError(f"The key file {file} can't be read: {error.strerror}.") from error
    if len(content) == KEY_BYTES:
        return content
    digits = re.sub(rb"\s", b"", content).decode("ascii", "replace")
    if not re.fullmatch(rf"[0-9A-Fa-f]{{{2 * KEY_BYTES}}}", digits):
        raise InvalidInputError(f"The key file {file} does not hold {KEY_BYTES} bytes or {2 * KEY_BYTES} hex digits.")
    return bytes.fromhex(digits)


def _said(action: str, record: DeviceRecord) -> str:
    done = {"bind": "bound", "rename": "renamed", "room": "moved", "revoke": "revoked", "forget": "forgot"}[action]
    return f"{done} {record.name} ({record.hardware}), room: {record.room or '-'}"


def _shown_all(known: Sequence[DeviceRecord], waiting: Sequence[PendingDevice], as_json: bool) -> str:
    if as_json:
        shown = {
            "devices": [shown_device(each) for each in known],
            "waiting": [shown_pending(each) for each in waiting],
        }
        return _as_json(shown)
    rows = [("NAME", "ROOM", "ADDRESS", "BOARD", "FIRMWARE", "LAST SEEN", "STATE")]
    rows += [
        (
            each.name,
            each.room or "-",
            each.hardware,
            each.board or "-",
            each.firmware or "-",
            _minute(each.last_seen_at_s),
            "revoked" if each.revoked_at_s is not None else "attested" if each.attested else "bound",
        )
        for each in known
    ]
    text = _as_table(rows) if known else "No devices yet. Point a speaker at this server, then bind the code it shows."
    if not waiting:
        return text
    asking = [("WAITING", "BOARD", "FIRMWARE", "CODE LASTS", "")]
    asking += [
        (
            each.hardware,
            each.board or "-",
            each.firmware or "-",
            f"{max(0, int(each.expires_at_s - time.time()))} s",
            "was bound before, with other ids" if each.rebinds else "",
        )
        for each in waiting
    ]
    return (
        f"{text}\n\n{_as_table(asking)}\n\nRead the code from the device, then: entendre devices bind CODE --room ROOM"
    )


def _as_table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _as_json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)


def _minute(at_s: float | None) -> str:
    return "-" if at_s is None else datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M")
