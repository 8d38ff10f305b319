"""Starts `entendre serve` again and again, each time as a process of its own that is a fork of this one.

Its arguments are the file for the log and those of `entendre`. It reads lines: `start` starts a server and says its
process id, `reap` waits until it has ended and says its status; at the end of the input it ends the one that runs.
Modules and sentences are loaded here, once: a start costs what it does with its data, not the seconds that Python
takes to read two hundred modules and to compile a language.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import signal
import sys
from collections.abc import Iterator

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a process with threads must not fork

from entendre.app.households import own_plan
from entendre.cli import build_parser, main
from entendre.cli.settings import settings_of
from entendre.skills.planner import Planner

PACKAGES = ("app", "store", "cloud", "session", "web", "gateways.mqtt", "gateways.fleet", "gateways.xiaozhi")


def modules_below(package: str) -> Iterator[str]:
    """A package and what is in it."""
    found = importlib.import_module(package)
    yield package
    for each in pkgutil.walk_packages(found.__path__, f"{package}."):
        yield each.name


def loaded(arguments: list[str]) -> Planner:
    """Load what every server loads."""
    for package in PACKAGES:
        for name in modules_below(f"entendre.{package}"):
            importlib.import_module(name)
    settings = settings_of(build_parser("serve").parse_args(arguments))
    return Planner.load(settings, own_plan(settings).home)


def served(arguments: list[str], log: int, planner: Planner) -> int:
    """Be the server."""
    Planner.load = lambda settings, home: planner  # type: ignore[method-assign]
    for number, target in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
        os.dup2(number, target)
    return main(arguments)


def serve_again_and_again(arguments: list[str], log: int) -> None:
    """Do what is read."""
    planner = loaded(arguments)
    running: int | None = None
    for line in sys.stdin:
        if line.strip() == "start":
            running = os.fork()
            if running == 0:
                os._exit(served(arguments, log, planner))
            print(running, flush=True)
        elif running is not None:
            print(os.waitpid(running, 0)[1], flush=True)
            running = None
    if running is not None:
        os.kill(running, signal.SIGKILL)


if __name__ == "__main__":
    serve_again_and_again(sys.argv[2:], os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
