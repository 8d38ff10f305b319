"""eSpeak NG as its own process, a floor for about a hundred languages. Its licence (GPL) stays behind a pipe."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from entendre.core.errors import ModelError, SynthesisError
from entendre.ports import Cancelled, InferenceCancelled
from entendre.speech.written import for_voice

WAV_HEADER_BYTES = 44
CHUNK_BYTES = 8_820
"""0.2 s."""
NORMAL_WORDS_PER_MINUTE = 165
SLOWEST, FASTEST = 0.5, 2.0
LONGEST_TEXT_CHARACTERS = 4_000
LONGEST_RUN_S = 20.0
_OWN_NAMES = {
    "zh": "cmn-latn-pinyin", "cmn": "cmn-latn-pinyin", "en": "en-us", "es-mx": "es-419", "es-us": "es-419", "jv": "id",
    "fil": "ms", "tl": "ms",
}  # fmt: skip
"""Filipino has no voice of its own: Malay's sounds are nearest. Version 1.51 reads Chinese characters as spelled-out
English with `cmn`, and right with the voice for Pinyin."""


class EspeakVoice:
    """One short-lived process per text; killed when nobody listens any more."""

    name = "espeak-ng"
    rate_hz = 22_050

    def __init__(self, program: Path | None = None) -> None:
        """Find the program and its languages. Raises: ModelError."""
        found = program or shutil.which("espeak-ng")
        if found is None:
            raise ModelError("espeak-ng is not installed; `entendre models list` says how to get it.")
        self._program = str(found)
        try:
            listing = subprocess.run([self._program, "--voices"], capture_output=True, check=True, timeout=10)
        except (OSError, subprocess.SubprocessError) as error:
            raise ModelError("espeak-ng does not run.", detail=str(error)) from error
        lines = listing.stdout.decode(errors="replace").splitlines()[1:]
        self._voices = frozenset(line.split()[1].lower() for line in lines if len(line.split()) > 1)
        bases = {tag.split("-")[0] for tag in self._voices}
        borrowed = {own for own, name in _OWN_NAMES.items() if name in self._voices}
        self.languages = frozenset(self._voices | bases | borrowed)

    def synthesize(self, text: str, *, language: str, speed: float = 1.0, cancelled: Cancelled) -> Iterator[bytes]:
        """PCM16 at 22.05 kHz as the process writes it. Raises: InferenceCancelled, SynthesisError."""
        voice = self._voice(language)
        if not text.strip():
            return
        if len(text) > LONGEST_TEXT_CHARACTERS:
            raise SynthesisError(f"A text to speak may have at most {LONGEST_TEXT_CHARACTERS} characters.")
        pace = NORMAL_WORDS_PER_MINUTE * min(max(speed, SLOWEST), FASTEST)
        command = [self._program, "-v", voice, "-s", str(round(pace)), "--stdin", "--stdout"]
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            raise SynthesisError(detail=str(error)) from error
        limit = threading.Timer(LONGEST_RUN_S, process.kill)
        limit.start()
        try:
            yield from self._audio(process, for_voice(text, language), cancelled)
        finally:
            limit.cancel()
            process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
            process.wait()

    def _audio(self, process: subprocess.Popen[bytes], text: str, cancelled: Cancelled) -> Iterator[bytes]:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(text.encode())
            process.stdin.close()
        except OSError as error:
            raise SynthesisError(detail=str(error)) from error
        if len(process.stdout.read(WAV_HEADER_BYTES)) < WAV_HEADER_BYTES:
            raise SynthesisError(detail=f"espeak-ng ended with status {process.wait()} and no audio")
        heard = False
        while chunk := process.stdout.read(CHUNK_BYTES):
            if cancelled():
                raise InferenceCancelled
            sound = chunk if heard else _without_lead_in(chunk)
            heard = heard or bool(sound)
            if sound:
                yield sound
        if process.wait() != 0:
            raise SynthesisError(detail=f"espeak-ng ended with status {process.returncode}")

    def _voice(self, language: str) -> str:
        """The program's own name of a voice. Raises: SynthesisError."""
        tag = language.replace("_", "-").lower()
        base = tag.split("-")[0]
        for name in (_OWN_NAMES.get(tag), tag, _OWN_NAMES.get(base), base):
            if name in self._voices:
                return name
        related = sorted(voice for voice in self._voices if voice.startswith(base + "-"))
        if not related:
            raise SynthesisError(f"The voice espeak-ng does not speak {language}.")
        return related[0]


def _without_lead_in(chunk: bytes) -> bytes:
    """The first chunk from its first sound on; empty if it holds none."""
    loud = np.flatnonzero(np.abs(np.frombuffer(chunk, "<i2").astype(np.int32)) > 64)
    return chunk[max(0, int(loud[0]) - 220) * 2 :] if len(loud) else b""
