"""The service over TCP, asked by the unmodified `wyoming` client library and by peers that break the protocol."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import psutil
import pytest
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event, Eventable
from wyoming.handle import Handled, NotHandled
from wyoming.info import Describe, Info
from wyoming.intent import Entity, Intent, IntentsStart, IntentsStop, NotRecognized, Recognize
from wyoming.ping import Ping, Pong
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)
from wyoming.wake import Detect, Detection, NotDetected

from entendre import ports
from entendre.core.audio import Samples
from entendre.core.errors import ConfigurationError, OverloadedError, SynthesisError
from entendre.core.plan import Plan
from entendre.core.understanding import Command, Understanding
from entendre.gateways.wyoming import ServiceSettings, WyomingService
from entendre.gateways.wyoming.engines import ServedEngines, language_of, word_key

LEVEL = 5_000


class LevelRecognizer:
    """Says how long and how loud the utterance is, so that a lost or changed sample shows."""

    name = "level"
    languages = frozenset({"en", "th"})

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    async def recognize(
        self, audio: Samples, *, language: str, hints: Sequence[str] = (), thorough: bool = False
    ) -> ports.Transcript:
        self.asked.append((language, tuple(hints)))
        if len(audio) == 0:
            raise OverloadedError("Too much to do.")
        if len(audio) < 1_000:
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        return ports.Transcript(f"{len(audio)} {int(np.abs(audio).max())}", language)


class ToneVoice:
    """One second of sound a letter `a`, an error for `!`, endless sound for `z`."""

    rate_hz = 22_050

    def __init__(self, name: str, languages: set[str]) -> None:
        self.name = name
        self.languages = frozenset(languages)
        self.said: list[tuple[str, str]] = []
        self.closed = 0

    async def synthesize(self, text: str, *, language: str, speed: float = 1.0) -> AsyncIterator[bytes]:
        self.said.append((text, language))
        try:
            while "z" in text:
                yield bytes(65_536)
            for _ in range(text.count("a")):
                yield np.full(self.rate_hz, LEVEL, dtype="<i2").tobytes()
            if "!" in text:
                raise SynthesisError("I lost my voice.")
        finally:
            self.closed += 1


class LoudWake:
    """Every loud push is the first of its words."""

    name = "loud"
    words = ("okay_nabu", "hey_jarvis")

    def open(self, words: Sequence[str]) -> ports.WakeStream:
        return LoudWakeStream(words)


class LoudWakeStream:
    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._heard = 0

    def push(self, audio: Samples) -> list[ports.WakeDetection]:
        self._heard += len(audio)
        if len(audio) and np.abs(audio).max() >= LEVEL:
            return [ports.WakeDetection(self._words[0], self._heard / 16_000, 0.9)]
        return []

    def reset(self) -> None:
        self._heard = 0


async def understand(text: str, language: str) -> tuple[Understanding, Plan]:
    if text == "busy":
        raise OverloadedError("Too much to do.")
    names = [word for word in text.split() if word in ("on", "off")]
    commands = tuple(Command(f"turn_{name}", {"name": "lamp", "language": language}) for name in names)
    return Understanding(text, language, commands), Plan(f"{len(names)} done", refusal=not names)


Parts = tuple[WyomingService, ServedEngines]


@asynccontextmanager
async def serving(settings: ServiceSettings | None = None, **changes: Any) -> AsyncIterator[Parts]:
    parts: dict[str, Any] = {
        "recognizer": LevelRecognizer(),
        "voices": (ToneVoice("alba", {"en"}), ToneVoice("nok", {"th"})),
        "wake_word": LoudWake(),
        "understand": understand,
        "handle": understand,
        "languages": ("en", "th"),
    }
    engines = ServedEngines(**(parts | changes))
    service = WyomingService(engines, settings)
    await service.start("127.0.0.1", 0)
    try:
        yield service, engines
    finally:
        await service.close()


async def ask(service: WyomingService, *events: Eventable, until: Callable[[Event], bool] | None = None) -> list[Event]:
    """What the service answers, up to the first event that `until` accepts (the first of all without it)."""
    async with AsyncTcpClient("127.0.0.1", service.port) as client:
        for event in events:
            await client.write_event(event.event())
        answers: list[Event] = []
        async with asyncio.timeout(5):
            while (answer := await client.read_event()) is not None:
                answers.append(answer)
                if until is None or until(answer):
                    return answers
        return answers


def pcm(samples: int, level: int = LEVEL) -> bytes:
    return np.full(samples, level, dtype="<i2").tobytes()


def utterance(audio: bytes, rate: int = 16_000, width: int = 2, channels: int = 1) -> list[Eventable]:
    step = 1024 * width * channels
    pieces = [AudioChunk(rate, width, channels, audio[start : start + step]) for start in range(0, len(audio), step)]
    return [AudioStart(rate, width, channels), *pieces, AudioStop()]


async def test_it_describes_itself_in_full() -> None:
    async with serving() as (service, _):
        info = Info.from_event((await ask(service, Describe()))[0])
    assert [model.name for model in info.asr[0].models] == ["level"]
    assert info.asr[0].models[0].languages == ["en", "th"]
    assert [(voice.name, voice.languages) for voice in info.tts[0].voices] == [("alba", ["en"]), ("nok", ["th"])]
    assert info.tts[0].supports_synthesize_streaming
    assert [model.phrase for model in info.wake[0].models] == ["okay nabu", "hey jarvis"]
    assert info.intent[0].models[0].languages == ["en", "th"]
    assert info.handle[0].supports_home_control


async def test_it_describes_only_what_it_has() -> None:
    async with serving(recognizer=None, voices=(), wake_word=None, understand=None, handle=None) as (service, _):
        info = Info.from_event((await ask(service, Describe()))[0])
        assert not (info.asr or info.tts or info.wake or info.intent or info.handle)
        for request in (
            utterance(pcm(1600)),
            [Synthesize("a")],
            [Detect()],
            [Recognize("on")],
            [Transcript("on")],
        ):
            assert Error.from_event((await ask(service, *request))[0]).code == "invalid_input"


async def test_it_answers_pings() -> None:
    async with serving() as (service, _):
        assert Pong.from_event((await ask(service, Ping("x")))[0]).text == "x"


async def test_every_sample_of_an_utterance_is_recognised() -> None:
    async with serving() as (service, engines):
        request = Transcribe(language="th-TH", transcript_names=["Lampe"], transcript_terms=["on"])
        heard = Transcript.from_event((await ask(service, request, *utterance(pcm(20_000))))[0])
        assert (heard.text, heard.language) == (f"20000 {LEVEL}", "th")
        assert engines.recognizer.asked == [("th", ("Lampe", "on"))]


async def test_other_formats_and_two_requests_on_one_connection() -> None:
    stereo = np.full((48_000, 2), LEVEL, dtype="<i4") << 16
    async with serving() as (service, engines), AsyncTcpClient("127.0.0.1", service.port) as client:
        for _ in range(2):
            for event in utterance(stereo.astype("<i4").tobytes(), 48_000, 4, 2):
                await client.write_event(event.event())
            heard = await client.read_event()
            assert heard is not None
            samples = int(Transcript.from_event(heard).text.split()[0])
            assert abs(samples - 16_000) <= 2
        assert engines.recognizer.asked == [("en", ())] * 2


async def test_an_engine_that_fails_is_reported_and_the_connection_goes_on() -> None:
    async with serving() as (service, _):
        answers = await ask(
            service, *utterance(b""), Recognize("busy"), Ping(), until=lambda event: Pong.is_type(event.type)
        )
    codes = [Error.from_event(event).code for event in answers[:-1]]
    assert codes == ["overloaded", "overloaded"]


async def test_text_is_spoken_by_the_voice_that_fits() -> None:
    async with serving() as (service, engines):
        for wanted, voice in ((None, 0), (SynthesizeVoice(language="th"), 1), (SynthesizeVoice(name="nok"), 1)):
            answers = await ask(service, Synthesize("a a", wanted), until=lambda event: AudioStop.is_type(event.type))
            audio = b"".join(event.payload or b"" for event in answers)
            assert AudioStart.from_event(answers[0]).rate == 22_050
            assert audio == pcm(2 * 22_050)
            assert engines.voices[voice].said[-1] == ("a a", "th" if voice else "en")
        silent = await ask(service, Synthesize("  "), until=lambda event: AudioStop.is_type(event.type))
        assert [event.type for event in silent] == ["audio-start", "audio-stop"]


async def test_streamed_text_is_spoken_sentence_by_sentence_before_it_ends() -> None:
    async with serving() as (service, engines), AsyncTcpClient("127.0.0.1", service.port) as client:
        for event in (SynthesizeStart(), SynthesizeChunk("It is 3.5 a"), SynthesizeChunk(". And th")):
            await client.write_event(event.event())
        async with asyncio.timeout(5):
            first = await client.read_event()
        assert first is not None
        assert AudioStart.is_type(first.type)
        assert engines.voices[0].said == [("It is 3.5 a.", "en")]
        for event in (SynthesizeChunk("en a"), Synthesize("It is 3.5 a. And then a"), SynthesizeStop()):
            await client.write_event(event.event())
        types: list[str] = []
        audio = b""
        while not types or not SynthesizeStopped.is_type(types[-1]):
            answer = await client.read_event()
            assert answer is not None
            types.append(answer.type)
            audio += answer.payload or b""
        assert engines.voices[0].said[1:] == [("And then a", "en")]
        assert audio == pcm(2 * 22_050)
        assert types[-2:] == ["audio-stop", "synthesize-stopped"]
        assert types.count("audio-stop") == 1


async def test_a_voice_that_fails_is_reported() -> None:
    async with serving() as (service, _):
        answers = await ask(service, Synthesize("a!"), until=lambda event: AudioStop.is_type(event.type))
        assert [event.type for event in answers if event.type != "audio-chunk"] == [
            "audio-start",
            "error",
            "audio-stop",
        ]
        early = await ask(service, Synthesize("!"))
        assert Error.from_event(early[0]).code == "synthesis_failed"


async def test_wake_words_are_detected_in_an_endless_stream() -> None:
    async with serving() as (service, _):
        events = [Detect(["Hey Jarvis"]), AudioStart(16_000, 2, 1), AudioChunk(16_000, 2, 1, pcm(16_000, 0))]
        answers = await ask(service, *events, AudioChunk(16_000, 2, 1, pcm(8_000)))
        assert Detection.from_event(answers[0]) == Detection("Hey Jarvis", 1500)
        quiet = await ask(service, *[events[0]], *utterance(pcm(16_000, 0)))
        assert NotDetected.is_type(quiet[0].type)
        found = await ask(
            service, Detect(), *utterance(pcm(1000)), Ping(), until=lambda event: Pong.is_type(event.type)
        )
        assert [event.type for event in found] == ["detection", "pong"]
        unknown = await ask(service, Detect(["computer"]))
        assert "okay_nabu" in Error.from_event(unknown[0]).text


async def test_a_text_is_understood() -> None:
    async with serving() as (service, _):
        one = Intent.from_event((await ask(service, Recognize("on", {"language": "th", "id": 1})))[0])
        assert one.name == "turn_on"
        assert one.entities == [Entity("name", "lamp"), Entity("language", "th")]
        assert (one.text, one.context) == ("1 done", {"language": "th", "id": 1})
        two = await ask(service, Recognize("on off"), until=lambda event: IntentsStop.is_type(event.type))
        assert IntentsStart.is_type(two[0].type)
        assert [Intent.from_event(event).text for event in two[1:-1]] == [None, "2 done"]
        assert NotRecognized.from_event((await ask(service, Recognize("hm")))[0]).text == "0 done"


async def test_a_text_is_handled() -> None:
    async with serving() as (service, _):
        done = (await ask(service, Transcript("on", language="th", context={"conversation_id": "c"})))[0]
        assert Handled.from_event(done) == Handled("1 done", {"conversation_id": "c"})
        assert NotHandled.from_event((await ask(service, Transcript("hm")))[0]).text == "0 done"


HALF_A_SAMPLE = b'{"type": "audio-chunk", "data": {"rate": 8000, "width": 2, "channels": 1}, "payload_length": 3}\nabc'
PING_THEN_GARBAGE = b'{"type": "ping"}\nnonsense\n'
LONG_LENGTH = b'{"type": "audio-chunk", "payload_length": 4000000000}\n'


@pytest.mark.parametrize(
    ("piece", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "bad_json"),
        (bytes(range(256)) * 4, "bad_json"),
        (LONG_LENGTH, "length_too_large"),
        (b"{" * 70_000, "header_too_long"),
        (b'{"type": "transcript"}\n', "missing_field"),
        (
            b'{"type": "audio-chunk", "data": {"rate": 16000, "width": 2, "channels": 1}, "payload_length": 3}\nabc',
            None,
        ),
    ],
)
async def test_bad_input_ends_that_connection_with_an_error_and_no_other(piece: bytes, code: str | None) -> None:
    async with serving() as (service, _), AsyncTcpClient("127.0.0.1", service.port) as good:
        async with AsyncTcpClient("127.0.0.1", service.port) as bad:
            assert bad._writer is not None
            bad._writer.write(piece)
            async with asyncio.timeout(5):
                answer = await bad.read_event()
                assert answer is not None
                assert Error.from_event(answer).code == (code or "invalid_input")
                assert await bad.read_event() is None
        await good.write_event(Ping().event())
        assert await good.read_event() is not None


@pytest.mark.parametrize(
    "events",
    [
        [AudioStart(16_000, 2, 1), *[AudioChunk(16_000, 2, 1, pcm(16_000))] * 3],
        [Synthesize("a" * 101)],
        [Recognize("a" * 101)],
        [SynthesizeStart(), *[SynthesizeChunk("b" * 40)] * 3],
    ],
)
async def test_too_much_of_anything_ends_the_connection(events: list[Eventable]) -> None:
    async with serving(ServiceSettings(utterance_s=2.0, text_characters=100)) as (service, _):
        answers = await ask(service, *events, until=lambda event: False)
        assert Error.from_event(answers[-1]).code == "invalid_input"


async def test_what_came_before_bad_input_is_answered() -> None:
    async with serving() as (service, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(PING_THEN_GARBAGE)
        async with asyncio.timeout(2):
            answer = await reader.read()
        assert b"pong" in answer
        assert b"bad_json" in answer
        writer.close()


async def test_one_connection_too_many_is_refused() -> None:
    async with serving(ServiceSettings(connections=1)) as (service, _):
        async with AsyncTcpClient("127.0.0.1", service.port) as client:
            await client.write_event(Ping().event())
            assert await client.read_event() is not None
            assert Error.from_event((await ask(service, until=None))[0]).code == "overloaded"
        await settled(lambda: service.connections == 0)
        assert Pong.is_type((await ask(service, Ping()))[0].type)


async def test_an_idle_or_half_sent_connection_is_ended() -> None:
    async with (
        serving(ServiceSettings(idle_s=0.1)) as (service, _),
        AsyncTcpClient("127.0.0.1", service.port) as client,
    ):
        assert client._writer is not None
        client._writer.write(b'{"type"')
        async with asyncio.timeout(2):
            answer = await client.read_event()
        assert answer is not None
        assert Error.from_event(answer).code == "idle"


async def test_a_half_closed_client_still_gets_its_answer() -> None:
    async with serving() as (service, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(b'{"type": "ping"}\n')
        writer.write_eof()
        async with asyncio.timeout(2):
            answer = await reader.read()
        assert b"pong" in answer
        writer.close()


async def test_an_end_inside_an_event_is_an_error() -> None:
    async with serving() as (service, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(b'{"type": "pi')
        writer.write_eof()
        async with asyncio.timeout(2):
            assert b"truncated" in await reader.read()
        writer.close()


async def test_work_for_a_client_that_is_gone_is_cancelled() -> None:
    async with serving() as (service, engines):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        raw = writer.get_extra_info("socket")
        for event in utterance(pcm(500)):
            await _write(writer, event)
        await settled(lambda: bool(engines.recognizer.asked))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        async with asyncio.timeout(2):
            await engines.recognizer.cancelled.wait()
        await settled(lambda: service.connections == 0)
        del reader


async def test_a_client_that_does_not_read_is_dropped_and_its_speech_stopped() -> None:
    async with serving(ServiceSettings(write_within_s=0.2)) as (service, engines):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port, limit=1024)
        await _write(writer, Synthesize("z"))
        await settled(lambda: service.connections == 1)
        assert Pong.is_type((await ask(service, Ping()))[0].type)
        await settled(lambda: service.connections == 0)
        assert engines.voices[0].closed == 1
        writer.transport.abort()
        del reader


async def test_closing_ends_clients_with_a_reason() -> None:
    async with serving() as (service, _), AsyncTcpClient("127.0.0.1", service.port) as client:
        await client.write_event(Ping().event())
        assert await client.read_event() is not None
        await service.close()
        answer = await client.read_event()
        assert answer is not None
        assert Error.from_event(answer).code == "shutting_down"


async def test_two_hundred_reconnects_leave_nothing_behind() -> None:
    async with serving() as (service, _):

        async def storm(times: int) -> None:
            for number in range(times):
                reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
                writer.write(b'{"type": "describe"}\n' if number % 2 else b"\x00garbage\n")
                await reader.read(100)
                writer.transport.abort()

        await storm(50)
        await settled(lambda: service.connections == 0)
        gc.collect()
        process = psutil.Process()
        before = (process.num_fds(), len(gc.get_objects()), len(asyncio.all_tasks()))
        await storm(200)
        await settled(lambda: service.connections == 0)
        gc.collect()
        after = (process.num_fds(), len(gc.get_objects()), len(asyncio.all_tasks()))
    assert after[0] <= before[0]
    assert after[1] - before[1] < 500
    assert after[2] == before[2]


async def test_other_binds_than_loopback_must_be_asked_for() -> None:
    service = WyomingService(ServedEngines())
    await service.close()
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        with pytest.raises(ConfigurationError, match="authentication"):
            await service.start(host, 0)
    with pytest.raises(ConfigurationError, match="can't listen"):
        async with serving() as (other, _):
            await service.start("localhost", other.port)
    open_to_all = WyomingService(ServedEngines(), ServiceSettings(allow_unauthenticated_lan=True))
    await open_to_all.start("0.0.0.0", 0)
    await open_to_all.close()


def test_names_of_languages_and_wake_words_are_matched_loosely() -> None:
    assert language_of("pt_BR", {"pt-BR", "en"}) == "pt-BR"
    assert language_of("en-GB", {"en"}) == "en"
    assert language_of("ta", {"en"}) is None
    assert word_key("ok_nabu") == word_key("Okay Nabu")
    assert word_key("Hey-Jarvis_v0.1") == word_key("hey jarvis") == "hey_jarvis"


async def settled(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def _write(writer: asyncio.StreamWriter, event: Eventable) -> None:
    from wyoming.event import async_write_event

    write: Awaitable[None] = async_write_event(event.event(), writer)
    await write
