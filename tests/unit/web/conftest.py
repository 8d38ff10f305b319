from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from engines import Site, make_site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = await make_site()
    yield made
    await made.close()
