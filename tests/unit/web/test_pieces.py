from __future__ import annotations

import asyncio
import io

import numpy as np
import soundfile
from aiohttp import FormData
from engines import Site, make_site

from entendre.core.audio import Samples
from entendre.ports import Transcript
from entendre.web.pieces import pieces_of
from entendre.web.services import WebLimits

RATE_HZ = 16_000


def noise_with_pauses(seconds: int, pauses_s: tuple[float, ...]) -> Samples:
    audio = np.random.default_rng(1).integers(-3000, 3000, seconds * RATE_HZ, dtype=np.int16)
    for at_s in pauses_s:
        audio[round(at_s * RATE_HZ) : round((at_s + 0.6) * RATE_HZ)] = 0
    return audio


def test_long_audio_is_cut_in_its_pauses_and_nothing_is_lost() -> None:
    audio = noise_with_pauses(70, (10.0, 24.0, 46.0))
    pieces = list(pieces_of(audio))
    assert np.array_equal(np.concatenate(pieces), audio)
    ends_s = np.cumsum([len(piece) for piece in pieces]) / RATE_HZ
    assert 24.0 <= ends_s[0] <= 24.6
    assert 46.0 <= ends_s[1] <= 46.6
    assert all(len(piece) <= 28 * RATE_HZ for piece in pieces)


def test_short_audio_is_one_piece() -> None:
    for seconds in (0, 1, 28):
        audio = noise_with_pauses(seconds, ())
        assert [len(piece) for piece in pieces_of(audio)] == [len(audio)]


class Busy:
    """Counts the pieces that are recognised at once."""

    name, languages = "busy", frozenset({"en"})

    def __init__(self) -> None:
        self.now = self.most = 0
        self.lengths_s: list[float] = []

    async def recognize(
        self, audio: Samples, *, language: str, hints: tuple[str, ...] = (), thorough: bool = False
    ) -> Transcript:
        self.now += 1
        self.most = max(self.most, self.now)
        self.lengths_s.append(len(audio) / RATE_HZ)
        await asyncio.sleep(0.01)
        self.now -= 1
        return Transcript(f"piece {len(self.lengths_s)}", language)


async def test_recordings_of_minutes_leave_room_for_others() -> None:
    busy = Busy()
    site: Site = await make_site(recognizer=lambda language: busy, limits=WebLimits())
    file = io.BytesIO()
    soundfile.write(file, noise_with_pauses(60, ()), RATE_HZ, format="WAV")

    async def upload() -> str:
        form = FormData()
        form.add_field("file", file.getvalue(), filename="x.wav")
        async with site.client.post(f"{site.address}/v1/audio/transcriptions", data=form) as answer:
            text: str = (await answer.json())["text"]
            return text

    texts = await asyncio.gather(*(upload() for _ in range(3)))
    await site.close()
    assert busy.most == 1
    assert max(busy.lengths_s) <= 28
    in_turn = [" ".join(f"piece {first + number}" for number in range(3)) for first in (1, 4, 7)]
    assert sorted(texts) == in_turn
