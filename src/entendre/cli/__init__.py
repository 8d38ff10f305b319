"""The command line: one module per command, imported only when it is used, so that `--help` is immediate."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from entendre import __version__
from entendre.core.errors import EntendreError

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2


@dataclass(frozen=True, slots=True)
class Command:
    """A sub-command: its module offers `add_parser(subparsers)` and `run(args) -> int`."""

    name: str
    module: str
    summary: str


COMMANDS: tuple[Command, ...] = (
    Command("serve", "entendre.cli.serve", "run the server"),
    Command("demo", "entendre.cli.demo", "hear a few spoken commands and show every turn"),
    Command("ask", "entendre.cli.ask", "understand typed sentences"),
    Command("hear", "entendre.cli.hear", "hear recordings and show what was understood and done"),
    Command("say", "entendre.cli.say", "speak a text into a sound file"),
    Command("speaker", "entendre.cli.speaker", "be a speaker, with a microphone or a recording"),
    Command("models", "entendre.cli.models", "list, fetch and check models"),
    Command("markets", "entendre.cli.markets.command", "countries: languages, formats, policy, and what is missing"),
    Command("keys", "entendre.cli.keys", "create, list and revoke API keys"),
    Command("devices", "entendre.cli.devices", "bind, name and end speakers of this home, by the code that they show"),
    Command("brand", "entendre.cli.fleet.brand", "makers on a running server: names, keys, staff, partners"),
    Command("product", "entendre.cli.fleet.product", "what a brand sells: speakers and laptops by model"),
    Command("enrolment", "entendre.cli.fleet.enrolment", "batches of devices that enrol by themselves"),
    Command("device", "entendre.cli.fleet.device", "the fleet's devices: find, tag, configure (bind by code: devices)"),
    Command("command", "entendre.cli.fleet.command", "have devices do something, now or once they can"),
    Command("telemetry", "entendre.cli.fleet.telemetry", "what devices measured and reported"),
    Command("release", "entendre.cli.fleet.release", "firmware and software: sign, upload, publish"),
    Command("rollout", "entendre.cli.fleet.rollout", "bring a release to many devices, in groups"),
    Command("account", "entendre.cli.fleet.account", "people who can sign in"),
    Command("household", "entendre.cli.fleet.household", "homes: their people, rooms and devices; export, erasure"),
    Command("login", "entendre.cli.fleet.login", "sign in at a server, as a person"),
    Command("logout", "entendre.cli.fleet.logout", "end the sign-in at a server"),
    Command("api", "entendre.cli.fleet.api", "call any operation of a running server's API"),
    Command("backup", "entendre.cli.backup", "write everything into one file, while the server runs"),
    Command("restore", "entendre.cli.restore", "fill a database from a backup"),
    Command("doctor", "entendre.cli.doctor", "name what is missing and how to get it"),
    Command("bench", "entendre.cli.bench", "measure this machine: gap, load, idle, understand, store, fleet"),
    Command("simulate", "entendre.cli.simulate", "a fleet of simulated devices against a real server"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    # Numpy reads this when it is first imported. Our matrices are small: OpenBLAS's other threads find nothing to do
    # and spin meanwhile, which took half a core from recognition.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = build_parser(_chosen(given))
    args = parser.parse_args(given)
    if args.command is None:
        parser.print_help()
        return EXIT_USAGE
    module = importlib.import_module(_by_name()[args.command].module)
    try:
        return int(module.run(args))
    except EntendreError as error:
        print(f"entendre: {error.public_message} [{error.code}]", file=sys.stderr)
        if error.detail and error.detail != error.public_message:
            print(f"  {error.detail}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_FAILED


def build_parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """The parser; only the chosen command's module is imported, the others are listed by name."""
    parser = argparse.ArgumentParser(prog="entendre", description="The assistant cloud that its owner runs.")
    parser.add_argument("--version", action="version", version=f"entendre {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    for command in available_commands():
        if command.name == chosen:
            importlib.import_module(command.module).add_parser(subparsers)
        else:
            subparsers.add_parser(command.name, help=command.summary)
    return parser


def available_commands() -> list[Command]:
    """Commands of this installation."""
    return [command for command in COMMANDS if importlib.util.find_spec(command.module) is not None]


def _chosen(arguments: Sequence[str]) -> str | None:
    names = _by_name()
    return next((word for word in arguments if word in names), None)


def _by_name() -> dict[str, Command]:
    return {command.name: command for command in COMMANDS}
