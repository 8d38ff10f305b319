from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from town import Town, town


@pytest.fixture
async def built(tmp_path: Path) -> AsyncIterator[Town]:
    async with town(tmp_path) as made:
        await made.build("a", {"kitchen": "kitchen"})
        await made.build("b", {"kitchen": "kitchen"})
        yield made
