"""Sound files come in as mono samples of the wanted rate."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from entendre.clients.sound import read_sound, write_wav
from entendre.core.errors import InvalidInputError

TONE = (8000 * np.sin(np.arange(16_000) * 2 * np.pi * 440 / 16_000)).astype("<i2")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "tone.wav"
    write_wav(file, TONE.tobytes(), 16_000)
    assert np.array_equal(read_sound(file, 16_000), TONE)


def test_stereo_becomes_mono(tmp_path: Path) -> None:
    file = tmp_path / "stereo.wav"
    with wave.open(str(file), "wb") as sink:
        sink.setnchannels(2)
        sink.setsampwidth(2)
        sink.setframerate(16_000)
        sink.writeframes(np.stack([TONE, np.zeros_like(TONE)], axis=1).tobytes())
    mono = read_sound(file, 16_000)
    assert mono.shape == TONE.shape
    assert np.abs(mono - TONE / 2).max() <= 1


def test_another_rate_keeps_the_length_in_seconds(tmp_path: Path) -> None:
    pytest.importorskip("soxr")
    file = tmp_path / "tone.wav"
    write_wav(file, TONE.tobytes(), 16_000)
    assert len(read_sound(file, 24_000)) == pytest.approx(24_000, abs=2)


def test_flac_is_read(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    file = tmp_path / "tone.flac"
    soundfile.write(str(file), TONE, 16_000)
    assert np.array_equal(read_sound(file, 16_000), TONE)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF\xff\xff\xff\x7fWAVEfmt ", b"no sound at all" * 100])
def test_what_is_no_sound_is_refused(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("soundfile")
    file = tmp_path / "x.wav"
    file.write_bytes(content)
    with pytest.raises(InvalidInputError):
        read_sound(file, 16_000)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no sound file"):
        read_sound(tmp_path / "none.wav", 16_000)
