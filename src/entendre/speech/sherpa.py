"""Recognizers that sherpa-onnx runs: models that are better for languages which Whisper base hears poorly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from entendre.core.audio import HOUSE_RATE_HZ, Samples
from entendre.core.errors import ModelError, RecognitionError
from entendre.core.tags import base_tag, tags_of
from entendre.ports import Cancelled, InferenceCancelled, Transcript
from entendre.speech.chinese import simplified, writes_simplified
from entendre.speech.pieces import pieces
from entendre.speech.tongues import spoken_tag

LONGEST_PIECE_S, SHORTEST_PIECE_S = 28.0, 20.0
SHORTEST_SPEECH_S = 0.1
LOUDEST_OF_SILENCE = 48
CONFIDENCE = 0.7
"""These engines tell no certainty. Understanding decides."""


class SherpaRecognizer:
    """One model; each inference runs on one thread. It finds the language by itself and writes it in its script."""

    def __init__(self, name: str, design: str, files: Mapping[str, Path], languages: frozenset[str]) -> None:
        """`design`: "omnilingual", "sense-voice" or "transducer". Raises: ModelError, ImportError."""
        import sherpa_onnx

        self.name = name
        self.languages = languages
        try:
            self._engine = _DESIGNS[design](sherpa_onnx.OfflineRecognizer, files)
        except (OSError, RuntimeError, ValueError) as error:
            raise ModelError(f"The model {name} could not be loaded.", detail=str(error)) from error

    def recognize(
        self, audio: Samples, *, language: str, hints: Sequence[str] = (), thorough: bool = False, cancelled: Cancelled
    ) -> Transcript:
        """Transcribe one utterance; `hints` and `thorough` change nothing here."""
        tags = [tag for tag in tags_of(language) if tag == "auto" or base_tag(tag) in self.languages]
        if not tags:
            raise RecognitionError(f"The recognizer {self.name} does not know the language {language}.")
        quiet = len(audio) and int(np.abs(audio.astype(np.int32)).max()) < LOUDEST_OF_SILENCE
        if len(audio) < SHORTEST_SPEECH_S * HOUSE_RATE_HZ or quiet:
            return Transcript("", tags[0], confidence=0.0, no_speech=1.0)
        texts = []
        for piece in pieces(audio, shortest_s=SHORTEST_PIECE_S, longest_s=LONGEST_PIECE_S):
            if cancelled():
                raise InferenceCancelled
            texts.append(self._text(piece))
        text = " ".join(filter(None, texts))
        tag = spoken_tag(text, ",".join(tags))
        text = simplified(text) if writes_simplified(tag) else text
        return Transcript(text, tag, confidence=CONFIDENCE if text else 0.0, no_speech=0.0 if text else 1.0)

    def _text(self, audio: Samples) -> str:
        stream = self._engine.create_stream()
        stream.accept_waveform(HOUSE_RATE_HZ, audio.astype(np.float32) / np.float32(32768))
        self._engine.decode_stream(stream)
        return str(stream.result.text).strip()


def _omnilingual(recognizer: Any, files: Mapping[str, Path]) -> Any:
    return recognizer.from_omnilingual_asr_ctc(
        model=_only(files, "model"), tokens=_only(files, "tokens"), num_threads=1
    )


def _sense_voice(recognizer: Any, files: Mapping[str, Path]) -> Any:
    model, tokens = _only(files, "model"), _only(files, "tokens")
    return recognizer.from_sense_voice(model=model, tokens=tokens, num_threads=1, use_itn=True)


def _transducer(recognizer: Any, files: Mapping[str, Path]) -> Any:
    parts = {part: _only(files, part) for part in ("encoder", "decoder", "joiner", "tokens")}
    return recognizer.from_transducer(**parts, num_threads=1)


_DESIGNS: Mapping[str, Callable[[Any, Mapping[str, Path]], Any]] = {
    "omnilingual": _omnilingual,
    "sense-voice": _sense_voice,
    "transducer": _transducer,
}


def _only(files: Mapping[str, Path], start: str) -> str:
    """The file whose name starts so. Raises: ValueError, OSError.

    Missing and broken files are found here: sherpa-onnx ends the process where it can't read them.
    """
    path = next((path for name, path in files.items() if name.startswith(start)), None)
    if path is None:
        raise ValueError(f"no file of the {start} is there")
    if start == "tokens":
        lines = path.read_text(encoding="utf-8").splitlines()
        if not lines or not all(line.rpartition(" ")[2].isdigit() for line in lines if line):
            raise ValueError(f"{path.name} is no list of tokens")
    else:
        path.open("rb").close()
    return str(path)
