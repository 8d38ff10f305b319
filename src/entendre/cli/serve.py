"""`entendre serve`: run the server until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from typing import Any

from entendre.cli.settings import add_settings_flags, settings_of


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
    logging.basicConfig(
        stream=sys.stderr,
        level=settings.server.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    from entendre.app import serve

    loop_factory: Any = None
    if sys.platform != "win32":
        import uvloop

        loop_factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(serve(settings))
    return 0
