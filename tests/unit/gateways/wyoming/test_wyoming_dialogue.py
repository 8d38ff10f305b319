"""A satellite's events and a conversation's, each in the other's terms."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from entendre.core.actions import AdjustVolume, ControlMedia, SetMuted, SetVolume, StopSpeaking
from entendre.core.errors import InvalidInputError
from entendre.core.plan import Plan
from entendre.core.understanding import Understanding
from entendre.gateways.wyoming.dialogue import SatelliteDialogue, mode_at_first, mode_of
from entendre.gateways.wyoming.loudness import Loudness
from entendre.session import api
from entendre.wire import wyoming_events as wire
from entendre.wire.wyoming_info import Info, Program, Satellite, SoundFormat, SoundProgram

ASR = wire.RunPipeline("asr", "tts")
WAKE = wire.RunPipeline("wake", "tts", restart_on_end=True)
PCM = bytes(640)


def dialogue_of(
    factory: Any,
    *,
    mode: api.ListenMode = api.ListenMode.AUTO,
    words: tuple[str, ...] = ("okay_nabu",),
    info: Info | None = None,
    loudness: Loudness | None = None,
) -> tuple[SatelliteDialogue, Any]:
    profile = api.DeviceProfile(device="d", language="en", mode=mode, wake_words=words)
    dialogue = SatelliteDialogue(profile, info or Info(), loudness or Loudness())
    conversation = factory.open(profile, None)
    dialogue.attach(conversation)
    return dialogue, conversation


def chunk(pcm: bytes = PCM, rate: int = 16_000, width: int = 2, channels: int = 1) -> wire.AudioChunk:
    return wire.AudioChunk(rate, width, channels, pcm)


def understood(reply: str, *, asks: bool = False) -> api.TurnUnderstood:
    return api.TurnUnderstood("t", Understanding("x", "en"), Plan(reply, expects_reply=asks))


def test_a_turn_of_a_satellite_with_its_own_wake_word(factory: Any) -> None:
    dialogue, conversation = dialogue_of(factory)
    assert dialogue.received(wire.Detection("okay_nabu")) == []
    assert dialogue.received(ASR) == [wire.Transcribe(language="en")]
    dialogue.received(chunk())
    assert conversation.calls == [("start_listening", api.ListenMode.AUTO)]
    assert bytes(conversation.heard) == PCM
    sent = [
        item
        for event in (
            api.SpeechStarted("t", 0.1),
            api.PartialHeard("t", "turn"),
            api.SpeechStopped("t", 1.25),
            api.TurnCommitted("t", "turn on the light", "en"),
            understood("Done"),
            api.ReplyStarted("r", "t", "Done", 24_000),
            api.ReplyAudio("r", bytes(4800)),
            api.ReplyEnded("r", "t", 0.1),
            api.TurnEnded("t", api.Outcome.ANSWERED),
            api.ListeningEnded("answered"),
        )
        for item in dialogue.deliver(event)
    ]
    assert sent == [
        wire.VoiceStarted(100),
        wire.VoiceStopped(1250),
        wire.Transcript("turn on the light", "en"),
        wire.Synthesize("Done"),
        wire.AudioStart(24_000, 2, 1, 0),
        wire.AudioChunk(24_000, 2, 1, bytes(4800), 0),
        wire.AudioStop(100),
    ]
    assert dialogue.received(wire.Played()) == []
    assert conversation.calls[-1] == ("played", "r", 0.1)
    dialogue.received(wire.Played())
    assert len(conversation.calls) == 2


def test_only_its_own_wake_word_makes_a_satellite_one_of_several(factory: Any) -> None:
    dialogue, conversation = dialogue_of(factory)
    dialogue.received(ASR)
    dialogue.received(wire.Detection("okay_nabu"))
    dialogue.received(ASR)
    dialogue.received(ASR)
    assert conversation.woken == [False, True, False]


def test_audio_is_heard_only_while_a_pipeline_runs(factory: Any) -> None:
    dialogue, conversation = dialogue_of(factory)
    dialogue.received(chunk())
    dialogue.received(ASR)
    dialogue.received(chunk())
    dialogue.deliver(api.TurnCommitted("t", "stop", "en"))
    assert dialogue.deliver(understood("")) == [wire.Transcript("stop", "en")]
    dialogue.received(chunk())
    assert len(conversation.heard) == len(PCM)


def test_a_question_keeps_the_microphone_open_until_it_is_answered(factory: Any) -> None:
    dialogue, conversation = dialogue_of(factory)
    dialogue.received(ASR)
    assert dialogue.deliver(api.TurnCommitted("t", "set a timer", "en")) == []
    assert dialogue.deliver(understood("For how long?", asks=True)) == []
    started = dialogue.deliver(api.ReplyStarted("r", "t", "For how long?", 16_000, expects_reply=True))
    assert started == [wire.Synthesize("For how long?"), wire.AudioStart(16_000, 2, 1, 0)]
    dialogue.deliver(api.ReplyEnded("r", "t", 1.0))
    assert dialogue.deliver(api.TurnEnded("t", api.Outcome.ANSWERED)) == []
    dialogue.received(chunk())
    assert len(conversation.heard) == len(PCM)
    dialogue.deliver(api.TurnCommitted("u", "ten minutes", "en"))
    assert dialogue.deliver(understood("Ten minutes, starting now.")) == [wire.Transcript("ten minutes", "en")]


def test_a_filler_leaves_the_microphone_open_for_the_answer_to_a_question(factory: Any) -> None:
    dialogue, conversation = dialogue_of(factory)
    dialogue.received(ASR)
    assert dialogue.deliver(api.TurnCommitted("t", "set a timer", "en")) == []
    assert dialogue.deliver(api.StillWorking("t", "One moment.")) == []
    sent = dialogue.deliver(api.ReplyStarted("f", "t", "One moment.", 24_000, filler=True))
    assert sent == [wire.Synthesize("One moment."), wire.AudioStart(24_000, 2, 1, 0)]
    dialogue.deliver(api.ReplyEnded("f", "t", 0.4))
    assert dialogue.deliver(understood("For how long?", asks=True)) == []
    sent = dialogue.deliver(api.ReplyStarted("r", "t", "For how long?", 24_000, expects_reply=True))
    assert wire.Transcript("set a timer", "en") not in sent
    dialogue.received(chunk())
    assert len(conversation.heard) == len(PCM)


def test_a_question_that_nobody_answers_closes_the_microphone(factory: Any) -> None:
    dialogue, _ = dialogue_of(factory)
    dialogue.received(ASR)
    dialogue.deliver(api.TurnCommitted("t", "set a timer", "en"))
    dialogue.deliver(api.ReplyStarted("r", "t", "For how long?", 16_000, expects_reply=True))
    assert dialogue.deliver(api.ListeningEnded("no_speech")) == [wire.Transcript("set a timer", "en")]
    assert dialogue.deliver(api.ListeningEnded("no_speech")) == []


def test_a_satellite_that_hears_nothing_is_told_to_stop_streaming(factory: Any) -> None:
    dialogue, _ = dialogue_of(factory)
    dialogue.received(ASR)
    assert dialogue.deliver(api.TurnEnded("t", api.Outcome.NOTHING_HEARD)) == []
    assert dialogue.deliver(api.ListeningEnded("no_speech")) == [wire.Transcript("")]


def test_the_end_of_a_reply_does_not_end_the_stream_of_the_next_turn(factory: Any) -> None:
    dialogue, conversation = dialogue_of(factory)
    dialogue.received(ASR)
    assert dialogue.deliver(api.ListeningEnded("answered")) == []
    dialogue.received(chunk())
    assert len(conversation.heard) == len(PCM)


def test_a_failure_ends_the_stream_with_an_error(factory: Any) -> None:
    dialogue, conversation = dialogue_of(factory)
    dialogue.received(ASR)
    dialogue.deliver(api.TurnCommitted("t", "x", "en"))
    assert dialogue.deliver(api.TurnFailed("t", "recognition_failed", "No.")) == [
        wire.Error("No.", "recognition_failed")
    ]
    assert dialogue.deliver(api.TurnEnded("t", api.Outcome.FAILED)) == []
    dialogue.received(chunk())
    assert not conversation.heard


def test_a_satellite_without_wake_word_uses_ours(factory: Any) -> None:
    dialogue, conversation = dialogue_of(factory, mode=api.ListenMode.WAKE)
    assert dialogue.received(WAKE) == [wire.Detect(("okay_nabu",))]
    assert conversation.calls == []
    dialogue.received(chunk())
    assert dialogue.deliver(api.WakeHeard("okay_nabu", 0.5)) == [
        wire.Detection("okay_nabu", 500),
        wire.Transcribe(language="en"),
    ]
    dialogue.deliver(api.TurnCommitted("t", "stop", "en"))
    assert dialogue.deliver(understood("")) == [wire.Transcript("stop", "en")]
    assert dialogue.deliver(api.ListeningEnded("no_speech")) == []
    dialogue.received(wire.AudioStop())
    dialogue.received(chunk())
    assert len(conversation.heard) == 2 * len(PCM)
    assert conversation.calls == []


def test_a_wake_pipeline_without_wake_words_is_an_error(factory: Any) -> None:
    dialogue, conversation = dialogue_of(factory, words=())
    (error,) = dialogue.received(WAKE)
    assert isinstance(error, wire.Error)
    assert error.code == "no_wake_word"
    dialogue.received(chunk())
    assert not conversation.heard


def test_an_announcement_is_said_and_other_stages_are_refused(factory: Any) -> None:
    dialogue, conversation = dialogue_of(factory)
    assert dialogue.received(wire.RunPipeline("tts", "tts", announce_text="Dinner")) == []
    assert conversation.calls == [("announce", "Dinner")]
    for pipeline in (wire.RunPipeline("intent", "tts"), wire.RunPipeline("tts", "tts")):
        (error,) = dialogue.received(pipeline)
        assert isinstance(error, wire.Error)
        assert error.code == "unsupported_stage"


def test_the_end_of_a_satellites_audio_ends_the_utterance(factory: Any) -> None:
    dialogue, conversation = dialogue_of(factory)
    dialogue.received(wire.AudioStop())
    dialogue.received(ASR)
    dialogue.received(wire.AudioStop())
    dialogue.received(wire.StreamingStopped())
    assert conversation.calls == [("start_listening", api.ListenMode.AUTO), ("stop_listening",)]


def test_other_formats_are_heard_at_16_khz(factory: Any) -> None:
    dialogue, conversation = dialogue_of(factory)
    dialogue.received(ASR)
    tone = (8000 * np.sin(np.arange(48_000) * 440 * 2 * np.pi / 48_000)).astype("<i4") << 16
    stereo = np.repeat(tone[:, None], 2, axis=1).astype("<i4").tobytes()
    for start in range(0, len(stereo), 8 * 480):
        dialogue.received(chunk(stereo[start : start + 8 * 480], 48_000, 4, 2))
    assert 0.95 < len(conversation.heard) / 32_000 <= 1.0
    dialogue.received(chunk(bytes(1600), 8_000))
    with pytest.raises(InvalidInputError):
        dialogue.received(chunk(b"odd"))


def test_replies_are_sent_at_the_rate_of_the_speaker(factory: Any) -> None:
    info = Info(snd=(SoundProgram(snd_format=SoundFormat(48_000, 2, 1)),))
    dialogue, _ = dialogue_of(factory, info=info)
    assert dialogue.deliver(api.ReplyStarted("r", "", "x", 24_000))[-1] == wire.AudioStart(48_000, 2, 1, 0)
    dialogue.received(wire.RunPipeline("asr", "tts", snd_format=SoundFormat(22_050, 2, 1)))
    assert dialogue.deliver(api.ReplyStarted("s", "", "x", 24_000))[-1] == wire.AudioStart(22_050, 2, 1, 0)
    sent = dialogue.deliver(api.ReplyAudio("s", bytes(48_000))) + dialogue.deliver(api.ReplyEnded("s", "", 1.0))
    audio = [item for item in sent if isinstance(item, wire.AudioChunk)]
    assert abs(sum(len(item.audio) for item in audio) - 44_100) <= 4
    assert all(item.rate == 22_050 for item in audio)
    assert dialogue.deliver(api.ReplyAudio("s", PCM)) == []
    assert dialogue.deliver(api.ReplyEnded("s", "", 1.0)) == []


def test_an_interrupted_reply_stops_at_once(factory: Any) -> None:
    dialogue, _ = dialogue_of(factory)
    dialogue.deliver(api.ReplyStarted("r", "t", "A long story", 16_000))
    dialogue.deliver(api.ReplyAudio("r", PCM))
    assert dialogue.deliver(api.ReplyEnded("r", "t", 0.0, interrupted=True)) == [wire.AudioStop(20)]


def test_timers_are_shown(factory: Any) -> None:
    dialogue, _ = dialogue_of(factory)

    def changed(change: str, *, paused: bool = False) -> list[wire.WyomingEvent]:
        return dialogue.deliver(api.TimerChanged("t", change, "tea", 90, 59.6, paused))

    assert changed("started") == [wire.TimerStarted("t", 90, "tea")]
    assert changed("updated", paused=True) == [wire.TimerUpdated("t", False, 60)]
    assert changed("cancelled") == [wire.TimerCancelled("t")]
    assert changed("finished") == changed("ringing") == [wire.TimerFinished("t")]
    assert changed("ended") == []
    assert dialogue.deliver(api.RingStarted("t", "timer", "tea")) == []


def test_pings_are_answered_and_errors_logged(factory: Any, caplog: pytest.LogCaptureFixture) -> None:
    dialogue, _ = dialogue_of(factory)
    assert dialogue.received(wire.Ping("x")) == [wire.Pong("x")]
    with caplog.at_level(logging.WARNING):
        assert dialogue.received(wire.Error("secret words", "snd-failed")) == []
    assert "secret" not in caplog.text
    assert dialogue.received(wire.Unknown("user-event")) == []


def test_volume_is_a_gain_on_what_is_sent(factory: Any) -> None:
    loudness = Loudness(100)
    dialogue, _ = dialogue_of(factory, loudness=loudness)
    loud = np.full(100, 10_000, dtype="<i2").tobytes()

    def spoken() -> int:
        dialogue.deliver(api.ReplyStarted("r", "", "x", 16_000))
        (item,) = dialogue.deliver(api.ReplyAudio("r", loud))
        assert isinstance(item, wire.AudioChunk)
        return int(np.frombuffer(item.audio, dtype="<i2")[0])

    assert spoken() == 10_000
    assert loudness.perform(SetVolume(50))
    assert spoken() == 2_500
    assert loudness.perform(AdjustVolume(-70))
    assert loudness.percent == 0
    assert loudness.perform(SetVolume(100))
    assert loudness.perform(SetMuted(True))
    assert spoken() == 0
    assert loudness.perform(SetMuted(False))
    assert spoken() == 10_000
    assert loudness.perform(AdjustVolume(50))
    assert loudness.percent == 100
    assert loudness.perform(StopSpeaking())
    assert not loudness.perform(ControlMedia("play"))


def test_the_mode_follows_from_what_a_satellite_says_and_does() -> None:
    auto = api.DeviceProfile(device="d", mode=api.ListenMode.AUTO, wake_words=("alexa",))
    deaf = api.DeviceProfile(device="d", mode=api.ListenMode.AUTO)
    assert mode_of(ASR, auto) is api.ListenMode.AUTO
    assert mode_of(WAKE, auto) is api.ListenMode.WAKE
    assert mode_of(WAKE, deaf) is api.ListenMode.AUTO
    assert mode_of(wire.RunPipeline("tts", "tts"), auto) is api.ListenMode.AUTO
    plain = Info(satellite=Satellite("s"))
    assert mode_at_first(plain, ("alexa",)) is api.ListenMode.WAKE
    assert mode_at_first(plain, ()) is api.ListenMode.AUTO
    assert mode_at_first(Info(wake=(Program("oww"),), satellite=Satellite("s")), ("alexa",)) is api.ListenMode.AUTO
    own = Info(satellite=Satellite("s", active_wake_words=("alexa",)))
    assert mode_at_first(own, ("alexa",)) is api.ListenMode.AUTO
