"""`entendre doctor`: name what is missing on this machine, and how to get it."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any
from urllib.parse import urlsplit

from entendre.cli.settings import add_settings_flags, settings_of
from entendre.config import Settings, is_loopback
from entendre.core.errors import EntendreError, MissingExtraError
from entendre.core.tags import tags_of

OK, OPTIONAL, MISSING = "ok", "optional", "missing"
_MARKS = {OK: "ok      ", OPTIONAL: "optional", MISSING: "MISSING "}
LEAST_FREE_BYTES = 500 * 10**6
CONNECT_S = 2.0
SLOW_RECOGNITION_S = 1.0
_EXTRAS = (
    "speech",
    "voices",
    "sherpa",
    "media",
    "mqtt",
    "xiaozhi",
    "esphome",
    "wyoming",
    "speaker",
    "postgres",
    "fleet",
)
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+).*;.*extra\s*==\s*['\"]([a-z]+)['\"]")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `remedy` says what to do where it is not ok."""

    name: str
    state: str
    found: str
    remedy: str = ""


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("doctor", help="name what is missing and how to get it")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", help="TCP port")
    add_settings_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Look at everything; the status is 1 if something that `serve` needs is missing."""
    settings = settings_of(args, server_host=args.host, server_port=args.port)
    checks = examine(settings) + hearing_time(settings)
    ok = all(check.state != MISSING for check in checks)
    if args.json:
        print(json.dumps({"ok": ok, "checks": [asdict(check) for check in checks]}, ensure_ascii=False))
        return 0 if ok else 1
    for check in checks:
        print(f"{_MARKS[check.state]}  {check.name:12}  {check.found}")
        if check.remedy:
            print(f"{'':24}{check.remedy}")
    print("\nReady: entendre serve" if ok else "\nSomething is missing; the lines above say how to get it.")
    return 0 if ok else 1


def examine(settings: Settings) -> list[Check]:
    """Every check for these settings."""
    checks: list[Check] = []
    for look in (_python, _venv, _extras, _models, _data_dir, _database, _port, _home, _broker, _programs):
        checks += look(settings)
    return checks


def _python(_: Settings) -> Iterator[Check]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    fits = sys.version_info >= (3, 11)
    yield Check("python", OK if fits else MISSING, version, "" if fits else "Python 3.11 or newer is needed.")


def _venv(_: Settings) -> Iterator[Check]:
    if importlib.util.find_spec("ensurepip"):
        yield Check("venv", OK, "virtual environments can be built")
    else:
        package = f"python3.{sys.version_info[1]}-venv"
        yield Check("venv", OPTIONAL, "the ensurepip module is missing", f"To build new ones: apt install {package}")


def _extras(settings: Settings) -> Iterator[Check]:
    needed = {
        "speech": _is_local(settings.speech.recognizer) or _is_local(settings.speech.voice),
        "mqtt": bool(settings.home.mqtt_url),
        "esphome": bool(settings.esphome.devices) or settings.esphome.discover,
        "wyoming": settings.wyoming.discover,
        "postgres": bool(settings.server.database),
    }
    required = [found.groups() for line in metadata.requires("entendre") or () if (found := _REQUIREMENT.match(line))]
    for extra in _EXTRAS:
        absent = [package for package, where in required if where == extra and not _installed(package)]
        if not absent:
            yield Check(f"[{extra}]", OK, "installed")
            continue
        state = MISSING if needed.get(extra) else OPTIONAL
        yield Check(f"[{extra}]", state, f"without {', '.join(absent)}", f"pip install 'entendre[{extra}]'")


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _models(settings: Settings) -> Iterator[Check]:
    from entendre.speech.catalogue import find_model, locate
    from entendre.speech.load import chosen_name

    for kind, setting in (("recognizer", settings.speech.recognizer), ("voice", settings.speech.voice)):
        if not _is_local(setting):
            yield Check(kind, OK, setting)
            continue
        try:
            name = chosen_name(setting, kind, settings.language, settings.models_dir)
            installed = locate(find_model(name), settings.models_dir)
        except EntendreError as error:
            yield Check(kind, MISSING, error.public_message, "entendre models list")
            continue
        if installed is None:
            yield Check(kind, MISSING, f"{name} is not installed", f"entendre models get {name}")
        else:
            yield Check(kind, OK, f"{name} ({installed.origin})")
            if kind == "recognizer":
                yield from _hearing(name, settings)


def _hearing(name: str, settings: Settings) -> Iterator[Check]:
    """How well each language is heard."""
    from entendre.speech.catalogue import better_recognizers, find_model

    model = find_model(name)
    for language in tags_of(settings.server.language):
        others = better_recognizers(model, language)
        found = f"{language}: {model.level(language) or 'not measured'}"
        remedy = f"Better: entendre models get {' or '.join(others)}" if others else ""
        yield Check("hearing", OPTIONAL if others else OK, found, remedy)


def hearing_time(settings: Settings) -> list[Check]:
    """How long people wait until they are heard; nothing where no recognizer of this machine is chosen."""
    from entendre.speech.catalogue import find_model, locate
    from entendre.speech.load import chosen_name, measure_recognition

    setting, folder = settings.speech.recognizer, settings.models_dir
    try:
        name = chosen_name(setting, "recognizer", settings.server.language, folder) if _is_local(setting) else None
        if name is None or locate(find_model(name), folder) is None:
            return []
        spent_s = measure_recognition(name, folder)
    except EntendreError:
        return []  # the other checks say what is missing
    slow = spent_s > SLOW_RECOGNITION_S
    remedy = "Everybody waits that long for an answer: take a smaller model, or a server elsewhere." if slow else ""
    found = f"two seconds of speech take {spent_s:.1f} s"
    return [Check("hearing", OPTIONAL if slow else OK, found, remedy)]


def _data_dir(settings: Settings) -> Iterator[Check]:
    folder = settings.server.data_dir
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        yield Check("data folder", MISSING, f"{folder}: {error.strerror}", "Choose another with --data-dir.")
        return
    free_bytes = shutil.disk_usage(existing).free
    roomy = free_bytes >= LEAST_FREE_BYTES
    remedy = "" if roomy else f"{LEAST_FREE_BYTES // 10**6} MB should be free."
    yield Check("data folder", OK if roomy else MISSING, f"{folder}, {free_bytes / 1e9:.1f} GB free", remedy)


def _database(settings: Settings) -> Iterator[Check]:
    if not settings.server.database:
        return
    from entendre.store.database import engine_of

    try:
        yield Check("database", OK, engine_of(settings.server.database).look())
    except EntendreError as error:
        remedy = "" if isinstance(error, MissingExtraError) else "Start PostgreSQL, or correct server.database."
        yield Check("database", MISSING, error.detail or error.public_message, remedy)


def _port(settings: Settings) -> Iterator[Check]:
    host, port = settings.server.host, settings.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        yield Check(
            "port", MISSING, f"{host}:{port}: {error.strerror}", "Choose another with --port, or stop its user."
        )
        return
    note = "" if is_loopback(host) else "Others can reach this address: keys are asked for (`entendre keys create`)."
    yield Check("port", OK, f"{host}:{port} is free", note)


def _home(settings: Settings) -> Iterator[Check]:
    if settings.home.file is None:
        yield Check("home", OK, "the built-in demo home", "Your own: --home FILE (docs/home.md)")
        return
    from entendre.home.document import load_home

    try:
        home = load_home(settings.home.file)
    except EntendreError as error:
        yield Check("home", MISSING, error.public_message, "docs/home.md says what a home file holds.")
        return
    yield Check("home", OK, f"{settings.home.file}: {len(home.rooms)} rooms, {len(home.appliances)} appliances")


def _broker(settings: Settings) -> Iterator[Check]:
    if not settings.home.mqtt_url:
        return
    parts = urlsplit(settings.home.mqtt_url)
    try:
        address = (parts.hostname or "", parts.port or (8883 if parts.scheme == "mqtts" else 1883))
        with contextlib.closing(socket.create_connection(address, timeout=CONNECT_S)):
            yield Check("broker", OK, f"{address[0]}:{address[1]} answers")
    except (OSError, ValueError) as error:
        yield Check("broker", MISSING, f"{parts.hostname}: {error}", "Start the broker, or correct home.mqtt_url.")


def _programs(_: Settings) -> Iterator[Check]:
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    for program, use in (("mosquitto", "a broker for MQTT devices"), ("espeak-ng", "voices of more languages")):
        path = shutil.which(program, path=search)
        yield Check(program, OK if path else OPTIONAL, path or f"for {use}", "" if path else f"apt install {program}")


def _is_local(name: str) -> bool:
    return name != "none" and "://" not in name
