"""`entendre serve`: run the server until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import sys
from typing import Any

from entendre.cli.lines import Lines
from entendre.cli.repeats import Repeats
from entendre.cli.settings import add_settings_flags, settings_of

WANTED_FILES = 65_536


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("serve", help="run the server")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", help="TCP port (default 8770; 0 picks a free one)")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    add_settings_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; what was acknowledged is kept."""
    settings = settings_of(args, server_host=args.host, server_port=args.port, server_log_level=args.log_level)
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Repeats())
    handler.setFormatter(Lines())
    logging.basicConfig(handlers=[handler], level=settings.server.log_level.upper())
    allow_files()
    from entendre.app import serve

    loop_factory: Any = None
    if sys.platform != "win32":
        import uvloop

        loop_factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(serve(settings))
    return 0


def allow_files() -> None:
    """Raise the limit of open files, often 1,024, as far as the system lets us: every connection is one."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and (hard == resource.RLIM_INFINITY or soft < hard):
            resource.setrlimit(resource.RLIMIT_NOFILE, (WANTED_FILES if hard == resource.RLIM_INFINITY else hard, hard))
