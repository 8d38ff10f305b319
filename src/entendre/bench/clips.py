"""The utterances that benchmarks say: recordings of the data folder, or sentences in the server's own voice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from entendre.bench.ends import Ends, find_ends
from entendre.bench.talk import Clip, clip_of, room_noise
from entendre.clients.realtime import ConnectionFailedError
from entendre.clients.sound import read_sound, resampled
from entendre.core.audio import Samples, samples_of

VOICE_RATE_HZ = 24_000
"""`/v1/audio/speech` answers raw PCM at this rate."""
PADDING_S = 0.25
NOISE_LEVEL = 12.0


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording with its words and the ends of its speech."""

    name: str
    text: str
    samples: Samples
    rate_hz: int
    ends: Ends

    def clip(self, rate_hz: int, chunk_s: float) -> Clip:
        """Ready to be sent at another rate."""
        samples = resampled(self.samples, self.rate_hz, rate_hz)
        return clip_of(self.name, self.text, samples, self.ends.end_s, rate_hz=rate_hz, chunk_s=chunk_s)


def recordings_of(folder: Path, *, language: str, count: int) -> list[Recording]:
    """Up to `count` recorded commands of a language: people's voices first, then synthetic ones evenly over all."""
    people = _rows(folder / "speech", language, lambda row: row["path"].startswith("commands_ml/stp_"))
    synthetic = _rows(folder / "commands", language, lambda row: row.get("kind") == "command")
    spare = max(0, count - len(people))
    step = max(1.0, len(synthetic) / spare) if spare else 1.0
    chosen = people[:count] + [synthetic[int(index * step)] for index in range(min(spare, len(synthetic)))]
    found = [_recording(base, row) for base, row in chosen]
    return [each for each in found if each.ends.sure]


async def spoken(url: str, key: str, text: str, language: str) -> Recording:
    """A sentence in the server's own voice. Raises: ConnectionFailedError."""
    body = {"model": "default", "voice": "default", "input": text, "response_format": "pcm", "language": language}
    async with (
        aiohttp.ClientSession(headers=_headers(key)) as http,
        http.post(f"{url}/v1/audio/speech", json=body) as answer,
    ):
        if answer.status != 200:
            raise ConnectionFailedError(f"The server could not speak: {answer.status}.", detail=await answer.text())
        samples = samples_of(await answer.read())
    return Recording(text, text, samples, VOICE_RATE_HZ, find_ends(samples, VOICE_RATE_HZ))


async def meanings(url: str, key: str, recordings: Sequence[Recording], language: str) -> dict[str, str]:
    """How complete each recording's own words are to the server, by text. Raises: ConnectionFailedError."""
    found = await _asked(url, key, recordings, language)
    return {
        text: document["completeness"] if document["commands"] else "not_understood" for text, document in found.items()
    }


async def answered_aloud(url: str, key: str, recordings: Sequence[Recording], language: str) -> dict[str, bool]:
    """Whether the server has something to say to each recording's own words, by text. Raises: ConnectionFailedError."""
    return {
        text: bool(document["plan"]["reply"])
        for text, document in (await _asked(url, key, recordings, language)).items()
    }


async def reset(url: str, key: str, language: str) -> None:
    """Take back what was started, so that no timer rings into a later measurement. Raises: ConnectionFailedError."""
    async with aiohttp.ClientSession(headers=_headers(key)) as http:
        for text in sentences_with_pauses(language)["reset"]:
            body = {"text": text, "language": language, "act": True}
            async with http.post(f"{url}/v1/ask", json=body) as answer:
                if answer.status != 200:
                    raise ConnectionFailedError(f"The server could not be reset: {answer.status}.")


def with_pause(first: Recording, second: Recording, pause_s: float) -> Recording:
    """Two parts of one sentence with a hesitation between them."""
    rate_hz = first.rate_hz
    parts = [_trimmed(first), room_noise(NOISE_LEVEL, pause_s, rate_hz=rate_hz), _trimmed(second)]
    edge = room_noise(NOISE_LEVEL, PADDING_S, rate_hz=rate_hz)
    samples: Samples = np.concatenate([edge, *parts, edge])
    end_s = (len(samples) - len(edge)) / rate_hz
    text = f"{first.text} … {second.text}"
    return Recording(f"{text} ({pause_s} s)", text, samples, rate_hz, Ends(PADDING_S, end_s, 0.0))


def sentences_with_pauses(language: str) -> dict[str, Any]:
    """The sentences of the pause test, with the lengths of the pauses."""
    file = resources.files("entendre.bench") / "data" / f"pauses.{language}.json"
    if not file.is_file():
        return {"reset": [], "pauses_s": [], "sentences": []}
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


async def _asked(url: str, key: str, recordings: Sequence[Recording], language: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    async with aiohttp.ClientSession(headers=_headers(key)) as http:
        for text in {each.text for each in recordings}:
            async with http.post(f"{url}/v1/ask", json={"text": text, "language": language}) as answer:
                if answer.status != 200:
                    raise ConnectionFailedError(f"The server could not be asked: {answer.status}.")
                found[text] = await answer.json()
    return found


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _trimmed(recording: Recording) -> Samples:
    ends, rate_hz = recording.ends, recording.rate_hz
    return recording.samples[int(ends.start_s * rate_hz) : int(ends.end_s * rate_hz)]


def _rows(folder: Path, language: str, wanted: Any) -> list[tuple[Path, dict[str, Any]]]:
    manifest = folder / "manifest.jsonl"
    if not manifest.is_file():
        return []
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines() if line.strip()]
    fitting = [row for row in rows if row.get("language") == language and row.get("text") and wanted(row)]
    return [(folder, row) for row in sorted(fitting, key=lambda row: str(row["path"]))]


def _recording(folder: Path, row: dict[str, Any]) -> Recording:
    samples = read_sound(folder / row["path"], 16_000)
    return Recording(f"{folder.name}/{row['path']}", row["text"], samples, 16_000, find_ends(samples, 16_000))
