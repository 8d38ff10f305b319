"""Sound files that are written while their audio is still being made."""

from __future__ import annotations

from typing import Any

import numpy as np

from entendre.core.errors import MissingExtraError
from entendre.core.resample import PcmResampler
from entendre.web.decoding import wav_header

STREAMED = {
    "mp3": ("MP3", "MPEG_LAYER_III", "audio/mpeg"),
    "ogg": ("OGG", "OPUS", "audio/ogg"),
    "flac": ("FLAC", "PCM_16", "audio/flac"),
    "wav": ("WAV", "PCM_16", "audio/wav"),
}
"""Names by which files are asked for: libsndfile's container and codec, and the media type.

Time from the first sample to the first byte: MP3 and WAV 0.06 s, FLAC 0.17 s, Ogg 1 s of audio (a whole page).
"""
RATES_HZ = {
    "mp3": frozenset({8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000}),
    "ogg": frozenset({8_000, 12_000, 16_000, 24_000, 48_000}),
}
"""Rates that a codec knows; others are changed to `USUAL_HZ`."""
USUAL_HZ = 24_000
MP3_LEVEL = 0.5
"""80 kbit/s at 24 kHz, constant, so that players guess the length of a stream right."""


class GrowingFile:
    """A file as libsndfile writes it, of which what is finished is taken away as it grows.

    At its end libsndfile goes back to note the length in the header. That was sent already and stays unknown, which
    every format here allows.
    """

    def __init__(self) -> None:
        self._fresh = bytearray()
        self._taken = 0
        self._at = 0

    def take(self) -> bytes:
        """What was written since the last time."""
        fresh = bytes(self._fresh)
        self._taken += len(fresh)
        self._fresh.clear()
        return fresh

    def write(self, data: Any) -> int:
        """Append; what would change bytes that were taken is dropped."""
        whole = bytes(data)
        start = self._at - self._taken
        self._at += len(whole)
        late = whole[-start:] if start < 0 else whole
        start = max(0, start)
        self._fresh[start : start + len(late)] = late
        return len(whole)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move; only back and to the end again."""
        origin = (0, self._at, self._taken + len(self._fresh))[whence]
        self._at = origin + offset
        return self._at

    def tell(self) -> int:
        """Where it stands."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Nothing: what was written is gone."""
        return b""

    def readinto(self, buffer: Any) -> int:
        """Nothing: what was written is gone."""
        return 0

    def flush(self) -> None:
        """Nothing waits."""


class FileEncoder:
    """Mono PCM16 in, the bytes of a sound file out. Blocks for a moment: call it in a thread.

    `to_hz` and `channels` are what the listener wants; None keeps the rate.
    """

    def __init__(self, kind: str, rate_hz: int, *, to_hz: int | None = None, channels: int = 1) -> None:
        """Raises: MissingExtraError."""
        wanted_hz = to_hz or rate_hz
        if kind in RATES_HZ and wanted_hz not in RATES_HZ[kind]:
            wanted_hz = USUAL_HZ
        self._resampler = PcmResampler(rate_hz, wanted_hz)
        self._channels = channels
        self._growing = GrowingFile()
        self._file: Any = None
        self._header = wav_header(wanted_hz, channels=channels) if kind == "wav" else b""
        if kind != "wav":
            self._file = _sound_file(self._growing, kind, wanted_hz, channels)

    def push(self, pcm16: bytes) -> bytes:
        """What these samples complete of the file."""
        return self._write(self._resampler.push(pcm16))

    def finish(self) -> bytes:
        """The rest of the file."""
        rest = self._write(self._resampler.flush())
        self.close()
        return rest + self._growing.take()

    def close(self) -> None:
        """Let go of the encoder."""
        if self._file is not None:
            self._file.close()

    def _write(self, pcm16: bytes) -> bytes:
        header, self._header = self._header, b""
        samples = np.repeat(np.frombuffer(pcm16, dtype="<i2"), self._channels)
        if self._file is None:
            return header + samples.tobytes()
        # As floats: libsndfile 1.2 clips stereo MP3 that it is given as integers.
        self._file.write((samples / np.float32(32_768)).reshape(-1, self._channels))
        return self._growing.take()


def _sound_file(target: GrowingFile, kind: str, rate_hz: int, channels: int) -> Any:
    try:
        import soundfile
    except ImportError:
        raise MissingExtraError("Sound files need the speech extra: pip install 'entendre[speech]'.") from None
    container, codec, _ = STREAMED[kind]
    steady = {"bitrate_mode": "CONSTANT", "compression_level": MP3_LEVEL} if kind == "mp3" else {}
    return soundfile.SoundFile(target, "w", rate_hz, channels, format=container, subtype=codec, **steady)
