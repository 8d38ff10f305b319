"""Kokoro: a natural voice in a few languages, slower than the others.

espeak-ng (GPL), as its own process, writes what a text sounds like, and a network (Apache-2.0) speaks that. Languages
that the network never learnt are spoken with the mouth of a near one.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entendre.core.errors import ModelError, SynthesisError
from entendre.core.tags import base_tag
from entendre.ports import Cancelled, InferenceCancelled
from entendre.speech.mandarin import mandarin_sounds
from entendre.speech.written import for_voice, sentences

STYLE_SIZE = 256
MOST_SYMBOLS = 509
SLOWEST, FASTEST = 0.5, 2.0
QUIET = 0.004
LEAD_IN_S = 0.02
SOUNDS_TIMEOUT_S = 10.0
LONGEST_TEXT_CHARACTERS = 4_000
MANDARIN = "mandarin"
_TIE = "^"
_SWITCH = re.compile(r"\([a-z-]+\)")
"""What espeak-ng writes where it goes over to another language and back."""


class KokoroVoice:
    """One sentence a chunk. The same text always gives the same audio."""

    name = "kokoro"
    rate_hz = 24_000

    def __init__(self, files: Mapping[str, Path], *, threads: int = 1) -> None:
        """Load the network (its parts in order) and the voices (`*.bin`). Raises: ModelError."""
        program = shutil.which("espeak-ng")
        if program is None:
            raise ModelError("The voice kokoro needs espeak-ng; `entendre models list` says how to get it.")
        self._program = program
        try:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
            network = b"".join(files[name].read_bytes() for name in sorted(files) if name.startswith("kokoro.onnx"))
            self._session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
            self._styles = {path.stem: _style(path) for name, path in files.items() if name.endswith(".bin")}
        except Exception as error:  # a plugin call: onnxruntime's errors share no narrower base
            raise ModelError("The voice kokoro could not be loaded.", detail=str(error)) from error
        self._tokens = self._session.get_inputs()[0].name
        spoken = _document()["languages"]
        lacking = {MANDARIN} if importlib.util.find_spec("pypinyin") is None else set()
        self.languages = frozenset(
            tag for tag, way in spoken.items() if way["voice"] in self._styles and way["sounds"] not in lacking
        )

    def synthesize(self, text: str, *, language: str, speed: float = 1.0, cancelled: Cancelled) -> Iterator[bytes]:
        """PCM16 at 24 kHz, a sentence at a time. Raises: InferenceCancelled, SynthesisError."""
        tag = language.replace("_", "-").lower()
        way = _document()["languages"].get(tag if tag in self.languages else base_tag(tag))
        if way is None or base_tag(tag) not in self.languages:
            raise SynthesisError(f"The voice kokoro does not speak {language}.")
        if len(text) > LONGEST_TEXT_CHARACTERS:
            raise SynthesisError(f"A text to speak may have at most {LONGEST_TEXT_CHARACTERS} characters.")
        for sentence in sentences(text):
            if cancelled():
                raise InferenceCancelled
            pcm = self.say(for_voice(sentence, language), way["sounds"], way["voice"], speed)
            if pcm:
                yield pcm

    def say(self, text: str, sounds: str, voice: str, speed: float = 1.0) -> bytes:
        """A sentence with one of the voices and the sounds of a language of espeak-ng, or "mandarin" by Pinyin.

        Raises: SynthesisError.
        """
        if sounds == MANDARIN:
            runs = (sound if done else self._sounds(sound, "en-us") for sound, done in mandarin_sounds(text))
            symbols = _known(" ".join(runs))
        else:
            symbols = self._sounds(text, sounds)
        return self._speak(symbols, voice, min(max(speed, SLOWEST), FASTEST)) if symbols else b""

    def _sounds(self, text: str, language: str) -> str:
        """A text in the network's symbols, by a language of espeak-ng. Raises: SynthesisError."""
        command = [self._program, "-q", "--ipa", f"--tie={_TIE}", "-v", language, "--stdin"]
        try:
            done = subprocess.run(
                command, input=text.encode(), capture_output=True, check=True, timeout=SOUNDS_TIMEOUT_S
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise SynthesisError(detail=str(error)) from error
        written = _SWITCH.sub("", done.stdout.decode(errors="replace")).strip().replace("\n", ", ")
        document = _document()
        for joined, symbol in document["joined"].items():
            written = written.replace(joined, symbol)
        return _known(written)

    def _speak(self, symbols: str, voice: str, speed: float) -> bytes:
        ids = [_document()["symbols"][symbol] for symbol in symbols]
        styles = self._styles[voice]
        given = {
            self._tokens: np.array([[0, *ids, 0]], np.int64),
            "style": styles[min(len(ids), len(styles) - 1)],
            "speed": np.array([speed], np.float32),
        }
        try:
            audio: NDArray[np.float32] = self._session.run(None, given)[0].reshape(-1)
        except Exception as error:  # a plugin call: onnxruntime's errors share no narrower base
            raise SynthesisError(detail=str(error)) from error
        return (np.clip(_without_silence(audio, self.rate_hz), -1.0, 1.0) * 32767.0).astype("<i2").tobytes()


def _known(written: str) -> str:
    symbols = _document()["symbols"]
    return "".join(letter for letter in written if letter in symbols)[:MOST_SYMBOLS]


def _style(path: Path) -> NDArray[np.float32]:
    return np.fromfile(path, "<f4").reshape(-1, 1, STYLE_SIZE)


def _without_silence(audio: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    """The audio from shortly before its first sound on."""
    loud = np.flatnonzero(np.abs(audio) > QUIET)
    return audio[max(0, int(loud[0]) - int(LEAD_IN_S * rate_hz)) :] if len(loud) else audio


@cache
def _document() -> Mapping[str, Any]:
    text = resources.files("entendre.speech").joinpath("kokoro.json").read_text(encoding="utf-8")
    document: Mapping[str, Any] = json.loads(text)
    return document
