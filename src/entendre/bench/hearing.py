"""Word errors and time of recognizers: `python -m entendre.bench.hearing FOLDER [--models NAME …] [--json]`."""

from __future__ import annotations

import argparse
import json
import math
import re
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from unicode_rbnf import RbnfEngine

from entendre.bench.machine import describe_machine
from entendre.core.audio import Samples
from entendre.core.errors import ModelError
from entendre.ports import RecognizerEngine
from entendre.speech.audio import read_audio
from entendre.speech.catalogue import catalogue
from entendre.speech.load import load_recognizer

NOISE_PIECE_S = 2
LONGEST_NOISE_S = 20
SETS = {
    "real commands": ("speech/commands_ml", 1),
    "read sentences": ("speech/asr_read", 1),
    "lone digits": ("speech/digits", 3),
    "synthetic commands": ("commands/en", 2),
}
_SIGNS = {"%": "percent", "×": "times", "=": "equals"}
_LETTERS_APART = re.compile(r"\b([a-z])\.\s?([a-z])\.")


@dataclass(frozen=True, slots=True)
class Recording:
    """One file, with what was said in it and what its manifest says."""

    path: Path
    text: str
    language: str
    kind: str
    slots: tuple[str, ...] = ()

    def samples(self) -> Samples:
        """The sound in the house format."""
        return read_audio(self.path)


@cache
def recordings(folder: Path, under: str) -> tuple[Recording, ...]:
    """Every recording of `speech/` and `commands/` in a data folder whose path starts with `under`."""
    found = []
    for manifest in ("speech", "commands"):
        for line in (folder / manifest / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            place = f"{manifest}/{row['path']}"
            if place.startswith(under):
                said, language, kind = (row.get(key) or "" for key in ("text", "language", "kind"))
                slots = tuple(str(value) for value in (row.get("slots") or {}).values())
                found.append(Recording(folder / place, said, language, kind, slots))
    return tuple(found)


def words(text: str) -> list[str]:
    """English words, numbers spelled out, no case and no punctuation."""
    text = _LETTERS_APART.sub(r"\1\2", text.lower()).replace("never mind", "nevermind")
    for sign, spoken in _SIGNS.items():
        text = text.replace(sign, f" {spoken} ")
    text = re.sub(r"(\d),(\d{3})", r"\1\2", text)
    text = re.sub(r"\d+", lambda match: f" {_numbers().format_number(int(match[0])).text} ", text).replace("-", " ")
    return re.sub(r"[^\w' ]", " ", text).split()


def word_errors(said: str, heard: str) -> int:
    """Least words to change, add or drop."""
    reference, found = words(said), words(heard)
    row = list(range(len(found) + 1))
    for place, word in enumerate(reference, 1):
        diagonal, row[0] = row[0], place
        for column, other in enumerate(found, 1):
            diagonal, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, diagonal + (word != other))
    return row[-1]


@cache
def _numbers() -> RbnfEngine:
    return RbnfEngine.for_language("en")


def measure(engine: RecognizerEngine, folder: Path, *, thorough: bool = False) -> dict[str, Any]:
    """Word errors, sentences with errors and median time of one engine over every set."""
    figures: dict[str, Any] = {}
    for name, (under, step) in SETS.items():
        wanted = [one for one in recordings(folder, under) if one.language == "en" and one.text and one.kind != "wake"]
        figures[name] = _over(engine, wanted[::step], thorough)
    orders = recordings(folder, "speech/barista")[::4]
    figures["spoken orders"] = _slots(engine, orders, thorough)
    figures["noise taken for words"] = _noise(engine, folder)
    return figures


def _over(engine: RecognizerEngine, wanted: Sequence[Recording], thorough: bool) -> dict[str, float]:
    errors, total, times_ms = [], 0, []
    for one in wanted:
        text, spent_ms = _hear(engine, one.samples(), thorough)
        errors.append(word_errors(one.text, text))
        total += len(words(one.text))
        times_ms.append(spent_ms)
    return {
        "recordings": len(wanted),
        "word_errors_percent": round(100 * sum(errors) / total, 1),
        "sentences_with_errors_percent": round(100 * sum(map(bool, errors)) / len(errors), 1),
        "median_ms": round(statistics.median(times_ms)),
    }


def _slots(engine: RecognizerEngine, wanted: Sequence[Recording], thorough: bool) -> dict[str, float]:
    """Recordings of which only the slots are known: how many of their values were not heard."""
    missed = total = wrong = 0
    for one in wanted:
        text, _ = _hear(engine, one.samples(), thorough)
        heard = " ".join(words(text))
        lost = sum(" ".join(words(value)) not in heard for value in one.slots)
        missed, total, wrong = missed + lost, total + len(one.slots), wrong + bool(lost)
    return {
        "recordings": len(wanted),
        "slots_missed_percent": round(100 * missed / total, 1),
        "sentences_with_errors_percent": round(100 * wrong / len(wanted), 1),
    }


def _noise(engine: RecognizerEngine, folder: Path) -> dict[str, float]:
    invented = total = 0
    for one in recordings(folder, "speech/noise"):
        sound = one.samples()[: LONGEST_NOISE_S * 16_000]
        for place in range(0, len(sound) - 16_000, NOISE_PIECE_S * 16_000):
            text, _ = _hear(engine, sound[place : place + NOISE_PIECE_S * 16_000], False)
            invented, total = invented + bool(text), total + 1
    return {"recordings": total, "invented_percent": round(100 * invented / total, 1)}


def _hear(engine: RecognizerEngine, audio: Samples, thorough: bool) -> tuple[str, float]:
    began_s = time.perf_counter()
    heard = engine.recognize(audio, language="en", thorough=thorough, cancelled=lambda: False)
    return heard.text, 1000 * (time.perf_counter() - began_s)


def main() -> int:
    """Measure what is installed and print it."""
    parser = argparse.ArgumentParser(description="Word errors and time of recognizers.")
    parser.add_argument("folder", type=Path, help="data folder with commands/ and speech/")
    parser.add_argument("--models", nargs="*", help="names of the catalogue; all installed without")
    parser.add_argument("--models-dir", type=Path, default=Path("~/.local/share/entendre/models"))
    parser.add_argument("--thorough", action="store_true", help="the slower, better pass")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    names = args.models or [model.name for model in catalogue() if model.kind == "recognizer"]
    found: dict[str, Any] = {}
    for name in names:
        try:
            engine = load_recognizer(name, args.models_dir.expanduser(), 1)
        except ModelError as error:
            print(f"{name}: {error.public_message}", file=sys.stderr)
            continue
        found[name] = measure(engine, args.folder, thorough=args.thorough)
        if not args.json:
            _show(name, found[name])
    print(json.dumps({"machine": describe_machine(), "models": found}) if args.json else describe_machine())
    return 0 if found else 1


def _show(name: str, figures: dict[str, dict[str, float]]) -> None:
    print(name)
    for group, values in figures.items():
        shown = ", ".join(f"{key} {value:g}" for key, value in values.items() if not math.isnan(value))
        print(f"  {group}: {shown}")


if __name__ == "__main__":
    sys.exit(main())
