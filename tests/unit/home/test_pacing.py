from __future__ import annotations

import asyncio

from entendre.core.home import Appliance
from entendre.home.graph import HomeGraph
from entendre.home.pacing import Paced


async def test_five_hundred_appliances_at_once_cost_two_rebuilds_and_none_is_missed() -> None:
    graph, sizes = HomeGraph(), list[int]()
    paced = Paced(lambda: sizes.append(len(graph.snapshot().appliances)), every_s=0.05)
    graph.on_names_changed(paced)
    for number in range(500):
        graph.put_appliance(Appliance(f"lamp-{number}", "light", {"en": (f"lamp {number}",)}))
    assert sizes == [1], "the first is known at once"
    await asyncio.sleep(0.12)
    assert sizes == [1, 500]
    await asyncio.sleep(0.06)
    graph.remove_appliance("lamp-0")
    assert sizes == [1, 500, 499], "a change after a rest is known at once again"
    paced.close()


async def test_closed_it_does_nothing_more() -> None:
    calls: list[int] = []
    paced = Paced(lambda: calls.append(1), every_s=0.01)
    paced()
    paced()
    paced.close()
    await asyncio.sleep(0.03)
    assert calls == [1]
