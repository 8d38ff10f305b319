"""The Wyoming codec: what the reference library writes is read, what we write it reads, and nothing else hurts."""

from __future__ import annotations

import io
import json
import random
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wyoming import asr, audio, handle, info, intent, ping, pipeline, satellite, snd, timer, tts, vad, wake
from wyoming.error import Error as TheirError
from wyoming.event import Event, Eventable, read_event, write_event

from entendre.wire import wyoming_events as ours
from entendre.wire.failure import ProtocolFailed
from entendre.wire.wyoming import MAX_DATA_BYTES, MAX_HEADER_BYTES, MAX_PAYLOAD_BYTES, WyomingCodec, encode
from entendre.wire.wyoming_events import EVENT_TYPES, WyomingEvent
from entendre.wire.wyoming_fields import MAX_ITEMS
from entendre.wire.wyoming_info import Attribution, Info, Model, Program, Satellite, SoundFormat, SoundProgram

PCM = bytes(range(256)) * 8
ATTRIBUTION = info.Attribution(name="A maker", url="https://example.org")

PAIRS: list[tuple[Eventable, WyomingEvent]] = [
    (info.Describe(), ours.Describe()),
    (info.SelectProgram("whisper"), ours.SelectProgram("whisper")),
    (satellite.RunSatellite(), ours.RunSatellite()),
    (satellite.PauseSatellite(), ours.PauseSatellite()),
    (satellite.StreamingStarted(), ours.StreamingStarted()),
    (satellite.StreamingStopped(), ours.StreamingStopped()),
    (wake.Detect(["hey_jarvis"]), ours.Detect(("hey_jarvis",))),
    (wake.Detection("hey_jarvis", 1234), ours.Detection("hey_jarvis", 1234)),
    (wake.NotDetected(), ours.NotDetected()),
    (
        pipeline.RunPipeline(pipeline.PipelineStage.ASR, pipeline.PipelineStage.TTS, wake_word_names=["a"]),
        ours.RunPipeline("asr", "tts", wake_word_names=("a",)),
    ),
    (audio.AudioStart(16000, 2, 1), ours.AudioStart(16000, 2, 1)),
    (audio.AudioChunk(16000, 2, 1, PCM, timestamp=7), ours.AudioChunk(16000, 2, 1, PCM, 7)),
    (audio.AudioStop(timestamp=9), ours.AudioStop(9)),
    (vad.VoiceStarted(10), ours.VoiceStarted(10)),
    (vad.VoiceStopped(20), ours.VoiceStopped(20)),
    (
        asr.Transcribe(language="th", transcript_names=["ไฟ"]),
        ours.Transcribe(language="th", transcript_names=("ไฟ",)),
    ),
    (asr.Transcript("开灯", language="zh"), ours.Transcript("开灯", "zh")),
    (asr.TranscriptStart(language="en"), ours.TranscriptStart("en")),
    (asr.TranscriptChunk("turn"), ours.TranscriptChunk("turn")),
    (asr.TranscriptStop(), ours.TranscriptStop()),
    (intent.Recognize("stop", {"room": "kitchen"}), ours.Recognize("stop", {"room": "kitchen"})),
    (
        intent.Intent("HassTurnOn", [intent.Entity("name", "lamp")], "Done"),
        ours.Intent("HassTurnOn", (ours.Entity("name", "lamp"),), "Done"),
    ),
    (intent.IntentsStart(), ours.IntentsStart()),
    (intent.IntentsStop(), ours.IntentsStop()),
    (intent.NotRecognized("What?"), ours.NotRecognized("What?")),
    (handle.Handled("Done"), ours.Handled("Done")),
    (handle.NotHandled("No"), ours.NotHandled("No")),
    (
        tts.Synthesize("Привет", tts.SynthesizeVoice(name="v", speaker="s")),
        ours.Synthesize("Привет", ours.SynthesizeVoice(name="v", speaker="s")),
    ),
    (
        tts.SynthesizeStart(tts.SynthesizeVoice(language="hi")),
        ours.SynthesizeStart(ours.SynthesizeVoice(language="hi")),
    ),
    (tts.SynthesizeChunk("a b"), ours.SynthesizeChunk("a b")),
    (tts.SynthesizeStop(), ours.SynthesizeStop()),
    (tts.SynthesizeStopped(), ours.SynthesizeStopped()),
    (snd.Played(), ours.Played()),
    (ping.Ping("x"), ours.Ping("x")),
    (ping.Pong(), ours.Pong()),
    (timer.TimerStarted("t", 90, "tea", 0, 1, 30), ours.TimerStarted("t", 90, "tea", 0, 1, 30)),
    (timer.TimerUpdated("t", False, 60), ours.TimerUpdated("t", False, 60)),
    (timer.TimerCancelled("t"), ours.TimerCancelled("t")),
    (timer.TimerFinished("t"), ours.TimerFinished("t")),
    (TheirError("no", "code"), ours.Error("no", "code")),
]

THEIR_INFO = info.Info(
    asr=[
        info.AsrProgram(
            "whisper",
            ATTRIBUTION,
            True,
            "hears",
            "1",
            [info.AsrModel("base", ATTRIBUTION, True, None, None, languages=["en", "th"])],
        )
    ],
    tts=[
        info.TtsProgram(
            "piper",
            ATTRIBUTION,
            True,
            None,
            None,
            [info.TtsVoice("amy", ATTRIBUTION, True, None, None, languages=["en"])],
            supports_synthesize_streaming=True,
        )
    ],
    wake=[
        info.WakeProgram(
            "oww",
            ATTRIBUTION,
            True,
            None,
            None,
            [info.WakeModel("alexa", ATTRIBUTION, True, None, None, languages=["en"], phrase="alexa")],
        )
    ],
    snd=[info.SndProgram("snd", ATTRIBUTION, True, None, None, snd_format=audio.AudioFormat(22050, 2, 1))],
    satellite=info.Satellite("Hall", ATTRIBUTION, True, "a box", "1.4", area="Hall", has_vad=False),
)
OUR_INFO = Info(
    asr=(
        Program(
            "whisper",
            models=(Model("base", ("en", "th"), Attribution("A maker", "https://example.org")),),
            attribution=Attribution("A maker", "https://example.org"),
            description="hears",
            version="1",
        ),
    ),
    tts=(
        Program(
            "piper",
            voices=(Model("amy", ("en",), Attribution("A maker", "https://example.org")),),
            attribution=Attribution("A maker", "https://example.org"),
            supports_synthesize_streaming=True,
        ),
    ),
    wake=(
        Program(
            "oww",
            models=(Model("alexa", ("en",), Attribution("A maker", "https://example.org"), phrase="alexa"),),
            attribution=Attribution("A maker", "https://example.org"),
        ),
    ),
    snd=(SoundProgram("snd", Attribution("A maker", "https://example.org"), snd_format=SoundFormat(22050, 2, 1)),),
    satellite=Satellite(
        "Hall",
        Attribution("A maker", "https://example.org"),
        area="Hall",
        description="a box",
        version="1.4",
        has_vad=False,
    ),
)
PAIRS.append((THEIR_INFO, OUR_INFO))


def their_bytes(event: Eventable) -> bytes:
    stream = io.BytesIO()
    write_event(event.event(), stream)
    return stream.getvalue()


TRANSCRIPT = b"".join(their_bytes(theirs) for theirs, _ in PAIRS)
EXPECTED = [mine for _, mine in PAIRS]


def frame(header: Any, rest: bytes = b"") -> bytes:
    return json.dumps(header).encode() + b"\n" + rest


def only_failure(*pieces: bytes) -> str:
    """The code of the one failure that these bytes lead to."""
    codec = WyomingCodec()
    events = [event for piece in pieces for event in codec.receive(piece)]
    assert len(events) == 1
    assert isinstance(events[0], ProtocolFailed)
    assert codec.failed
    assert codec.receive(their_bytes(info.Describe())) == []
    assert codec.receive_eof() == []
    return events[0].code


def test_data_nested_too_deeply_to_be_written_again_is_refused() -> None:
    def nested(depth: int) -> bytes:
        return b'{"a":' * depth + b"1" + b"}" * depth

    assert only_failure(nested(65) + b"\n") == "bad_json"
    assert only_failure(nested(5_000) + b"\n") == "bad_json"
    assert only_failure(nested(64) + b"\n") == "bad_header"


def test_every_event_of_the_reference_library_is_read() -> None:
    assert WyomingCodec().receive(TRANSCRIPT) == EXPECTED


def test_every_typed_event_is_covered_by_the_transcript() -> None:
    assert {type(event) for event in EXPECTED} == set(EVENT_TYPES.values())


def test_byte_by_byte_gives_the_same_events() -> None:
    codec = WyomingCodec()
    events = [event for index in range(len(TRANSCRIPT)) for event in codec.receive(TRANSCRIPT[index : index + 1])]
    assert events == EXPECTED
    assert codec.receive_eof() == []


@pytest.mark.parametrize("seed", range(20))
def test_random_splits_give_the_same_events(seed: int) -> None:
    cuts = sorted(random.Random(seed).sample(range(len(TRANSCRIPT)), 60))
    codec = WyomingCodec()
    pieces = [TRANSCRIPT[start:end] for start, end in zip([0, *cuts], [*cuts, len(TRANSCRIPT)], strict=True)]
    assert [event for piece in pieces for event in codec.receive(piece)] == EXPECTED


@pytest.mark.parametrize(("theirs", "mine"), PAIRS, ids=[mine.type for _, mine in PAIRS])
def test_the_reference_library_reads_what_we_write(theirs: Eventable, mine: WyomingEvent) -> None:
    event = read_event(io.BytesIO(encode(mine)))
    assert event is not None
    parsed = type(theirs).from_event(event)
    if isinstance(parsed, info.Info):
        assert [program.name for program in parsed.asr + parsed.tts + parsed.wake] == ["whisper", "piper", "oww"]
        assert parsed.tts[0].voices[0].languages == ["en"]
        assert parsed.wake[0].models[0].phrase == "alexa"
        return
    assert without_empty(parsed.event().data) == without_empty(theirs.event().data)
    assert event.payload == theirs.event().payload


def without_empty(data: dict[str, Any]) -> dict[str, Any]:
    """The data without what means nothing: the reference writes nulls, and an empty list names nothing."""
    return {name: value for name, value in data.items() if value not in (None, [])}


@pytest.mark.parametrize("mine", EXPECTED, ids=[mine.type for mine in EXPECTED])
def test_what_we_write_we_read(mine: WyomingEvent) -> None:
    assert WyomingCodec().receive(encode(mine)) == [mine]


def test_an_unknown_event_passes_with_its_payload() -> None:
    unknown = ours.Unknown("user-event", {"name": "x"}, b"abc")
    stream = io.BytesIO()
    write_event(Event("user-event", {"name": "x"}, b"abc"), stream)
    assert WyomingCodec().receive(stream.getvalue()) == [unknown]
    assert WyomingCodec().receive(encode(unknown)) == [unknown]


def test_data_in_the_header_is_merged_with_data_behind_it() -> None:
    body = b'{"language": "en"}'
    header = {"type": "transcript", "data": {"text": "hi", "language": "de"}, "data_length": len(body)}
    assert WyomingCodec().receive(frame(header, body)) == [ours.Transcript("hi", "en")]


def test_nulls_and_whole_floats_are_read() -> None:
    header = {"type": "audio-stop", "data": {"timestamp": 4.0}, "data_length": None, "payload_length": 0}
    assert WyomingCodec().receive(frame(header)) == [ours.AudioStop(4)]
    assert WyomingCodec().receive(frame({"type": "audio-stop", "data": None})) == [ours.AudioStop()]


def test_a_payload_of_an_event_that_has_none_is_passed_over() -> None:
    piece = frame({"type": "ping", "payload_length": 3}, b"abc") + encode(ours.Pong())
    assert WyomingCodec().receive(piece) == [ours.Ping(), ours.Pong()]


def test_audio_in_the_data_is_not_a_payload() -> None:
    header = {"type": "audio-chunk", "data": {"rate": 16000, "width": 2, "channels": 1, "audio": "no"}}
    assert WyomingCodec().receive(frame(header)) == [ours.AudioChunk(16000, 2, 1)]


CHUNK = {"rate": 16000, "width": 2, "channels": 1}


@pytest.mark.parametrize(
    ("piece", "code"),
    [
        (b"\n", "bad_json"),
        (b"GET / HTTP/1.1\r\n", "bad_json"),
        (b"\xff\xfe\x00\n", "bad_json"),
        (b"[1]\n", "bad_json"),
        (b"[" * 60_000 + b"\n", "bad_json"),
        (b'{"type": "x", "data": ' + b"9" * 5000 + b"}\n", "bad_json"),
        (frame({}), "bad_header"),
        (frame({"type": 3}), "bad_header"),
        (frame({"type": "ping", "data": [1]}), "bad_json"),
        (frame({"type": "ping", "data_length": 2}, b"[]"), "bad_json"),
        (frame({"type": "ping", "data_length": 2}, b"{{"), "bad_json"),
        (frame({"type": "ping", "data_length": -1}), "bad_length"),
        (frame({"type": "ping", "data_length": True}), "bad_length"),
        (frame({"type": "ping", "payload_length": "12"}), "bad_length"),
        (frame({"type": "ping", "payload_length": 1.5}), "bad_length"),
        (frame({"type": "ping", "data_length": MAX_DATA_BYTES + 1}), "length_too_large"),
        (frame({"type": "x", "payload_length": MAX_PAYLOAD_BYTES + 1}), "length_too_large"),
        (frame({"type": "x", "payload_length": 10**30}), "length_too_large"),
        (b" " * (MAX_HEADER_BYTES + 1), "header_too_long"),
        (b" " * (MAX_HEADER_BYTES + 1) + b"\n", "header_too_long"),
        (frame({"type": "transcript"}), "missing_field"),
        (frame({"type": "transcript", "data": {"text": 3}}), "bad_field"),
        (frame({"type": "transcript", "data": {"text": "\ud800"}}), "bad_field"),
        (frame({"type": "transcript", "data": {"text": "a", "context": []}}), "bad_field"),
        (frame({"type": "detect", "data": {"names": "alexa"}}), "bad_field"),
        (frame({"type": "detect", "data": {"names": [1]}}), "bad_field"),
        (frame({"type": "detect", "data": {"names": ["a"] * (MAX_ITEMS + 1)}}), "bad_field"),
        (frame({"type": "audio-chunk", "data": CHUNK | {"rate": 0}}), "bad_field"),
        (frame({"type": "audio-chunk", "data": CHUNK | {"rate": 10**9}}), "bad_field"),
        (frame({"type": "audio-chunk", "data": CHUNK | {"rate": True}}), "bad_field"),
        (frame({"type": "audio-chunk", "data": CHUNK | {"width": 5}}), "bad_field"),
        (frame({"type": "audio-start", "data": CHUNK | {"channels": 0}}), "bad_field"),
        (frame({"type": "audio-stop", "data": {"timestamp": float("inf")}}), "bad_field"),
        (frame({"type": "run-pipeline", "data": {"start_stage": "wake", "end_stage": "x"}}), "bad_field"),
        (frame({"type": "run-pipeline", "data": {"start_stage": "x", "end_stage": "tts"}}), "bad_field"),
        (
            frame({"type": "timer-updated", "data": {"id": "a", "is_active": 1, "total_seconds": 1}}),
            "bad_field",
        ),
        (frame({"type": "info", "data": {"satellite": {"name": 7}}}), "bad_field"),
        (frame({"type": "info", "data": {"satellite": "Hall"}}), "bad_field"),
    ],
)
def test_a_broken_event_fails_once_and_nothing_is_read_after_it(piece: bytes, code: str) -> None:
    assert only_failure(piece) == code


def test_the_events_before_a_failure_are_given() -> None:
    events = WyomingCodec().receive(encode(ours.Ping("a")) + b"nonsense\n" + encode(ours.Ping("b")))
    assert events[0] == ours.Ping("a")
    assert isinstance(events[1], ProtocolFailed)
    assert len(events) == 2


def test_a_line_without_end_fails_in_pieces_too() -> None:
    assert only_failure(*[b"x" * 1024] * 65) == "header_too_long"


@pytest.mark.parametrize("piece", [b'{"type"', frame({"type": "ping", "data_length": 9}, b"{")])
def test_an_end_inside_an_event_is_a_failure(piece: bytes) -> None:
    codec = WyomingCodec()
    assert codec.receive(piece) == []
    assert [failure.code for failure in codec.receive_eof()] == ["truncated"]
    assert codec.failed


def test_an_end_between_events_is_none() -> None:
    codec = WyomingCodec()
    codec.receive(encode(ours.Ping()))
    assert codec.receive_eof() == []


def test_the_largest_payload_is_read() -> None:
    chunk = ours.AudioChunk(16000, 2, 1, bytes(MAX_PAYLOAD_BYTES))
    assert WyomingCodec().receive(encode(chunk)) == [chunk]


def test_a_failure_frees_what_was_buffered() -> None:
    codec = WyomingCodec()
    codec.receive(frame({"type": "x", "payload_length": MAX_PAYLOAD_BYTES}, b"a" * 1_000_000))
    codec.receive_eof()
    assert len(codec._buffer) == 0


def test_every_field_has_a_reader() -> None:
    from entendre.wire.wyoming_fields import _READERS

    kinds = [*EVENT_TYPES.values(), Program, Model, Satellite, SoundProgram, SoundFormat, Attribution]
    assert {str(item.type) for kind in kinds for item in fields(kind)} <= set(_READERS)


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes_raise_nothing(data: bytes) -> None:
    codec = WyomingCodec()
    for event in codec.receive(data):
        assert isinstance(event, ProtocolFailed) or event.type
    codec.receive_eof()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = sorted({item.name for kind in EVENT_TYPES.values() for item in fields(kind)})


@given(
    st.sampled_from(sorted(EVENT_TYPES)),
    st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6),
    st.binary(max_size=16),
)
@settings(max_examples=300, deadline=None)
def test_known_events_with_any_fields_raise_nothing(type_name: str, data: dict[str, Any], payload: bytes) -> None:
    body = json.dumps(data).encode()
    header = {"type": type_name, "data_length": len(body), "payload_length": len(payload)}
    events = WyomingCodec().receive(frame(header, body + payload))
    assert len(events) == 1


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_flipped_byte_never_raises(data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(TRANSCRIPT) - 1))
    mutated = bytearray(TRANSCRIPT)
    mutated[position] = data.draw(st.integers(0, 255))
    codec = WyomingCodec()
    events = codec.receive(bytes(mutated))
    assert all(
        isinstance(event, ProtocolFailed) == (index == len(events) - 1 and codec.failed)
        for index, event in enumerate(events)
    )
