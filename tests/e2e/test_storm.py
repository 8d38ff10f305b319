"""Bad peers by the thousand cost a good client nothing, and the server no memory."""

from __future__ import annotations

import pytest

from entendre.bench.storm import StormOptions, measure_storm

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


async def test_a_storm_of_bad_peers_passes_over() -> None:
    report = await measure_storm(StormOptions(minutes=0.4))
    assert report["connections"] > 500
    assert report["unanswered"] == 0
    assert report["answered"] >= 15
    assert report["growth_kib_per_1000_connections"] < 2048
