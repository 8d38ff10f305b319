"""What one client of the Wyoming service may ask, in the order it asks."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from entendre.core.audio import HOUSE_FORMAT, HOUSE_RATE_HZ, samples_of
from entendre.core.errors import EntendreError, InvalidInputError
from entendre.core.plan import Plan
from entendre.core.resample import PcmResampler
from entendre.core.tags import first_tag
from entendre.core.understanding import Understanding
from entendre.gateways.mono import to_mono_pcm16
from entendre.gateways.wyoming.engines import ServedEngines, language_of, word_key
from entendre.gateways.wyoming.sentences import SentenceSplitter
from entendre.gateways.wyoming.settings import ServiceSettings
from entendre.ports import Voice, WakeStream
from entendre.wire import wyoming_events as wire
from entendre.wire.wyoming_events import WyomingEvent

SPEECH_CHUNK_BYTES = 16 * 1024
"""A voice may yield a whole sentence at once; clients play chunks as they come."""
HINTS = 64
"""Names that a client may suggest to the recognizer with one request."""

Send = Callable[[WyomingEvent], Awaitable[None]]


class ServiceSession:
    """The state of one connection: which audio it sends and what that is for."""

    def __init__(self, engines: ServedEngines, settings: ServiceSettings, send: Send) -> None:
        self._engines = engines
        self._settings = settings
        self._send = send
        self._request: wire.Transcribe | wire.Detect = wire.Transcribe()
        self._resampler: tuple[int, PcmResampler] | None = None
        self._utterance = bytearray()
        self._wake: WakeStream | None = None
        self._wake_names: dict[str, str] = {}
        self._detected = False
        self._speech: _StreamedSpeech | None = None

    async def received(self, event: WyomingEvent) -> None:
        """Answer one event. Raises: InvalidInputError, which must end the connection."""
        match event:
            case wire.AudioChunk():
                await self._audio(event)
            case wire.Describe():
                await self._send(self._engines.info())
            case wire.Ping():
                await self._send(wire.Pong(event.text))
            case wire.Transcribe() | wire.Detect():
                self._reset_audio(event)
            case wire.AudioStart():
                self._reset_audio(self._request)
            case wire.AudioStop():
                await self._audio_ended()
            case wire.Recognize() | wire.Transcript():
                await self._text(event)
            case _:
                await self._synthesis(event)

    # Audio in

    def _reset_audio(self, request: wire.Transcribe | wire.Detect) -> None:
        self._request = request
        self._resampler = None
        self._utterance = bytearray()
        self._wake = self._open_wake(request) if isinstance(request, wire.Detect) else None
        self._detected = False

    def _open_wake(self, request: wire.Detect) -> WakeStream:
        engine = self._engines.wake_word
        if engine is None:
            raise InvalidInputError("This server offers no wake word.")
        known = {word_key(word): word for word in engine.words}
        words = [known[word_key(name)] for name in request.names if word_key(name) in known]
        if request.names and not words:
            raise InvalidInputError(f"The wake words of this server are: {', '.join(engine.words)}.")
        self._wake_names = {word_key(name): name for name in request.names}
        return engine.open(words or engine.words)

    async def _audio(self, chunk: wire.AudioChunk) -> None:
        if self._resampler is None or self._resampler[0] != chunk.rate:
            self._resampler = (chunk.rate, PcmResampler(chunk.rate, HOUSE_RATE_HZ))
        mono = to_mono_pcm16(chunk.audio, width_bytes=chunk.width, channels=chunk.channels)
        await self._house_audio(self._resampler[1].push(mono))

    async def _house_audio(self, pcm16: bytes) -> None:
        if self._wake is not None:
            for found in self._wake.push(samples_of(pcm16)):
                self._detected = True
                name = self._wake_names.get(word_key(found.word), found.word)
                await self._send(wire.Detection(name, round(found.end_s * 1000)))
            return
        if HOUSE_FORMAT.seconds(len(self._utterance) + len(pcm16)) > self._settings.utterance_s:
            raise InvalidInputError(f"An utterance may last at most {self._settings.utterance_s:g} s.")
        self._utterance += pcm16

    async def _audio_ended(self) -> None:
        if self._resampler is not None:
            await self._house_audio(self._resampler[1].flush())
        request, utterance, detected = self._request, bytes(self._utterance), self._detected
        self._reset_audio(wire.Transcribe())
        if isinstance(request, wire.Transcribe):
            await self._recognize(request, utterance)
        elif not detected:
            await self._send(wire.NotDetected(request.context))

    async def _recognize(self, request: wire.Transcribe, utterance: bytes) -> None:
        recognizer = self._engines.recognizer
        if recognizer is None:
            raise InvalidInputError("This server offers no recognizer.")
        wanted = request.language or self._settings.language
        language = language_of(wanted, recognizer.languages) or wanted
        hints = (*request.transcript_names, *request.transcript_terms)[:HINTS]
        try:
            heard = await recognizer.recognize(samples_of(utterance), language=language, hints=hints)
        except EntendreError as error:
            await self._send(wire.Error(error.public_message, error.code))
            return
        await self._send(wire.Transcript(heard.text, heard.language, request.context))

    # Text in

    async def _text(self, event: wire.Recognize | wire.Transcript) -> None:
        self._check_text(len(event.text))
        asked = isinstance(event, wire.Recognize)
        serve = self._engines.understand if asked else self._engines.handle
        if serve is None:
            raise InvalidInputError("This server does not offer that.")
        language = _context_language(event.context)
        if isinstance(event, wire.Transcript):
            language = event.language or language
        language = language or self._settings.language
        try:
            understanding, plan = await serve(event.text, language_of(language, self._engines.languages) or language)
        except EntendreError as error:
            await self._send(wire.Error(error.public_message, error.code))
            return
        answers = _intents(understanding, plan, event.context) if asked else [_handled(plan, event.context)]
        for answer in answers:
            await self._send(answer)

    def _check_text(self, characters: int) -> None:
        if characters > self._settings.text_characters:
            raise InvalidInputError(f"A text may have at most {self._settings.text_characters} characters.")

    # Speech out

    async def _synthesis(self, event: WyomingEvent) -> None:
        match event:
            case wire.Synthesize() if self._speech is None:
                await self._synthesize(event)
            case wire.SynthesizeStart():
                self._speech = _StreamedSpeech(*self._voice(event.voice))
            case wire.SynthesizeChunk() if self._speech is not None:
                self._speech.characters += len(event.text)
                self._check_text(self._speech.characters)
                await self._speak(self._speech, self._speech.splitter.push(event.text))
            case wire.SynthesizeStop() if self._speech is not None:
                await self._finish_speech(self._speech)
            case _:
                pass  # a client that streams text sends it whole as well, for servers that can't stream

    async def _synthesize(self, event: wire.Synthesize) -> None:
        self._check_text(len(event.text))
        speech = _StreamedSpeech(*self._voice(event.voice))
        await self._speak(speech, [event.text] if event.text.strip() else [])
        await self._end_audio(speech)

    async def _finish_speech(self, speech: _StreamedSpeech) -> None:
        self._speech = None
        await self._speak(speech, speech.splitter.flush())
        await self._end_audio(speech)
        await self._send(wire.SynthesizeStopped())

    def _voice(self, wanted: wire.SynthesizeVoice | None) -> tuple[Voice, str]:
        wanted = wanted or wire.SynthesizeVoice()
        tag = wanted.language or first_tag(self._settings.language)
        voice = self._engines.voice(wanted.name, tag)
        return voice, language_of(tag, voice.languages) or next(iter(sorted(voice.languages)), tag)

    async def _speak(self, speech: _StreamedSpeech, sentences: list[str]) -> None:
        for sentence in sentences:
            if speech.failed:
                return
            audio = speech.voice.synthesize(sentence, language=speech.language)
            try:
                async for pcm16 in audio:
                    await self._send_speech(speech, pcm16)
            except EntendreError as error:
                if error.code == "connection_ended":
                    raise
                speech.failed = True
                await self._send(wire.Error(error.public_message, error.code))
            finally:
                if inspect.isasyncgen(audio):
                    await audio.aclose()

    async def _send_speech(self, speech: _StreamedSpeech, pcm16: bytes) -> None:
        await self._begin_audio(speech)
        for start in range(0, len(pcm16), SPEECH_CHUNK_BYTES):
            piece = pcm16[start : start + SPEECH_CHUNK_BYTES]
            await self._send(wire.AudioChunk(speech.voice.rate_hz, 2, 1, piece))

    async def _begin_audio(self, speech: _StreamedSpeech) -> None:
        if not speech.started:
            speech.started = True
            await self._send(wire.AudioStart(speech.voice.rate_hz, 2, 1))

    async def _end_audio(self, speech: _StreamedSpeech) -> None:
        if not speech.failed:
            await self._begin_audio(speech)
        if speech.started:
            await self._send(wire.AudioStop())


class _StreamedSpeech:
    """A text being spoken with one voice, perhaps while it still arrives."""

    def __init__(self, voice: Voice, language: str) -> None:
        self.voice = voice
        self.language = language
        self.splitter = SentenceSplitter()
        self.characters = 0
        self.started = False
        self.failed = False


def _context_language(context: Mapping[str, Any] | None) -> str | None:
    language = (context or {}).get("language")
    return language if isinstance(language, str) else None


def _intents(understanding: Understanding, plan: Plan, context: Mapping[str, Any] | None) -> list[WyomingEvent]:
    """One intent, or several between a start and a stop; the reply goes with the last."""
    if not understanding.understood:
        return [wire.NotRecognized(plan.reply or None, context)]
    intents: list[WyomingEvent] = []
    for number, command in enumerate(understanding.commands, 1):
        entities = tuple(wire.Entity(name, value) for name, value in command.slots.items())
        reply = plan.reply if number == len(understanding.commands) else None
        intents.append(wire.Intent(command.intent, entities, reply or None, context))
    return intents if len(intents) == 1 else [wire.IntentsStart(context), *intents, wire.IntentsStop(context)]


def _handled(plan: Plan, context: Mapping[str, Any] | None) -> WyomingEvent:
    return (wire.NotHandled if plan.refusal else wire.Handled)(plan.reply or None, context)
