"""`entendre demo`: hear spoken commands with the embedded default and show every turn."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import textwrap
import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entendre.cli.settings import add_settings_flags, settings_of
from entendre.config import Settings
from entendre.core.errors import InvalidInputError
from entendre.core.tags import first_tag

if TYPE_CHECKING:
    from entendre.cli.hearing import Ears, HeardTurn
    from entendre.core.audio import Samples
    from entendre.core.plan import Plan
    from entendre.session.api import DeviceProfile
    from entendre.speech.catalogue import Model

DEFAULT_OUTPUT = Path("out")
WIDTH = 100
NAME_CHARS = 40
DEAF_AFTER = 3
"""Commands in the assistant's own voice that are misheard from the first on: then it is not tried with more."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """A command: its words, who says them, and their sound at 16 kHz; without sound it is given as text.

    `in_own_voice`: the assistant's own voice says it.
    """

    text: str
    by: str = ""
    samples: Samples | None = None
    in_own_voice: bool = False

    @property
    def title(self) -> str:
        """How a turn is headed."""
        return f"{self.by or 'text'} “{self.text}”"

    @property
    def name(self) -> str:
        """A file's name without its ending."""
        words = re.sub(r"[^\w\u0300-\u036f\u0900-\u0eff]+", "-", self.text).strip("-")
        return words if len(words) <= NAME_CHARS else words[: NAME_CHARS + 1].rpartition("-")[0] or words[:NAME_CHARS]


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("demo", help="hear a few spoken commands and show every turn")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="recordings (default: ENTENDRE_SPEECH_DATA)")
    parser.add_argument("-o", "--output", type=Path, default=DEFAULT_OUTPUT, metavar="FOLDER", help="spoken replies")
    add_settings_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Run the demo; the status is 1 if nothing was understood."""
    return asyncio.run(_demo(args, settings_of(args)))


async def _demo(args: argparse.Namespace, settings: Settings) -> int:
    from entendre.cli.hearing import in_process

    script = _script(first_tag(settings.language))
    language = str(script["language"])
    started_s = time.monotonic()
    print("Loading the ears, the voice and the home …", file=sys.stderr, flush=True)
    async with in_process(settings) as ears:
        print(f"Ready after {time.monotonic() - started_s:.1f} s. Nothing here asks another machine.\n", flush=True)
        stage = Stage(ears, language, script.get("room"), args.output)
        deaf = why_not_aloud(settings, ears, language)
        if deaf:
            _tell(f"{deaf} So the commands are given as text here; all that follows is as it is when they are heard.")
            recordings: list[dict[str, str]] = []
        else:
            recordings = await _play_recordings(stage, script, _data_folder(args.data))
        said = {each["text"] for each in recordings}
        for text in (each for each in script["sentences"] if each not in said):
            await stage.play(Utterance(text) if deaf else await _in_own_voice(stage, text))
    serve = "entendre serve" + ("" if language == "en" else f" --language {language}")
    print(f"{stage.outcome} Next: {serve}, and open http://127.0.0.1:{settings.server.port}/")
    return 0 if stage.understood else 1


async def _play_recordings(stage: Stage, script: dict[str, Any], folder: Path | None) -> list[dict[str, str]]:
    """Play those that are in the folder; says so where there are none."""
    from entendre.clients.sound import read_sound
    from entendre.core.audio import HOUSE_RATE_HZ

    there = [each for each in script["recordings"] if folder is not None and (folder / each["file"]).is_file()]
    for each in there:
        assert folder is not None
        samples = await asyncio.to_thread(read_sound, folder / each["file"], HOUSE_RATE_HZ)
        await stage.play(Utterance(each["text"], f"recording ({each['by']})", samples))
    if not there:
        place = "" if folder else " (ENTENDRE_SPEECH_DATA names their folder)"
        _tell(
            f"No recordings of this language here{place}, so it hears its own voice only, {stage.voice}: hibari and "
            "kokoro are easier to hear than people, espeak-ng is harder."
        )
    return there


async def _in_own_voice(stage: Stage, text: str) -> Utterance:
    """A sentence in the assistant's own voice; as text once that proved to be one that is not heard here."""
    from entendre.cli.hearing import synthesised

    if stage.is_deaf:
        return Utterance(text)
    samples = await synthesised(stage.ears, text, stage.language)
    return Utterance(text, f"synthesised ({stage.voice})", samples, in_own_voice=True)


@dataclass(slots=True)
class Stage:
    """Where commands are played, each to a home of its own. What is misheard goes on as text, from the start."""

    ears: Ears
    language: str
    room: str | None
    output: Path
    count: int = 0
    understood: int = 0
    as_text: int = 0
    own_heard: int = 0
    own_misheard: int = 0

    @property
    def voice(self) -> str:
        """What the assistant's own voice is called."""
        voice = self.ears.voice_for(self.language)
        return voice.name if voice else ""

    @property
    def outcome(self) -> str:
        """How many were understood, and how many of them without being heard."""
        given = f", {self.as_text} of them given as text" if self.as_text else ""
        return f"{self.understood} of {self.count} understood{given}."

    @property
    def is_deaf(self) -> bool:
        """Whether the own voice proved to be one that is not heard here."""
        return self.own_misheard >= DEAF_AFTER and not self.own_heard

    async def play(self, each: Utterance) -> None:
        """Say or give one command, and show what becomes of it."""
        from entendre.cli.hearing import typed
        from entendre.cli.show import turn_lines

        self.count += 1
        profile = self._profile()
        if each.samples is not None and await self._is_heard(each, profile):
            return
        self.as_text += 1
        async with self.ears.home() as home:
            turn = await typed(home, each.text, profile)
        lines = turn_lines(each.title, turn, 0.0)
        await self._shown(each, turn, lines if each.samples is None else lines[1:])

    async def _is_heard(self, each: Utterance, profile: DeviceProfile) -> bool:
        """Whether the sound comes to what its words mean; it is shown then, and otherwise that it was misheard."""
        from entendre.cli.hearing import hear
        from entendre.cli.show import misheard_lines, turn_lines
        from entendre.core.audio import HOUSE_RATE_HZ
        from entendre.core.plan import DeviceView
        from entendre.session.text import answer_text

        assert each.samples is not None
        device = DeviceView(profile.device, self.room)
        async with self.ears.home() as home:
            meant = await answer_text(home.assistant, each.text, device=device, language=self.language, act=False)
            turn = await hear(home, each.samples, profile)
        heard = turn.plan is not None and _does(turn.plan) == _does(meant.plan)
        self.own_heard += each.in_own_voice and heard
        self.own_misheard += each.in_own_voice and not heard
        if heard:
            await self._shown(each, turn, turn_lines(each.title, turn, each.samples.size / HOUSE_RATE_HZ))
        else:
            print("\n".join(misheard_lines(each.title, turn)), flush=True)
        return heard

    async def _shown(self, each: Utterance, turn: HeardTurn, lines: list[str]) -> None:
        from entendre.clients.sound import write_wav

        print("\n".join(lines), flush=True)
        self.understood += bool(turn.understanding and turn.understanding.commands)
        if turn.reply_pcm16:
            target = self.output / f"{self.count:02}-{each.name}.wav"
            await asyncio.to_thread(write_wav, target, bytes(turn.reply_pcm16), turn.reply_rate_hz)
            print(f"   reply       {target}", flush=True)
        print(flush=True)

    def _profile(self) -> DeviceProfile:
        from entendre.session.api import DeviceProfile

        return DeviceProfile(device=f"demo-{self.count}", language=self.language, room=self.room)


def _does(plan: Plan) -> Any:
    """What a plan comes to: its actions, or what it answers."""
    return plan.actions or (plan.refusal, plan.reply)


def _tell(text: str) -> None:
    print(textwrap.fill(text, WIDTH, break_on_hyphens=False) + "\n", flush=True)


def why_not_aloud(settings: Settings, ears: Ears, language: str) -> str:
    """Why commands of a language are not said aloud here, and what would help; empty where they are."""
    from entendre.speech.catalogue import catalogue, find_model
    from entendre.speech.load import chosen_name

    if ears.voice_for(language) is None:
        voices = [_way(model) for model in catalogue() if model.kind == "voice" and model.speaks(language)]
        return f"No voice here speaks {language}, so replies are text too. For a voice: {'; '.join(voices)}."
    if "://" in settings.speech.recognizer:
        return ""
    name = chosen_name(settings.speech.recognizer, "recognizer", language, settings.models_dir)
    if not find_model(name).is_weak_in(language):
        return ""
    known = [model for model in catalogue() if model.kind == "recognizer" and model.speaks(language)]
    better = ", ".join(model.name for model in known if not model.is_weak_in(language))
    return f"{name} hears {language} badly. Better ears, untried here: {better} (`entendre models get NAME`)."


def _way(model: Model) -> str:
    """How to get a model."""
    program = next((source for source in model.sources if source.kind == "program"), None)
    return program.text if program else f"`entendre models get {model.name}`"


def _script(language: str) -> dict[str, Any]:
    folder = resources.files("entendre.cli") / "data"
    for tag in (language, language.split("-")[0]):
        file = folder / f"demo.{tag}.json"
        if file.is_file():
            document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            return document
    raise InvalidInputError(f"There is no demo in {language!r} yet; try --language en.")


def _data_folder(given: Path | None) -> Path | None:
    folder = given or Path(os.environ.get("ENTENDRE_SPEECH_DATA") or "../shared/data")
    return folder if folder.is_dir() else None
