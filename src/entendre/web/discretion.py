"""Keeps what peers send out of the logs: aiohttp quotes their headers, in which keys are.

A peer that goes away in the middle of a request is no error of ours either, and could fill the log with tracebacks.
"""

from __future__ import annotations

import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

QUOTING = ("aiohttp.server", "aiohttp.websocket")
"""Loggers whose records quote a peer's own bytes: of requests that it cannot read, and of protocols not agreed on."""
PEER_GONE = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
OF_PEERS = (HttpProcessingError, web.RequestPayloadError)


class Discretion(logging.Filter):
    """Says that a request was malformed, and nothing of what it held; nothing of a peer that went away. Others pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log a record, which may be changed."""
        if record.name == "aiohttp.websocket":
            return False
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, PEER_GONE):
            return False
        if isinstance(error, OF_PEERS):
            record.msg, record.args = "malformed request", ()
            record.exc_info = record.exc_text = None
            record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
        return True


_DISCRETION = Discretion()


def be_discreet() -> None:
    """Install it; once is enough, more does no harm."""
    for name in QUOTING:
        logging.getLogger(name).addFilter(_DISCRETION)
