"""Commands said aloud by a voice that no reply has: heard, understood and planned, are they what was said?"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from entendre.bench.hearing import recordings
from entendre.core.actions import action_to_json
from entendre.core.audio import HOUSE_RATE_HZ, Samples, samples_of
from entendre.core.errors import InvalidInputError
from entendre.core.plan import DeviceView, Plan, World
from entendre.core.tags import base_tag
from entendre.core.understanding import Understanding
from entendre.ports import RecognizerEngine, Transcript
from entendre.session.hearing import MAX_READINGS
from entendre.skills.planner import Planner
from entendre.skills.plugins import load_skills
from entendre.speech.audio import resample
from entendre.speech.chinese import simplified
from entendre.speech.espeak import EspeakVoice
from entendre.speech.kokoro import KokoroVoice
from entendre.speech.load import load_recognizer, load_voice
from entendre.speech.written import for_voice
from entendre.system import machine_zone

MARGIN_S = 0.25
CHARACTERS = frozenset({"zh", "th"})
"""Languages whose errors are counted by character: they put no spaces between words."""
ELSEWHERE = "as typed"


@dataclass(frozen=True, slots=True)
class SpokenOptions:
    """What to measure. `cases`: a folder of cases and of what scores them; `data`: recorded commands, None for none."""

    language: str
    models_dir: Path
    cases: Path
    data: Path | None = None
    recognizer: str = "whisper-base"
    count: int = 20


@dataclass(slots=True)
class Tally:
    """How commands came out."""

    outcomes: list[str] = field(default_factory=list)
    errors: int = 0
    length: int = 0
    times_ms: list[float] = field(default_factory=list)
    missed: list[list[str]] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """The shares, and what was not right as `[outcome, said, heard]`."""
        total = len(self.outcomes)
        return {
            "commands": total,
            **{name: self.outcomes.count(name) for name in ("right", "wrong", "none")},
            "right_percent": round(100 * self.outcomes.count("right") / total) if total else None,
            "errors_percent": round(100 * self.errors / self.length) if self.length else None,
            "median_ms": round(statistics.median(self.times_ms)) if self.times_ms else None,
            "not_right": self.missed,
        }


def measure_spoken(options: SpokenOptions, show: Callable[[str], None]) -> dict[str, Any]:
    """Every figure of one language. Raises: InvalidInputError, ModelError."""
    scoring = _scoring(options.cases)
    engine = load_recognizer(options.recognizer, options.models_dir, 1)
    ears = Ears(engine, options.language)
    report: dict[str, Any] = {"language": options.language, "recognizer": engine.name}
    written = options.cases / f"{base_tag(options.language)}.txt"
    if written.is_file():
        speaker = speaker_of(options.language, options.models_dir)
        report["speaker"] = speaker.text
        show(f"{options.language}: {options.count} commands by {speaker.text}")
        report["synthetic"] = _cases(options, scoring, ears, speaker).figures()
    if options.data is not None:
        report["recorded"] = _recorded(options, scoring, ears).figures()
    return report


class Ears:
    """Hears as a conversation does: quickly, and with all effort what makes no sense."""

    def __init__(self, engine: RecognizerEngine, language: str) -> None:
        self._engine = engine
        self._language = language

    def hear(self, planner: Planner, world: World, audio: Samples) -> tuple[Transcript, Understanding]:
        """What was heard and what it means."""
        heard, understanding = self._once(planner, world, audio, thorough=False)
        if understanding.understood or not heard.text:
            return heard, understanding
        again = self._once(planner, world, audio, thorough=True)
        if again[1].understood:
            return again
        respelling = planner.respelling(self._language)
        for transcript, _ in (again, (heard, understanding)) if respelling is not None else ():
            for text in (transcript.text, *transcript.alternatives)[:MAX_READINGS]:
                if respelling is not None and (meant := respelling(text, world)) is not None:
                    return transcript, meant
        return heard, understanding

    def _once(
        self, planner: Planner, world: World, audio: Samples, *, thorough: bool
    ) -> tuple[Transcript, Understanding]:
        heard = self._engine.recognize(audio, language=self._language, thorough=thorough, cancelled=lambda: False)
        return heard, planner.understand(heard.text, self._language, world, heard.alternatives)


@dataclass(slots=True)
class Speaker:
    """Who says the commands. `text`: how a report names it."""

    text: str
    say: Callable[[str], Samples]


def speaker_of(language: str, models_dir: Path) -> Speaker:
    """The test's own voice for a language: Kokoro where a language sounds right with it, else espeak-ng.

    Raises: InvalidInputError, ModelError.
    """
    file = resources.files("entendre.bench") / "data" / "speakers.json"
    way = json.loads(file.read_text(encoding="utf-8")).get(base_tag(language))
    if way is None:
        raise InvalidInputError(f"No voice is chosen for commands in {language}.")
    if "espeak" in way:
        return Speaker(f"espeak-ng {way['espeak']}", lambda text: _espeak(for_voice(text, language), way["espeak"]))
    voice = load_voice("kokoro", models_dir)
    assert isinstance(voice, KokoroVoice)

    def say(text: str) -> Samples:
        pcm = voice.say(for_voice(text, language), way["sounds"], way["voice"])
        return resample(samples_of(pcm), voice.rate_hz, HOUSE_RATE_HZ)

    foreign = f" with the sounds of {way['sounds']}" if way.get("foreign") else ""
    return Speaker(f"kokoro {way['voice']}{foreign}", say)


def _espeak(text: str, variant: str) -> Samples:
    program = shutil.which("espeak-ng") or "espeak-ng"
    command = [program, "-v", variant, "-s", "150", "--stdin", "--stdout"]
    wave = subprocess.run(command, input=text.encode(), capture_output=True, check=True, timeout=20).stdout[44:]
    return resample(samples_of(wave), EspeakVoice.rate_hz, HOUSE_RATE_HZ)


def _cases(options: SpokenOptions, scoring: ModuleType, ears: Ears, speaker: Speaker) -> Tally:
    """The cases that want something done, evenly over their file."""
    cases = [each for each in scoring.cases(f"{base_tag(options.language)}.txt") if _wants_action(each.wanted)]
    chosen = [cases[index * len(cases) // options.count] for index in range(min(options.count, len(cases)))]
    homes, tally = scoring.homes(), Tally()
    planners = {name: _planner(home, options.language) for name, home in homes.items() if _is_used(name, chosen)}
    for case in chosen:
        world = scoring.world_of(case, homes[case.home])
        planner = planners[case.home]
        _note(tally, options, ears, planner, world, case.text, speaker.say(case.text), _scored(scoring, case))
    return tally


def _recorded(options: SpokenOptions, scoring: ModuleType, ears: Ears) -> Tally:
    """Recorded commands: right is what the same words do when they are typed; what they don't do is left out."""
    assert options.data is not None
    homes, base, tally = scoring.homes(), base_tag(options.language), Tally()
    home = homes.get(base) or homes["loft"]
    planner = _planner(home, options.language)
    world = World(now=scoring.datetime(*scoring.DAY, tzinfo=scoring.ZoneInfo(machine_zone())), home=home,
                  device=DeviceView(id="speaker", room=home.rooms[0].id, volume=40))  # fmt: skip
    clips = list(_clips(options.data, base))
    for clip in (clips[index * len(clips) // options.count] for index in range(min(options.count, len(clips)))):
        typed = planner.understand(clip.text, options.language, world)
        if not typed.understood:
            continue
        wanted = _done(asyncio.run(planner.plan(typed, world)))

        def score(understanding: Understanding, plan: Plan, wanted: str = wanted) -> str:
            if _done(plan) == wanted:
                return "right"
            return "wrong" if plan.actions else "none"

        _note(tally, options, ears, planner, world, clip.text, clip.samples(), score)
    return tally


def _clips(data: Path, base: str) -> Iterator[Any]:
    for under in ("commands", "speech/commands_ml"):
        for clip in recordings(data, under):
            if clip.language == base and clip.text and clip.kind in ("command", ""):
                yield clip


def _note(
    tally: Tally,
    options: SpokenOptions,
    ears: Ears,
    planner: Planner,
    world: World,
    said: str,
    audio: Samples,
    score: Callable[[Understanding, Plan], str],
) -> None:
    edge = np.zeros(int(MARGIN_S * HOUSE_RATE_HZ), np.int16)
    began_s = time.perf_counter()
    heard, understanding = ears.hear(planner, world, np.concatenate((edge, audio, edge)))
    tally.times_ms.append(1000 * (time.perf_counter() - began_s))
    outcome = score(understanding, asyncio.run(planner.plan(understanding, world)))
    tally.outcomes.append(outcome)
    wrong, length = errors_of(said, heard.text, options.language)
    tally.errors, tally.length = tally.errors + wrong, tally.length + length
    if outcome != "right":
        tally.missed.append([outcome, said, heard.text])


def errors_of(said: str, heard: str, language: str) -> tuple[int, int]:
    """Least words (in Chinese and Thai characters) to change, and how many were said."""
    reference, found = (_units(text, base_tag(language)) for text in (said, heard))
    row = list(range(len(found) + 1))
    for place, unit in enumerate(reference, 1):
        diagonal, row[0] = row[0], place
        for column, other in enumerate(found, 1):
            diagonal, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, diagonal + (unit != other))
    return row[-1], len(reference)


def _units(text: str, base: str) -> list[str]:
    plain = "".join(letter if letter.isalnum() or ord(letter) > 0x900 else " " for letter in text.casefold())
    if base == "zh":
        plain = simplified(plain)
    return [letter for letter in plain if not letter.isspace()] if base in CHARACTERS else plain.split()


def _wants_action(wanted: str) -> bool:
    return bool(wanted) and wanted not in ("-", "?") and not wanted.startswith("~")


def _is_used(home: str, chosen: Sequence[Any]) -> bool:
    return any(case.home == home for case in chosen)


def _scored(scoring: ModuleType, case: Any) -> Callable[[Understanding, Plan], str]:
    return lambda understanding, plan: str(scoring.score(case, understanding, plan))


def _done(plan: Plan) -> str:
    return json.dumps([action_to_json(action) for action in plan.actions] or plan.reply, sort_keys=True)


def _planner(home: Any, language: str) -> Planner:
    return Planner(load_skills([], {}), home, language)


def _scoring(folder: Path) -> ModuleType:
    """The module that reads and scores cases. Raises: InvalidInputError."""
    spec = importlib.util.spec_from_file_location("spoken_scoring", folder / "scoring.py")
    if spec is None or spec.loader is None or not (folder / "scoring.py").is_file():
        raise InvalidInputError(f"There are no spoken cases in {folder}: give --cases FOLDER.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
