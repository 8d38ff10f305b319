"""Sound files and streams of any rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("soundfile", reason="needs the speech extra")

import soundfile

from entendre.core.errors import InvalidInputError
from entendre.core.resample import PcmResampler
from entendre.speech.audio import read_audio, resample, wav_bytes, write_audio
from entendre.speech.framed import Framer
from entendre.speech.pieces import pieces


def tone(rate_hz: int, seconds: float = 1.0) -> np.ndarray:
    return (np.sin(np.arange(int(rate_hz * seconds)) * 2 * np.pi * 440 / rate_hz) * 12_000).astype(np.int16)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_files_become_the_house_format(tmp_path: Path, rate_hz: int, suffix: str) -> None:
    path = tmp_path / f"tone.{suffix}"
    write_audio(path, tone(rate_hz).tobytes(), rate_hz)
    for source in (path, path.read_bytes()):
        heard = read_audio(source)
        assert len(heard) == pytest.approx(16_000, abs=200)
        middle = heard[2_000:14_000].astype(float)
        assert abs(np.fft.rfft(middle)).argmax() * 16_000 / len(middle) == pytest.approx(440, abs=3)


def test_channels_are_mixed(tmp_path: Path) -> None:
    left, right = tone(16_000), -tone(16_000) // 2
    soundfile.write(tmp_path / "x.wav", np.stack((left, right), axis=1), 16_000)
    assert np.abs(read_audio(tmp_path / "x.wav").astype(int) - tone(16_000) // 4).max() <= 2


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not a sound file at all", wav_bytes(b"", 16_000)[:20]])
def test_broken_files_are_refused(content: bytes) -> None:
    with pytest.raises(InvalidInputError):
        read_audio(content)


def test_too_long_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="longer"):
        read_audio(wav_bytes(tone(8_000, 2.0).tobytes(), 8_000), longest_s=1.0)


@pytest.mark.parametrize("from_hz", [8_000, 16_000, 22_050, 24_000, 48_000])
@pytest.mark.parametrize("to_hz", [8_000, 16_000, 24_000, 48_000])
def test_a_stream_in_odd_pieces_is_the_whole_at_another_rate(from_hz: int, to_hz: int) -> None:
    whole = tone(from_hz).tobytes()
    stream = PcmResampler(from_hz, to_hz)
    out = b"".join(stream.push(whole[place : place + 777]) for place in range(0, len(whole), 777)) + stream.flush()
    assert len(out) // 2 == pytest.approx(to_hz, abs=2)
    expected = resample(tone(from_hz), from_hz, to_hz).astype(int)
    got = np.frombuffer(out, "<i2").astype(int)
    length = min(len(expected), len(got))
    assert np.abs(expected[:length] - got[:length])[200:-200].max() < 150


def test_frames_keep_the_rest() -> None:
    framer = Framer(4)
    numbers = np.arange(10, dtype=np.int16)
    assert [frame.tolist() for frame in framer.push(numbers)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [frame.tolist() for frame in framer.push(numbers[:2])] == [[8, 9, 0, 1]]
    framer.push(numbers[:3])
    framer.reset()
    assert [frame.tolist() for frame in framer.push(numbers[:4])] == [[0, 1, 2, 3]]


def test_long_audio_is_cut_where_it_is_quiet() -> None:
    audio = np.full(16_000 * 25, 1000, np.int16)
    audio[16_000 * 9 : 16_000 * 9 + 3200] = 0
    parts = list(pieces(audio, shortest_s=5.0, longest_s=10.0))
    assert np.array_equal(np.concatenate(parts), audio)
    assert 9.0 <= len(parts[0]) / 16_000 <= 9.2
    assert all(len(part) <= 160_000 for part in parts)
