"""What surrounds Whisper: its spectrogram, its tokens and the repair of loops."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("ctranslate2", reason="needs the speech extra")

from entendre.speech.logmel import log_mel, mel_filters
from entendre.speech.moonshine import read_vocabulary
from entendre.speech.whisper import collapse_repeats, other_readings
from entendre.speech.whisper_tokens import WhisperTokens

SPECIAL = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|yue|>", "<|transcribe|>", "<|nospeech|>"]
VOCABULARY = ["Ġturn", "Ġon", "Ã©", "Ċ", *SPECIAL, "<|notimestamps|>", "<|0.00|>", "<|0.02|>"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Play the Beatles. Play the Beatles. Play the Beatles. Play", "Play the Beatles."),
        ("cancel timer, cancel timer, cancel timer, cancel timer", "cancel timer"),
        ("打开厨房的灯。打开厨房的灯。", "打开厨房的灯。"),
        ("включи свет на кухне, включи свет на кухне", "включи свет на кухне"),
        ("5 5 5 5 5 5", "5"),
        ("no no no", "no no no"),
        ("stop stop", "stop stop"),
        ("1 2 3 1 2 3", "1 2 3 1 2 3"),
        ("turn on the light", "turn on the light"),
        ("", ""),
    ],
)
def test_loops_are_said_once(text: str, expected: str) -> None:
    assert collapse_repeats(text) == expected


def test_other_readings_are_near_and_say_something_else() -> None:
    texts = ["Play some chess.", "play some chess", "Play some jazz.", "", "Lay some jazz.", "play some jazz"]
    assert other_readings(texts, [-0.5, -0.52, -0.6, -0.6, -0.95, -0.7]) == ("Play some jazz.",)
    assert other_readings(["", "Thank you."], [-0.5, -0.6]) == ()


def test_tokens_are_text_and_times() -> None:
    tokens = WhisperTokens(VOCABULARY)
    assert tokens.text([0, 1, 2, tokens.end, 11]) == " turn oné"
    assert tokens.time_s(0) is None
    assert tokens.time_s(12) == pytest.approx(0.02)
    assert set(tokens.languages) == {"en", "yue"}


def test_the_spectrogram_is_whispers() -> None:
    audio = (np.sin(np.arange(16_000) * 0.3) * 8000).astype(np.int16)
    spectrum = log_mel(audio, silence_s=2.0)
    assert spectrum.shape == (80, 300)
    assert spectrum.dtype == np.float32
    assert spectrum.max() - spectrum.min() <= 2.0 + 1e-6, "8 decades, scaled by 4"
    tone_hz = 0.3 * 16_000 / (2 * np.pi)
    bin_hz = np.fft.rfftfreq(400, 1 / 16_000)
    loudest = int(spectrum[:, 50].argmax())
    assert abs(bin_hz[int(mel_filters(80)[loudest].argmax())] - tone_hz) < 60


def test_an_even_number_of_frames_for_every_length() -> None:
    for length in (1, 159, 160, 161, 4_801, 16_000):
        assert log_mel(np.zeros(length, np.int16)).shape[1] % 2 == 0


def test_moonshines_vocabulary() -> None:
    long = b"x" * 300
    content = b"\x05<unk>" + b"\x01a" + bytes([128 + 300 % 128, 300 // 128]) + long
    assert read_vocabulary(content) == [b"<unk>", b"a", long]
