"""How warm it is, asked and complained of in Hindi: the same words but for "how", a question word or who feels it."""

from __future__ import annotations

import pytest
from spoken.scoring import Case, homes, world_of, written

from entendre.core.actions import action_to_json
from entendre.core.plan import Plan
from entendre.skills.planner import Planner


async def planned(planner: Planner, said: str) -> Plan:
    home = homes()["hi"]
    planner.set_home(home)
    world = world_of(Case("hi", "bedroom", said, ""), home)
    return await planner.plan(planner.understand(said, "hi", world), world)


@pytest.mark.parametrize(
    "said",
    [
        "कितनी ठंड है",
        "kitna garam hai",
        "यहाँ कितना ठंडा है",
        "kamra kitna thanda hai",
        "बेडरूम में कितनी गर्मी है",
        "kitni thand hai bedroom mein",
        "क्या बेडरूम ठंडा है",
        "bedroom garam hai kya",
        "मौजूदा तापमान बताओ",
        "bedroom mein kitne degree hai",
    ],
)
async def test_a_question_is_answered_and_changes_nothing(planner: Planner, said: str) -> None:
    plan = await planned(planner, said)
    assert not plan.actions
    assert "26.5" in plan.reply


@pytest.mark.parametrize(
    ("said", "done"),
    [
        ("मुझे ठंड लग रही है", "ac.temperature+"),
        ("बहुत ठंड है", "ac.temperature+"),
        ("yahan thand hai", "ac.temperature+"),
        ("इतनी गर्मी है", "ac.temperature-"),
        ("kitni garmi lag rahi hai", "ac.temperature-"),
        ("कितनी गर्मी हो गई है", "ac.temperature-"),
        ("कमरा ठंडा कर दो", "ac.temperature-"),
    ],
)
async def test_a_complaint_is_a_wish(planner: Planner, said: str, done: str) -> None:
    plan = await planned(planner, said)
    assert [written(action_to_json(action)) for action in plan.actions] == [done]


@pytest.mark.parametrize("said", ["बाहर कितनी ठंड है", "bahar kitna garam hai", "kitni thand pad rahi hai"])
async def test_outside_is_not_the_room(planner: Planner, said: str) -> None:
    plan = await planned(planner, said)
    assert not plan.actions
    assert "26.5" not in plan.reply
