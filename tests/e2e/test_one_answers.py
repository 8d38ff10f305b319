"""Two speakers hear the same recorded voice, one near and one far and in noise: one of them answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from entendre.app import App
from entendre.bench.clips import recordings_of
from entendre.clients.sound import resampled
from entendre.config import Settings
from entendre.config.sections import ServerSettings, SpeechSettings
from entendre.core.actions import Action
from entendre.core.audio import Samples
from entendre.session.api import Conversation, DeviceProfile, ListenMode, SessionEvent, TurnEnded

pytestmark = [pytest.mark.e2e, pytest.mark.speech]

COMMANDS = 6
PEOPLES = 24
"""Short calls by people come first in the data; in noise they are misheard, and then either speaker may be right."""
PIECE_SAMPLES = 320
LATER_S = 0.08
"""The network of one speaker is slower."""


@dataclass
class Speaker:
    """A speaker that notes how its turns end."""

    talk: Conversation = field(init=False)
    ended: list[TurnEnded] = field(default_factory=list)

    async def deliver(self, event: SessionEvent) -> None:
        if isinstance(event, TurnEnded):
            self.ended.append(event)

    async def perform(self, action: Action) -> bool:
        return True

    async def hear(self, samples: Samples, *, after_s: float = 0.0) -> None:
        """Its own wake word, then a voice and silence in real time."""
        await asyncio.sleep(after_s)
        self.talk.start_listening(ListenMode.AUTO, woken=True)
        heard = np.concatenate([samples, (np.random.default_rng(2).normal(size=24_000) * 4).astype(np.int16)])
        for start in range(0, len(heard), PIECE_SAMPLES):
            self.talk.hear(heard[start : start + PIECE_SAMPLES].astype("<i2").tobytes())
            await asyncio.sleep(PIECE_SAMPLES / 16_000)


def placed(samples: Samples, *, noise_db: float, tail_s: float) -> Samples:
    """A voice as a microphone hears it: so far above the noise, with so long a reverberation."""
    random = np.random.default_rng(1)
    length = int(tail_s * 16_000)
    echo = random.normal(size=length) * np.exp(-6.9 * np.arange(length) / length)
    echo /= np.sqrt(np.sum(echo**2))
    echo[0] += 0.6
    wave = np.convolve(samples.astype(np.float64), echo)
    noise = random.normal(size=len(wave)) * np.sqrt(np.mean(wave**2)) / 10 ** (noise_db / 20)
    mixed = wave + noise
    return (mixed / np.abs(mixed).max() * 12_000).astype(np.int16)


async def test_one_of_two_speakers_answers_each_command(speech_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2", reason="needs the speech extra")
    app = App(
        Settings(server=ServerSettings(data_dir=tmp_path), speech=SpeechSettings(voice="none", threads=2)), listen=False
    )
    await app.start()
    speakers: dict[str, Speaker] = {"kitchen": Speaker(), "bedroom": Speaker()}
    tasks = []
    for room, speaker in speakers.items():
        speaker.talk = app.open(DeviceProfile(device=room, room=room, mode=ListenMode.AUTO), speaker)
        tasks.append(asyncio.create_task(speaker.talk.run()))
    outcomes: list[list[str]] = []
    for recording in recordings_of(speech_data, language="en", count=PEOPLES + COMMANDS)[-COMMANDS:]:
        voice = np.asarray(resampled(recording.samples, recording.rate_hz, 16_000))
        near, far = (placed(voice, noise_db=db, tail_s=tail) for db, tail in ((28.0, 0.1), (12.0, 0.35)))
        before = {room: len(speaker.ended) for room, speaker in speakers.items()}
        await asyncio.gather(speakers["kitchen"].hear(near), speakers["bedroom"].hear(far, after_s=LATER_S))
        await asyncio.sleep(1.0)
        last: dict[str, Any] = {room: speaker.ended[before[room] :] for room, speaker in speakers.items()}
        outcomes.append(sorted(str(ended.outcome) for each in last.values() for ended in each))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await app.close()
    answered = [turns.count("answered") for turns in outcomes]
    assert max(answered) == 1, outcomes
    assert outcomes.count(["answered", "elsewhere"]) >= COMMANDS - 1, outcomes
