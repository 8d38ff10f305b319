"""`entendre demo`: hear spoken commands with the embedded default and show every turn."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entendre.cli.settings import add_settings_flags, settings_of
from entendre.config import Settings
from entendre.core.errors import InvalidInputError
from entendre.core.tags import first_tag

if TYPE_CHECKING:
    from entendre.cli.hearing import Ears
    from entendre.core.audio import Samples

DEFAULT_OUTPUT = Path("out")


@dataclass(frozen=True, slots=True)
class Utterance:
    """Something to say to the assistant: its sound at 16 kHz or, where nothing could hear it, its text."""

    title: str
    name: str
    samples: Samples | None = None
    text: str = ""

    @property
    def duration_s(self) -> float:
        """How long it sounds; 0 for what is given as text."""
        from entendre.core.audio import HOUSE_RATE_HZ

        return 0.0 if self.samples is None else len(self.samples) / HOUSE_RATE_HZ


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
    from entendre.cli.hearing import hear, in_process, typed
    from entendre.cli.show import turn_lines
    from entendre.clients.sound import write_wav
    from entendre.session.api import DeviceProfile

    script = _script(first_tag(settings.language))
    language, understood, count = str(script["language"]), 0, 0
    started_s = time.monotonic()
    print("Loading the ears, the voice and the home …", file=sys.stderr, flush=True)
    async with in_process(settings) as ears:
        print(f"Ready after {time.monotonic() - started_s:.1f} s. Nothing here asks another machine.\n", flush=True)
        deaf = why_not_aloud(settings, ears, language)
        async for each in _utterances(script, _data_folder(args.data), ears, deaf):
            count += 1
            profile = DeviceProfile(device=f"demo-{count}", language=language, room=script.get("room"))
            async with ears.home() as home:
                if each.samples is None:
                    turn = await typed(home, each.text, profile)
                else:
                    turn = await hear(home, each.samples, profile)
            print("\n".join(turn_lines(each.title, turn, each.duration_s)), flush=True)
            understood += bool(turn.understanding and turn.understanding.commands)
            if turn.reply_pcm16:
                target = args.output / f"{count:02}-{each.name}.wav"
                await asyncio.to_thread(write_wav, target, bytes(turn.reply_pcm16), turn.reply_rate_hz)
                print(f"   reply       {target}\n", flush=True)
    print(
        f"{understood} of {count} understood. Next: entendre serve, and open http://127.0.0.1:{settings.server.port}/"
    )
    return 0 if understood else 1


def why_not_aloud(settings: Settings, ears: Ears, language: str) -> str:
    """Why commands of a language are not said aloud here, and what would help; empty where they are."""
    from entendre.speech.catalogue import catalogue, find_model
    from entendre.speech.load import chosen_name

    if ears.voice_for(language) is None:
        return f"No voice here speaks {language}: `entendre markets check` names those that do."
    if "://" in settings.speech.recognizer:
        return ""
    name = chosen_name(settings.speech.recognizer, "recognizer", language, settings.models_dir)
    if not find_model(name).is_weak_in(language):
        return ""
    known = [model for model in catalogue() if model.kind == "recognizer" and model.speaks(language)]
    better = [f"`entendre models get {model.name}`" for model in known if not model.is_weak_in(language)]
    return f"{name} hears {language} badly. Better ears, untried here: {', '.join(better)}."


async def _utterances(script: dict[str, Any], folder: Path | None, ears: Ears, deaf: str) -> AsyncIterator[Utterance]:
    from entendre.cli.hearing import synthesised
    from entendre.clients.sound import read_sound
    from entendre.core.audio import HOUSE_RATE_HZ

    recorded = [folder / path for path in script["recordings"] if (folder / path).is_file()] if folder else []
    for file in recorded:
        samples = await asyncio.to_thread(read_sound, file, HOUSE_RATE_HZ)
        yield Utterance(f"recording {file.name}", file.stem, samples)
    if deaf:
        print(f"{deaf}\nSo the commands are given as text here; all that follows is as it is when they are heard.\n")
    elif not recorded:
        print(
            "No recordings here (ENTENDRE_SPEECH_DATA names their folder), so it hears its own voice only: hibari "
            "and kokoro are easier to hear than people, espeak-ng is harder.\n",
            flush=True,
        )
    for text in script["sentences"]:
        name = re.sub(r"[^\w\u0300-\u036f\u0900-\u0eff]+", "-", text)[:40]
        if deaf:
            yield Utterance(f"text “{text}”", name, text=text)
        else:
            yield Utterance(f"synthesised “{text}”", name, await synthesised(ears, text, script["language"]))


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
