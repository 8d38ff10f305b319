"""The last word on an utterance."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from parts import ScriptedPlanner, Stage

from entendre.core.audio import samples_of
from entendre.core.plan import DeviceView, Mentioned, Plan, World
from entendre.core.understanding import Command, Understanding
from entendre.core.understanding import Completeness as C
from entendre.session.assistant import Respelling
from entendre.session.hearing import Hearing
from entendre.session.text import answer_text

PLANS = {"turn on the lamp": (C.COMPLETE, Plan("Okay."))}


@dataclass
class SpellsBySound(ScriptedPlanner):
    """Takes "lump" for "lamp" where it may."""

    asked: list[str] = field(default_factory=list)

    def respelling(self, language: str) -> Respelling | None:
        def spelled(text: str, world: World) -> Understanding | None:
            self.asked.append(text)
            meant = text.replace("lump", "lamp")
            return Understanding(meant, language, (Command("Scripted"),), C.COMPLETE, 0.85) if meant != text else None

        return spelled


def listening(text: str, thorough: str | None = None) -> tuple[Hearing, SpellsBySound, World]:
    stage, planner = Stage(PLANS), SpellsBySound(PLANS)
    stage.ears.text, stage.ears.thorough_text = text, thorough
    assistant = replace(stage.assistant, planner=planner)
    return Hearing(assistant), planner, assistant.household.world(DeviceView("d"), Mentioned())


async def test_what_makes_no_sense_twice_is_spelled_by_its_sound() -> None:
    hearing, planner, world = listening("turn on the lump", "turn on the limp")
    heard = await hearing.final(samples_of(bytes(3200)), world, None)
    assert heard.transcript.text == "turn on the lamp"
    assert heard.understanding.understood
    assert planner.asked == ["turn on the limp", "turn on the lump"], "what was heard with all effort comes first"


async def test_what_is_understood_is_left_as_it_is_and_so_is_silence() -> None:
    for text, thorough in (("turn on the lamp", None), ("a lump", "turn on the lamp"), ("", None)):
        hearing, planner, world = listening(text, thorough)
        heard = await hearing.final(samples_of(bytes(3200)), world, None)
        assert heard.transcript.text == (thorough or text)
        assert planner.asked == []


async def test_what_is_typed_is_never_spelled_anew() -> None:
    hearing, planner, _ = listening("")
    answer = await answer_text(hearing.assistant, "turn on the lump", device=DeviceView("d"), language="en", act=False)
    assert not answer.understanding.understood
    assert planner.asked == []
