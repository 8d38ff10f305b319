"""Whisper on CTranslate2, with windows as long as the utterance instead of 30 s.

Short windows only work with all of: silence before and after, timestamps on, segments after the real end dropped, the
output's length capped, repeats collapsed (measured: docs/models.md).
"""

from __future__ import annotations

import math
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import numpy as np

from entendre.core.audio import HOUSE_RATE_HZ, Samples
from entendre.core.errors import ModelError, RecognitionError
from entendre.core.scripts import written_in
from entendre.core.tags import base_tag, tags_of
from entendre.ports import Cancelled, InferenceCancelled, Transcript
from entendre.speech.chinese import simplified, writes_simplified
from entendre.speech.invented import is_seldom_said, without_inventions, words_of
from entendre.speech.logmel import FRAMES_PER_S, log_mel
from entendre.speech.pieces import pieces
from entendre.speech.pool import one_by_one
from entendre.speech.tongues import choose
from entendre.speech.whisper_tokens import WhisperTokens

LEADING_SILENCE_S = 0.2
"""Without it, short words and cut onsets are misheard: 21 instead of 15 % of words in real commands."""
TRAILING_SILENCE_S = 2.5
FULL_WINDOW_S = 30.0
LONGEST_PIECE_S = 26.0
SHORTEST_PIECE_S = 18.0
SHORTEST_SPEECH_S = 0.1
TOKENS_PER_S = 12.0
SPARE_TOKENS = 12
BEAMS = 5
NEAR = 0.3
"""How much less likely another reading may be, in log probability a token, to be handed on with the first."""
NO_SPEECH_SURE = 0.9
NO_SPEECH_POSSIBLE = 0.15
CONFIDENCE_FLOOR, CONFIDENCE_SLOPE = 0.15, 0.1
"""Where nobody may have spoken, a text counts only above floor + slope * no_speech."""
SELDOM_SAID_FLOOR = 0.35
"""The same for texts that are more often invented than said."""
LOUDEST_OF_SILENCE = 48
AUTO = "auto"
_USUAL_SYMBOLS = -1
"""Stands for the symbols that a model's own configuration keeps out of texts."""
_UNIT = re.compile(r"[^\W\d_\u2e80-\uffff]+['’]?\w*|[\u2e80-\uffff]|\d+")
_ISO = {"tl": "fil", "jw": "jv", "no": "nb", "yue": "zh", "cmn": "zh"}
_WHISPER_OF_ISO = {"fil": "tl", "jv": "jw", "nb": "no"}


@dataclass(frozen=True, slots=True)
class _Decoded:
    text: str
    log_probability: float
    no_speech: float
    others: tuple[str, ...] = ()
    seldom_said: bool = False


class WhisperRecognizer:
    """A multilingual or English-only Whisper. One inference runs on one thread; `workers` may run at once."""

    def __init__(
        self, name: str, files: Mapping[str, Path], *, workers: int = 2, scripts: Mapping[str, str] | None = None
    ) -> None:
        """Load from `model.bin` (or its parts in order), `config.json` and `vocabulary.*`.

        `scripts`: what this model writes languages in that it can't write in their own letters. Raises: ModelError.
        """
        self.name = name
        try:
            self._tokens = _load_tokens(files)
            self._model = _load_model(files, workers)
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise ModelError(f"The model {name} could not be loaded.", detail=str(error)) from error
        self._scripts = scripts or {}
        self._mels = int(self._model.n_mels)
        self._outside: dict[frozenset[str], list[int]] = {}
        self._english_only = not self._model.is_multilingual
        own = {"en"} if self._english_only else set(self._tokens.languages)
        self.languages = frozenset(_iso(tag) for tag in own)

    def recognize(
        self, audio: Samples, *, language: str, hints: Sequence[str] = (), thorough: bool = False, cancelled: Cancelled
    ) -> Transcript:
        """Transcribe one utterance; `language` may be "auto", or a few tags to choose among.

        Empty text with a high `no_speech` if nobody spoke.

        `hints` are not used: as a prompt they make a short window repeat itself (docs/models.md).
        """
        tags = self._known(language)
        if _is_silent(audio):
            return _nobody(tags[0] if tags else language)
        tag, runner_up = tags[0] if len(tags) == 1 else "", ""
        found: list[_Decoded] = []
        for piece in pieces(audio, shortest_s=SHORTEST_PIECE_S, longest_s=LONGEST_PIECE_S):
            _stop_if(cancelled)
            encoded = self._encode(piece, thorough)
            _stop_if(cancelled)
            if not tag:
                [(tag, runner_up)] = self._detect(encoded, tags)
            found += self._decode(encoded, [piece], [tag])
        _stop_if(cancelled)
        return _joined(found, tag, runner_up)

    def recognize_together(
        self, audios: Sequence[Samples], *, language: str, cancelled: Sequence[Cancelled]
    ) -> list[Transcript | None]:
        """Transcribe utterances of one piece each at once: a step of the decoder reads its weights once for all.

        None for each that nobody wants any more. English-only models repeat themselves in windows that are longer than
        need be (36 instead of 22 of 102 words wrong), so they go one by one.
        """
        if self._english_only:
            return one_by_one(self, audios, language, cancelled)
        tags = self._known(language)
        found: list[Transcript | None] = [None] * len(audios)
        wanted = [index for index, unwanted in enumerate(cancelled) if not unwanted()]
        for index in list(wanted):
            if _is_silent(audios[index]):
                found[index] = _nobody(tags[0] if tags else language)
                wanted.remove(index)
        if wanted:
            chosen = [audios[index] for index in wanted]
            encoded = self._encode_all(chosen)
            spoken = [(tags[0], "")] * len(chosen) if len(tags) == 1 else self._detect(encoded, tags)
            decoded = self._decode(encoded, chosen, [tag for tag, _ in spoken])
            for index, one, (tag, runner_up) in zip(wanted, decoded, spoken, strict=True):
                found[index] = _joined([one], tag, runner_up)
        return found

    def _known(self, language: str) -> tuple[str, ...]:
        """The tags of those asked for that the model knows; none for any of its own. Raises: RecognitionError."""
        if language == AUTO:
            return ("en",) if self._english_only else ()
        known = tuple(tag for tag in tags_of(language) if _iso(base_tag(tag)) in self.languages)
        if not known:
            raise RecognitionError(f"The recognizer {self.name} does not know the language {language}.")
        return known

    def _encode(self, audio: Samples, thorough: bool) -> ctranslate2.StorageView:
        lead = np.zeros(int(LEADING_SILENCE_S * HOUSE_RATE_HZ), np.int16)
        padded = np.concatenate((lead, audio))
        silence_s = TRAILING_SILENCE_S
        if thorough:
            silence_s = max(silence_s, FULL_WINDOW_S - len(padded) / HOUSE_RATE_HZ)
        spectrum = log_mel(padded, silence_s=silence_s, mels=self._mels)[:, : int(FULL_WINDOW_S * FRAMES_PER_S)]
        return self._model.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(spectrum[None])))

    def _encode_all(self, audios: Sequence[Samples]) -> ctranslate2.StorageView:
        """Several utterances, the shorter ones with more silence behind them."""
        lead = np.zeros(int(LEADING_SILENCE_S * HOUSE_RATE_HZ), np.int16)
        longest_s = len(max(audios, key=len)) / HOUSE_RATE_HZ + TRAILING_SILENCE_S
        spectra = [
            log_mel(np.concatenate((lead, audio)), silence_s=longest_s - len(audio) / HOUSE_RATE_HZ, mels=self._mels)
            for audio in audios
        ]
        frames = min(int(FULL_WINDOW_S * FRAMES_PER_S), *(spectrum.shape[1] for spectrum in spectra))
        stacked = np.stack([spectrum[:, :frames] for spectrum in spectra])
        return self._model.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(stacked)))

    def _detect(self, encoded: ctranslate2.StorageView, tags: Sequence[str]) -> list[tuple[str, str]]:
        """The language of each utterance and one that is about as likely: of `tags`, or without any of all."""
        found = []
        for ranking in self._model.detect_language(encoded):
            likely: dict[str, float] = {}
            for token, probability in ranking:
                base = _iso(token.strip("<|>"))
                likely[base] = likely.get(base, 0.0) + probability
            found.append(choose(likely, tags) if tags else (next(iter(likely)), ""))
        return found

    def _decode(
        self, encoded: ctranslate2.StorageView, audios: Sequence[Samples], languages: Sequence[str]
    ) -> list[_Decoded]:
        prompts = [self._prompt(language) for language in languages]
        spoken_s = [len(audio) / HOUSE_RATE_HZ for audio in audios]
        results = self._model.generate(
            encoded,
            prompts,
            beam_size=BEAMS,
            num_hypotheses=BEAMS,
            max_length=min(448, len(prompts[0]) + SPARE_TOKENS + math.ceil(TOKENS_PER_S * max(spoken_s))),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=[_USUAL_SYMBOLS, *self._other_scripts(languages)],
        )
        decoded = []
        for result, seconds, language in zip(results, spoken_s, languages, strict=True):
            spoken = [self._spoken_text(ids, seconds + LEADING_SILENCE_S) for ids in result.sequences_ids]
            base = base_tag(language)
            if writes_simplified(language):
                spoken = [simplified(text) for text in spoken]
            texts = [without_inventions(collapse_repeats(text), base) for text in spoken]
            others = other_readings(texts, result.scores)
            seldom = is_seldom_said(texts[0], base)
            decoded.append(_Decoded(texts[0], result.scores[0], result.no_speech_prob, others, seldom))
        return decoded

    def _other_scripts(self, languages: Sequence[str]) -> list[int]:
        """Tokens of scripts that none of these languages is written in."""
        scripts = frozenset(self._scripts.get(base_tag(tag)) or written_in(tag) for tag in languages)
        found = self._outside.get(scripts)
        if found is None:
            found = self._outside[scripts] = self._tokens.of_other_scripts(scripts)
        return found

    def _prompt(self, language: str) -> list[int]:
        own = self._tokens
        if self._english_only:
            return [own.start]
        base = _iso(base_tag(language))
        return [own.start, own.languages[_WHISPER_OF_ISO.get(base, base)], own.transcribe]

    def _spoken_text(self, ids: Sequence[int], spoken_s: float) -> str:
        """The text of segments that start before the audio's real end."""
        kept: list[int] = []
        inside, starts = True, True
        for place in ids:
            time_s = self._tokens.time_s(place)
            if time_s is None:
                if inside:
                    kept.append(place)
                continue
            if starts:
                inside = time_s < spoken_s
            starts = not starts
        return self._tokens.text(kept).strip()


def collapse_repeats(text: str) -> str:
    """A text that says one thing over and over, once: what a decoder does when it loops.

    The last repeat may be cut off. Two words said twice, or one said four times, may be meant and stay.
    """
    units = list(_UNIT.finditer(text))
    words = [unit[0].casefold() for unit in units]
    for length in range(1, len(words) // 2 + 1):
        least = 4 if length < 3 or words[0].isdigit() else 2
        if len(words) < length * least or words[length:] != words[:-length]:
            continue
        end = units[length].start()
        return text[:end].rstrip(" ,，、;-") if length > 1 or not words[0].isdigit() else text[:end].strip(" ,")
    return text


def other_readings(texts: Sequence[str], scores: Sequence[float]) -> tuple[str, ...]:
    """The readings near in score to the first that say something else, best first; empty after an empty first."""
    seen = {words_of(texts[0]), ()}
    others: list[str] = []
    for text, score in zip(texts, scores, strict=True):
        if texts[0] and words_of(text) not in seen and score > scores[0] - NEAR:
            seen.add(words_of(text))
            others.append(text)
    return tuple(others)


def _is_silent(audio: Samples) -> bool:
    """Whether there is nothing worth a look: a moment, or digital silence."""
    short = len(audio) < SHORTEST_SPEECH_S * HOUSE_RATE_HZ
    return short or int(np.abs(audio.astype(np.int32)).max()) < LOUDEST_OF_SILENCE


def _nobody(language: str) -> Transcript:
    return Transcript("", language, confidence=0.0, no_speech=1.0)


def _iso(tag: str) -> str:
    """The base language that stands for one in Whisper's or another name."""
    return _ISO.get(tag, tag)


def _joined(found: Sequence[_Decoded], language: str, runner_up: str = "") -> Transcript:
    kept = [piece for piece in found if piece.text and _is_speech(piece)]
    no_speech = min(piece.no_speech for piece in found)
    if not kept:
        invented = max(math.exp(piece.log_probability) for piece in found)
        return Transcript("", language, confidence=0.0, no_speech=max(no_speech, 1.0 - invented), runner_up=runner_up)
    confidence = math.exp(sum(piece.log_probability for piece in kept) / len(kept))
    text = " ".join(piece.text for piece in kept)
    others = kept[0].others if len(found) == 1 else ()
    return Transcript(text, language, confidence, no_speech, others, runner_up)


def _is_speech(piece: _Decoded) -> bool:
    """Whether a text was heard and not invented; noise makes every recognizer invent words."""
    if piece.no_speech > NO_SPEECH_SURE:
        return False
    floor = SELDOM_SAID_FLOOR if piece.seldom_said else CONFIDENCE_FLOOR + CONFIDENCE_SLOPE * piece.no_speech
    return piece.no_speech < NO_SPEECH_POSSIBLE or math.exp(piece.log_probability) >= floor


def _stop_if(cancelled: Cancelled) -> None:
    if cancelled():
        raise InferenceCancelled


def _load_tokens(files: Mapping[str, Path]) -> WhisperTokens:
    return WhisperTokens.load(next(path for name, path in files.items() if name.startswith("vocabulary.")))


def _load_model(files: Mapping[str, Path], workers: int) -> ctranslate2.models.Whisper:
    """Load from a folder of its own with the parts joined; loading from memory would keep a copy, 140 MB."""
    with tempfile.TemporaryDirectory(prefix="entendre-") as folder:
        parts = [files[part] for part in sorted(files) if part.startswith("model.bin")]
        with (Path(folder) / "model.bin").open("wb") as joined:
            for part in parts:
                with part.open("rb") as source:
                    shutil.copyfileobj(source, joined, 1 << 20)
        for small in files:
            if small == "config.json" or small.startswith("vocabulary."):
                shutil.copyfile(files[small], Path(folder) / small)
        return ctranslate2.models.Whisper(folder, compute_type="int8", inter_threads=workers, intra_threads=1)
