from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from scripted import Served, serve


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    made, runner = await serve()
    yield made
    await made.gateway.close()
    await runner.cleanup()
