"""The bench on which devices are served."""

from __future__ import annotations

from typing import Any

import pytest
from esphome_bench import Bench


@pytest.fixture
def bench(factory: Any) -> Bench:
    return Bench(factory)
