"""Moonshine tiny on onnxruntime: English only, the cheapest recognizer. It fails above 9 s, so audio is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from entendre.core.audio import HOUSE_RATE_HZ, Samples
from entendre.core.errors import ModelError, RecognitionError
from entendre.core.tags import base_tag, tags_of
from entendre.ports import Cancelled, InferenceCancelled, Transcript
from entendre.speech.pieces import pieces

LONGEST_PIECE_S = 8.5
SHORTEST_PIECE_S = 5.0
SHORTEST_SPEECH_S = 0.1
LEAST_SAMPLES = 4_000
"""The encoder's strides need a quarter of a second; shorter audio is padded."""
START, END = 1, 2
TOKENS_PER_S = 6.5
SPARE_TOKENS = 6
HEADS, HEAD_SIZE = 8, 36
LOUDEST_OF_SILENCE = 48
CONFIDENCE_FLOOR = 0.45
_SPACE = "\u2581"

Cache = dict[str, NDArray[np.float32]]


class MoonshineRecognizer:
    """One inference runs on one thread; the sessions are shared by all threads."""

    languages = frozenset({"en"})

    def __init__(self, name: str, files: Mapping[str, Path]) -> None:
        """Load the two networks and the vocabulary. Raises: ModelError."""
        self.name = name
        try:
            self._encoder = _session(files["encoder_model.ort"])
            self._decoder = _session(files["decoder_model_merged.ort"])
            self._vocabulary = read_vocabulary(files["tokenizer.bin"].read_bytes())
        except Exception as error:  # a plugin call: onnxruntime's errors share no narrower base
            raise ModelError(f"The model {name} could not be loaded.", detail=str(error)) from error
        self._inputs = [item.name for item in self._decoder.get_inputs() if item.name.startswith("past_")]
        self._outputs = [item.name for item in self._decoder.get_outputs()]

    def recognize(
        self, audio: Samples, *, language: str, hints: Sequence[str] = (), thorough: bool = False, cancelled: Cancelled
    ) -> Transcript:
        """Transcribe one utterance; `hints` and `thorough` change nothing here."""
        spoken = next((tag for tag in tags_of(language) if base_tag(tag) in ("en", "auto")), None)
        if spoken is None:
            raise RecognitionError(f"The recognizer {self.name} does not know the language {language}.")
        spoken = "en" if spoken == "auto" else spoken
        quiet = len(audio) and int(np.abs(audio.astype(np.int32)).max()) < LOUDEST_OF_SILENCE
        if len(audio) < SHORTEST_SPEECH_S * HOUSE_RATE_HZ or quiet:
            return Transcript("", spoken, confidence=0.0, no_speech=1.0)
        texts: list[str] = []
        logs: list[float] = []
        for piece in pieces(audio, shortest_s=SHORTEST_PIECE_S, longest_s=LONGEST_PIECE_S):
            ids, certainty = self._decode(piece, cancelled)
            text = self._text(ids)
            if text:
                texts.append(text)
                logs.append(certainty)
        confidence = float(np.exp(np.mean(logs))) if logs else 0.0
        if confidence < CONFIDENCE_FLOOR:
            return Transcript("", spoken, confidence=confidence, no_speech=1.0 - confidence)
        return Transcript(" ".join(texts), spoken, confidence=confidence, no_speech=0.0)

    def _decode(self, audio: Samples, cancelled: Cancelled) -> tuple[list[int], float]:
        """Greedy ids and the mean log probability of the choices."""
        wave = np.zeros((1, max(len(audio), LEAST_SAMPLES)), np.float32)
        wave[0, : len(audio)] = audio / np.float32(32768)
        _stop_if(cancelled)
        hidden = self._encoder.run(None, {"input_values": wave, "attention_mask": np.ones(wave.shape, np.int64)})[0]
        fixed = {"encoder_hidden_states": hidden, "encoder_attention_mask": np.ones(hidden.shape[:2], np.int64)}
        cache: Cache = {name: np.zeros((1, HEADS, 0, HEAD_SIZE), np.float32) for name in self._inputs}
        ids: list[int] = []
        chosen_logs: list[float] = []
        for step in range(SPARE_TOKENS + int(TOKENS_PER_S * len(audio) / HOUSE_RATE_HZ)):
            _stop_if(cancelled)
            token = np.array([[ids[-1] if ids else START]], np.int64)
            given = {"input_ids": token, "use_cache_branch": np.array([step > 0]), **fixed, **cache}
            found = dict(zip(self._outputs, self._decoder.run(None, given), strict=True))
            logits = found["logits"][0, -1]
            best = int(logits.argmax())
            chosen_logs.append(float(-np.log(np.exp(logits - logits[best]).sum())))
            if best == END:
                break
            ids.append(best)
            cache = _kept(cache, found, first=step == 0)
        return ids, float(np.mean(chosen_logs))

    def _text(self, ids: Sequence[int]) -> str:
        raw = b"".join(self._vocabulary[place] for place in ids if place < len(self._vocabulary))
        return raw.decode("utf-8", errors="replace").replace("\ufffd", "").replace(_SPACE, " ").strip()


def read_vocabulary(content: bytes) -> list[bytes]:
    """Tokens of `tokenizer.bin`: each a length of one or two bytes, then its bytes.

    Source: moonshine's bin_tokenizer.
    """
    tokens: list[bytes] = []
    place = 0
    while place < len(content):
        length = content[place]
        place += 1
        if length >= 128:
            length += content[place] * 128 - 128
            place += 1
        tokens.append(content[place : place + length])
        place += length
    return tokens


def _kept(cache: Cache, found: Mapping[str, NDArray[np.float32]], *, first: bool) -> Cache:
    """The next step's cache: the decoder's part grows, the encoder's is made once."""
    return {
        name: found[name.replace("past_key_values", "present")] if first or ".decoder." in name else cache[name]
        for name in cache
    }


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _stop_if(cancelled: Cancelled) -> None:
    if cancelled():
        raise InferenceCancelled
