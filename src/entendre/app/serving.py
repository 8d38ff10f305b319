"""The server as a process: signals, memory, and one application."""

from __future__ import annotations

import asyncio
import gc
import signal

from entendre.app.application import App
from entendre.config import Settings
from entendre.system import limit_arenas


async def serve(settings: Settings) -> None:
    """Run the server until SIGINT or SIGTERM. Raises: what `App.start` raises."""
    limit_arenas()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    app = App(settings)
    starting = asyncio.create_task(app.start())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return
    await starting
    gc.collect()
    gc.freeze()  # what was loaded stays, so that no collection walks it again: 10 ms each
    await stopping
    await app.close()
