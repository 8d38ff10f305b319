"""Several speakers that hear the same words: one answers. The rule alone, and whole conversations in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from parts import Home

from entendre.core.actions import SetTrait, StopRinging, Trait
from entendre.core.plan import Plan
from entendre.core.understanding import Completeness as C
from entendre.session.api import ListenMode, TurnEnded
from entendre.session.arbiter import MEMORY_S, Arbiter, Candidate, Verdict, verdict
from entendre.session.likeness import rhythm_of, same_rhythm, signal_db

HERE = Candidate("t1", "kitchen", "kitchen", 10.0, 10.4, "turn on the lights", True, 20.0)
THERE = replace(HERE, turn="t2", device="hall", room="hall")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Verdict.SILENT),
        ({"woken_at": 10.6, "began_at": 10.9, "text": "Turn on the light."}, Verdict.SILENT),
        ({"signal_db": 22.0}, Verdict.SILENT),
        ({"signal_db": 24.0}, Verdict.TAKES_OVER),
        ({"text": "turn on alive", "understood": False, "signal_db": 40.0}, Verdict.SILENT),
        ({"own": True, "signal_db": 5.0}, Verdict.TAKES_OVER),
        ({"text": "what's the weather tomorrow"}, Verdict.OTHER),
        ({"woken_at": 12.0, "began_at": 12.4}, Verdict.OTHER),
        ({"device": "kitchen"}, Verdict.OTHER),
    ],
)
def test_two_speakers(changes: dict[str, object], expected: Verdict) -> None:
    assert verdict(HERE, replace(THERE, **changes)) is expected  # type: ignore[arg-type]


def test_who_understood_is_heard_rather_than_who_did_not() -> None:
    deaf = replace(HERE, text="turn on the lies", understood=False, signal_db=40.0)
    assert verdict(deaf, THERE) is Verdict.TAKES_OVER
    assert verdict(THERE, deaf) is Verdict.SILENT


def test_the_first_keeps_its_claim_once_it_has_begun_and_loses_it_to_a_better_one_before() -> None:
    better = replace(THERE, signal_db=30.0)
    arbiter = Arbiter(lambda: 0.0)
    first = arbiter.claim(HERE)
    assert first is not None and first.keep()
    assert arbiter.claim(better) is None
    arbiter = Arbiter(lambda: 0.0)
    first, second = arbiter.claim(HERE), arbiter.claim(better)
    assert first is not None and second is not None
    assert (first.keep(), second.keep()) == (False, True)
    assert arbiter.claim(replace(HERE, device="attic", room="attic")) is None, "a third hears them too"


def test_an_apology_silences_nobody_who_understood() -> None:
    arbiter = Arbiter(lambda: 0.0)
    deaf = arbiter.claim(replace(HERE, text="turn on the lies", understood=False))
    assert deaf is not None and deaf.keep()
    assert arbiter.claim(THERE) is not None


def test_claims_are_forgotten_and_withdrawn() -> None:
    now = [0.0]
    arbiter = Arbiter(lambda: now[0])
    first = arbiter.claim(HERE)
    assert first is not None
    first.withdraw()
    assert arbiter.claim(THERE) is not None
    now[0] = MEMORY_S + 1
    assert arbiter.claim(replace(HERE, device="attic")) is not None


def test_the_signal_is_how_far_words_stand_out_of_the_noise() -> None:
    random = np.random.default_rng(1)
    noise = random.normal(0, 100, 16_000)
    words = noise + np.where(np.arange(16_000) > 8_000, random.normal(0, 3_000, 16_000), 0)
    near, far = (signal_db((scale * words + noise).astype(np.int16)) for scale in (1.0, 0.1))
    assert 20 < near < 32
    assert far < near - 6
    assert signal_db(np.zeros(100, np.int16)) == 0.0
    assert signal_db((words * 0.5).astype(np.int16)) == pytest.approx(signal_db(words.astype(np.int16)), abs=0.5), (
        "a quiet microphone hears no worse"
    )


LIGHTS = Plan("Okay.", (SetTrait("lamp", Trait.ON, True),))
PLANS = {
    "turn on the lights": (C.COMPLETE, LIGHTS),
    "turn on the light": (C.COMPLETE, LIGHTS),
    "what time is it": (C.COMPLETE, Plan("Noon.")),
    "stop": (C.COMPLETE, Plan("", (StopRinging(),))),
}


async def test_one_speaker_answers_and_the_others_end_their_turns() -> None:
    async with Home(PLANS, {8000: "turn on the lights", 7000: "turn on the light", 6000: "turn on the lies"}) as home:
        kitchen = await home.speaker("kitchen", 8000)
        hall, attic = await home.speaker("hall", 7000), await home.speaker("attic", 6000)
        await asyncio.gather(kitchen.hear(), hall.hear(after_s=0.15), attic.hear(after_s=0.1))
        await asyncio.sleep(2.0)
    assert kitchen.outcomes() == ["answered"]
    assert hall.outcomes() == attic.outcomes() == ["elsewhere"]
    assert (kitchen.said(), hall.said(), attic.said()) == (["Okay."], [], [])
    assert len(home.stage.household.done) == 1
    assert hall.link.names()[-2:] == ["TurnEnded", "ListeningEnded"]


async def test_the_answer_comes_no_later_for_other_speakers() -> None:
    gaps = []
    for others in (0, 2):
        async with Home(PLANS, {8000: "turn on the lights", 6000: "turn on the lights"}) as home:
            kitchen = await home.speaker("kitchen")
            rest = [await home.speaker(f"room{number}", 6000) for number in range(others)]
            await asyncio.gather(kitchen.hear(), *(each.hear(after_s=0.2) for each in rest))
            [trace] = [ended.trace for ended in kitchen.link.of(TurnEnded)]
            gaps.append(trace["first_audio_s"] - trace["speech_end_s"])
    assert gaps[0] == pytest.approx(gaps[1], abs=1e-6)


async def test_a_better_signal_answers_while_the_first_is_still_looking_for_its_words() -> None:
    async with Home(PLANS, {8000: "what time is it", 6000: "what time is it"}) as home:
        far, near = await home.speaker("far", 6000), await home.speaker("near", 8000)
        home.stage.voice.slow_s = 0.5
        await asyncio.gather(far.hear(noise=900), near.hear(noise=10, after_s=0.1))
        await asyncio.sleep(2.0)
    assert (far.outcomes(), near.outcomes()) == (["elsewhere"], ["answered"])
    assert (far.said(), near.said()) == ([], ["Noon."])


async def test_different_words_are_both_answered() -> None:
    async with Home(PLANS, {8000: "turn on the lights", 6000: "what time is it"}) as home:
        kitchen, hall = await home.speaker("kitchen", 8000), await home.speaker("hall", 6000)
        await asyncio.gather(kitchen.hear(), hall.hear())
        await asyncio.sleep(2.0)
    assert (kitchen.said(), hall.said()) == (["Okay."], ["Noon."])


@pytest.mark.parametrize(
    "profile",
    [
        {"mode": ListenMode.CONTINUOUS, "wake_words": ()},
        {"mode": ListenMode.AUTO, "wake_words": ()},
        {"room": None},
    ],
)
async def test_only_what_wake_words_of_known_rooms_open_is_compared(profile: dict[str, object]) -> None:
    async with Home(PLANS, {8000: "what time is it"}) as home:
        one, other = await home.speaker("one", **profile), await home.speaker("other", **profile)
        for each in (one, other):
            if profile.get("mode") is ListenMode.AUTO:
                each.talk.start_listening()
        wake = "room" in profile
        await asyncio.gather(one.hear(wake=wake), other.hear(wake=wake))
        await asyncio.sleep(2.0)
    assert one.said() == other.said() == ["Noon."]


async def test_a_client_that_reports_its_own_wake_word_takes_part_and_its_button_does_not() -> None:
    async with Home(PLANS, {8000: "what time is it"}) as home:
        speakers = [await home.speaker(name, mode=ListenMode.AUTO, wake_words=()) for name in ("one", "other", "third")]
        for number, each in enumerate(speakers):
            each.talk.start_listening(woken=number < 2)
        await asyncio.gather(*(each.hear(wake=False) for each in speakers))
        await asyncio.sleep(2.0)
    assert sorted(len(each.said()) for each in speakers[:2]) == [0, 1]
    assert speakers[2].said() == ["Noon."]


async def test_a_follow_up_after_an_answer_is_not_compared() -> None:
    plans = {**PLANS, "which": (C.COMPLETE, Plan("Which one?", expects_reply=True))}
    async with Home(plans, {8000: "which", 6000: "what time is it"}) as home:
        kitchen, hall = await home.speaker("kitchen", 8000), await home.speaker("hall", 6000)
        await kitchen.hear()
        home.ears.texts[8000] = "what time is it"
        await asyncio.gather(kitchen.hear(wake=False), hall.hear())
        await asyncio.sleep(2.0)
    assert (kitchen.said(), hall.said()) == (["Which one?", "Noon."], ["Noon."])


async def test_a_speaker_that_rings_is_stopped_though_another_one_heard_stop_first() -> None:
    async with Home(PLANS, {8000: "stop", 6000: "stop"}) as home:
        kitchen, hall = await home.speaker("kitchen", 8000), await home.speaker("hall", 6000)
        kitchen.talk.ring("r1", "timer", None, "Done.")
        await asyncio.sleep(0.2)
        await asyncio.gather(hall.hear(), kitchen.hear(after_s=0.2))
        await asyncio.sleep(2.0)
    assert "answered" in kitchen.outcomes()
    assert StopRinging() in [action for _, _, action in home.stage.household.done]


def spoken(syllables: list[int], noise: float = 50.0) -> np.ndarray:
    """Syllables of 80 ms each: 1 is loud, 0 silent."""
    random = np.random.default_rng(len(syllables))
    shape = np.repeat(np.array(syllables, float), 1_280)
    return (shape * random.normal(0, 3_000, len(shape)) + random.normal(0, noise, len(shape))).astype(np.int16)


FIVE = [0, 1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 1, 0, 1, 1, 0, 0]
TEN = [0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0]


def test_one_voice_has_one_rhythm_near_and_far_and_two_have_two() -> None:
    near, late = rhythm_of(spoken(FIVE)), rhythm_of(spoken([0, 0, 0, *FIVE], noise=400.0))
    other = rhythm_of(spoken(TEN))
    assert near is not None and late is not None and other is not None
    assert same_rhythm(near, late) > 0.85
    assert same_rhythm(near, other) < 0.65
    assert rhythm_of(spoken([1] * 20)[:4_000]) is None, "too short"
    assert rhythm_of(np.full(32_000, 500, np.int16)) is None, "too even"


def test_the_rhythm_tells_two_persons_from_one_who_was_misheard() -> None:
    five = replace(HERE, text="set a timer for five minutes", rhythm=rhythm_of(spoken(FIVE)))
    ten = replace(THERE, text="set a timer for ten minutes", rhythm=rhythm_of(spoken(TEN)))
    assert verdict(five, ten) is Verdict.OTHER, "two persons, though their words are alike"
    assert verdict(five, replace(ten, rhythm=None)) is Verdict.SILENT
    misheard = replace(THERE, text="set the time for fire minutes", rhythm=rhythm_of(spoken(FIVE, noise=300.0)))
    assert verdict(five, misheard) is Verdict.SILENT, "one person, though the words are not"
    assert verdict(five, replace(ten, text="Set a timer for five minutes.")) is Verdict.SILENT, "both want the same"
    assert verdict(five, replace(misheard, text="turn off the radio")) is Verdict.OTHER
    assert verdict(five, replace(misheard, text="that is a tire", understood=False)) is Verdict.SILENT
