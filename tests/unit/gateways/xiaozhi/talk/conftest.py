"""Channels are tested on a loop whose time jumps to the next timer."""

from __future__ import annotations

import pytest
from jumping import JumpingLoop


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, type[JumpingLoop]]:
    return {"jumping": JumpingLoop}
