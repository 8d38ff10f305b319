"""Voice turns with a device made of aioesphomeapi's own messages, over TCP."""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import replace

import pytest
from aioesphomeapi import VoiceAssistantFeature as Feature
from aioesphomeapi import api_pb2 as pb
from device_box import LVA, VOICE, Box
from esphome_bench import QUICK, Bench, settled

from entendre.core.errors import OverloadedError
from entendre.core.plan import Plan
from entendre.core.understanding import Understanding
from entendre.gateways.esphome import dialogue
from entendre.session import api

SECOND = bytes(2 * 24_000)


async def answered(bench: Bench, box: Box, *, expects_reply: bool = False, text: str = "Hello") -> str:
    """A turn up to the first second of its answer; the URL."""
    box.wake()
    await settled(lambda: bench.conversation.calls)
    await bench.tell(
        api.SpeechStarted("t", 0.5),
        api.SpeechStopped("t", 1.0),
        api.TurnCommitted("t", "say hello", "en"),
        api.TurnUnderstood("t", Understanding("say hello", "en"), Plan(text)),
        api.ReplyStarted("r", "t", text, 24_000, expects_reply),
        api.ReplyAudio("r", SECOND),
    )
    await settled(lambda: box.data("TTS_END"))
    return box.data("TTS_END")[-1]["url"]


async def test_a_turn_from_the_wake_word_to_the_end_of_the_answer(bench: Bench) -> None:
    box = Box()
    async with bench.serving(box):
        profile = bench.conversation.profile
        assert (profile.device, profile.room, profile.mode) == ("esphome-box", "kitchen", api.ListenMode.AUTO)
        assert not profile.listens_while_speaking
        url = await answered(bench, box)
        assert ("start_listening", api.ListenMode.AUTO) in bench.conversation.calls
        box.speak(bytes(4096))
        ending = asyncio.create_task(
            bench.tell(api.ReplyEnded("r", "t", 1.0), api.TurnEnded("t", api.Outcome.ANSWERED))
        )
        await asyncio.sleep(0.02)
        assert not ending.done(), "it does not wait for the device"
        bench.fetch(url)
        box.send(pb.VoiceAssistantAnnounceFinished(success=False))
        await asyncio.wait_for(ending, 1.0)
        assert box.events() == [
            *("RUN_START", "STT_START", "STT_VAD_START", "STT_VAD_END", "STT_END"),
            *("INTENT_START", "INTENT_END", "TTS_START", "TTS_END", "RUN_END"),
        ]
        assert box.data("STT_END") == [{"text": "say hello"}]
        assert box.data("INTENT_END") == [{"conversation_id": "esphome-box", "continue_conversation": "0"}]
        assert box.data("TTS_START") == [{"text": "Hello"}]
        assert url.startswith("http://127.0.0.1:8770/replies/")
        assert box.all(pb.VoiceAssistantResponse)[0].port == 0
        audio = b"".join([piece async for piece in bench.fetch(url).audio()])
        assert audio == SECOND
        assert any(call[0] == "played" and call[1] == "r" for call in bench.conversation.calls)


async def test_a_turn_that_takes_long_shows_that_it_is_worked_on(bench: Bench) -> None:
    """Its answer has one URL and comes after what was heard, so nothing can be said before."""
    box = Box()
    async with bench.serving(box):
        assert not bench.conversation.profile.takes_fillers
        box.wake()
        await settled(lambda: bench.conversation.calls)
        await bench.tell(api.SpeechStarted("t", 0.5), api.SpeechStopped("t", 1.0), api.StillWorking("t", "One moment."))
        await settled(lambda: "STT_VAD_END" in box.events())
        await bench.tell(api.TurnCommitted("t", "say hello", "en"))
        await settled(lambda: "INTENT_START" in box.events())
        assert box.events() == [
            *("RUN_START", "STT_START", "STT_VAD_START", "STT_VAD_END", "STT_END", "INTENT_START"),
        ]


async def test_its_microphone_is_heard_between_its_request_and_what_it_said(bench: Bench) -> None:
    box = Box()
    async with bench.serving(box):
        box.speak(bytes(1024))
        box.wake()
        box.speak(b"ab" * 1024)
        await settled(lambda: len(bench.conversation.heard) == 2048)
        await bench.tell(api.TurnCommitted("t", "hello", "en"))
        box.speak(bytes(1024))
        box.send(pb.VoiceAssistantAudio(end=True))
        await settled(lambda: ("stop_listening",) in bench.conversation.calls)
        assert bytes(bench.conversation.heard) == b"ab" * 1024


async def test_a_question_opens_the_microphone_again(bench: Bench) -> None:
    box = Box()
    async with bench.serving(box):
        url = await answered(bench, box, expects_reply=True)
        assert box.data("INTENT_END")[0]["continue_conversation"] == "1"
        bench.fetch(url)
        box.send(pb.VoiceAssistantAnnounceFinished())
        box.wake("")
        await settled(lambda: [call[0] for call in bench.conversation.calls].count("start_listening") == 2)
        await settled(lambda: box.events().count("STT_START") == 2)


@pytest.mark.parametrize("reports_its_player", [True, False])
async def test_a_device_that_is_stopped_during_the_answer_ends_it(bench: Bench, reports_its_player: bool) -> None:
    box = Box(project="nabucasa.home-assistant-voice-pe") if reports_its_player else Box()
    async with bench.serving(box):
        url = await answered(bench, box)
        await bench.tell(*[api.ReplyAudio("r", SECOND)] * 4)
        reply = bench.fetch(url)
        if reports_its_player:
            await bench.player_is(box, pb.MEDIA_PLAYER_STATE_ANNOUNCING)
        box.send(pb.VoiceAssistantAnnounceFinished())
        await settled(lambda: ("cancel_reply",) in bench.conversation.calls)
        name, played, seconds = next(call for call in bench.conversation.calls if call[0] == "played")
        assert (name, played) == ("played", "r")
        assert 0 <= seconds < 1.0
        assert reply.ended


async def test_a_device_that_only_gives_up_waiting_for_its_player_is_not_stopped(bench: Bench) -> None:
    box = Box(project="nabucasa.home-assistant-voice-pe")
    async with bench.serving(box):
        url = await answered(bench, box)
        await bench.tell(*[api.ReplyAudio("r", SECOND)] * 4)
        reply = bench.fetch(url)
        box.send(pb.VoiceAssistantAnnounceFinished(success=True))
        await asyncio.sleep(0.05)
        assert not reply.ended
        assert ("cancel_reply",) not in bench.conversation.calls


async def test_a_wake_word_during_the_answer_cuts_it(bench: Bench) -> None:
    box = Box()
    async with bench.serving(box):
        reply = bench.fetch(await answered(bench, box))
        box.wake()
        await settled(lambda: reply.ended)
        await bench.tell(api.ReplyEnded("r", "t", 0.2, interrupted=True))
        assert not box.all(pb.MediaPlayerCommandRequest)
        assert [call[0] for call in bench.conversation.calls].count("start_listening") == 2


async def test_an_answer_that_is_cancelled_here_is_stopped_there(bench: Bench) -> None:
    box = Box()
    async with bench.serving(box):
        reply = bench.fetch(await answered(bench, box))
        await bench.tell(api.ReplyEnded("r", "t", 0.2, interrupted=True))
        await settled(lambda: box.all(pb.MediaPlayerCommandRequest))
        (stop,) = box.all(pb.MediaPlayerCommandRequest)
        assert (stop.command, stop.announcement) == (pb.MEDIA_PLAYER_COMMAND_STOP, True)
        assert reply.ended


async def test_a_device_that_never_fetches_is_given_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dialogue, "FINISH_WITHIN_S", 0.05)
    box = Box()
    async with bench.serving(box):
        await answered(bench, box)
        with caplog.at_level(logging.WARNING, "entendre"):
            await asyncio.wait_for(bench.tell(api.ReplyEnded("r", "t", 1.0)), 1.0)
        assert "a reply was not fetched" in caplog.text


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (api.TurnCommitted("t", "", "en"), "stt-no-text-recognized"),
        (api.ListeningEnded("no_speech"), "stt-no-text-recognized"),
        (api.TurnEnded("t", api.Outcome.ELSEWHERE), "duplicate_wake_up_detected"),
        (api.TurnFailed("t", "recognition_failed", "It failed."), "recognition_failed"),
    ],
)
async def test_a_turn_without_an_answer_ends_with_an_error_that_firmware_knows(
    bench: Bench, event: api.SessionEvent, code: str
) -> None:
    box = Box()
    async with bench.serving(box):
        box.wake()
        await settled(lambda: bench.conversation.calls)
        await bench.tell(event)
        await settled(lambda: "RUN_END" in box.events())
        assert box.events()[-2:] == ["ERROR", "RUN_END"]
        assert box.data("ERROR")[0]["code"] == code
        box.send(pb.VoiceAssistantRequest(start=False))  # as firmware answers an error
        box.wake()
        await settled(lambda: box.events().count("RUN_START") == 2)
        assert ("cancel_reply",) not in bench.conversation.calls


async def test_noise_that_was_no_speech_leaves_the_turn_open(bench: Bench) -> None:
    box = Box()
    async with bench.serving(box):
        box.wake()
        await settled(lambda: bench.conversation.calls)
        await bench.tell(
            api.SpeechStarted("n", 0.1),
            api.SpeechStopped("n", 0.3),
            api.TurnEnded("n", api.Outcome.NOTHING_HEARD),
            api.SpeechStarted("t", 0.5),
            api.TurnCommitted("t", "stop", "en"),
            api.TurnEnded("t", api.Outcome.ANSWERED),
        )
        await settled(lambda: "RUN_END" in box.events())
        assert "ERROR" not in box.events()
        assert box.events()[-2:] == ["INTENT_END", "RUN_END"]


async def test_a_button_that_stops_listening_ends_the_turn(bench: Bench) -> None:
    box = Box()
    async with bench.serving(box):
        box.wake("")
        box.send(pb.VoiceAssistantRequest(start=False))
        await settled(lambda: "RUN_END" in box.events())
        assert bench.conversation.calls[-1] == ("cancel_reply",)


async def test_too_much_audio_ends_the_turn_and_keeps_the_connection(bench: Bench) -> None:
    box = Box()

    def refuse(pcm16: bytes) -> None:
        raise OverloadedError("Too much audio.")

    async with bench.serving(box) as runner:
        bench.conversation.hear = refuse
        box.wake()
        box.speak(bytes(64))
        await settled(lambda: "RUN_END" in box.events())
        assert box.data("ERROR")[0]["code"] == "overloaded"
        assert runner.statuses()[0].connections == 1


async def test_what_follows_an_answer_is_announced(bench: Bench) -> None:
    box = Box()
    async with bench.serving(box):
        url = await answered(bench, box)
        bench.fetch(url)
        box.send(pb.VoiceAssistantAnnounceFinished())
        await bench.tell(
            api.ReplyEnded("r", "t", 1.0),
            api.ReplyStarted("r2", "t", "And one more thing", 24_000),
            api.ReplyAudio("r2", SECOND),
        )
        await settled(lambda: box.all(pb.VoiceAssistantAnnounceRequest))
        (announced,) = box.all(pb.VoiceAssistantAnnounceRequest)
        assert (announced.text, announced.preannounce_media_id) == ("And one more thing", "")


async def test_a_bare_speaker_is_pushed_audio_in_pieces_that_it_can_take(bench: Bench) -> None:
    box = Box(features=int(VOICE | Feature.SPEAKER), player=False)
    async with bench.serving(box):
        assert bench.conversation.profile.reply_lead_s <= 0.384 - 0.06
        await answered(bench, box)
        await bench.tell(api.ReplyEnded("r", "t", 1.0), api.TurnEnded("t", api.Outcome.ANSWERED))
        await settled(lambda: "TTS_STREAM_END" in box.events())
        assert box.events()[-5:] == ["TTS_START", "TTS_END", "RUN_END", "TTS_STREAM_START", "TTS_STREAM_END"]
        pushed = box.all(pb.VoiceAssistantAudio)
        assert max(len(each.data) for each in pushed) <= 1024
        assert sum(len(each.data) for each in pushed) == 2 * 16_000


async def test_audio_over_udp_both_ways_and_from_nobody_else(bench: Bench) -> None:
    box = Box(features=int(Feature.VOICE_ASSISTANT | Feature.SPEAKER), player=False)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        device.bind(("127.0.0.1", 0))
        device.setblocking(False)
        stranger.bind(("127.0.0.2", 0))
        async with bench.serving(box):
            assert not any(each.flags for each in box.all(pb.SubscribeVoiceAssistantRequest))
            box.wake()
            await settled(lambda: box.all(pb.VoiceAssistantResponse))
            port = box.all(pb.VoiceAssistantResponse)[0].port
            assert port > 0
            stranger.sendto(b"xx" * 512, ("127.0.0.1", port))
            device.sendto(b"ab" * 512, ("127.0.0.1", port))
            await settled(lambda: bench.conversation.heard)
            assert bytes(bench.conversation.heard) == b"ab" * 512
            await bench.tell(
                api.TurnCommitted("t", "hello", "en"),
                api.ReplyStarted("r", "t", "Hello", 24_000),
                api.ReplyAudio("r", bytes(24_000)),
            )
            received = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(device, 4096), 1.0)
            assert len(received) == 1024
            assert not box.all(pb.VoiceAssistantAudio)


async def test_a_device_that_streams_for_our_wake_word_gets_a_fitting_conversation(bench: Bench) -> None:
    box = Box()
    async with bench.serving(box, settings=replace(QUICK, served_wake_words=("okay nabu",))):
        box.wake("", flags=pb.VOICE_ASSISTANT_REQUEST_USE_WAKE_WORD)
        await settled(lambda: "WAKE_WORD_START" in box.events())
        assert len(bench.factory.opened) == 2
        assert bench.factory.opened[0].ended
        profile = bench.conversation.profile
        assert (profile.mode, profile.wake_words) == (api.ListenMode.WAKE, ("okay nabu",))
        assert bench.conversation.calls == []
        await bench.tell(api.WakeHeard("okay nabu", 1.0), api.SpeechStarted("t", 1.5))
        await settled(lambda: "STT_VAD_START" in box.events())
        assert box.events() == ["RUN_START", "WAKE_WORD_START", "WAKE_WORD_END", "STT_START", "STT_VAD_START"]


async def test_a_device_that_wants_a_wake_word_is_told_when_none_is_set(bench: Bench) -> None:
    box = Box()
    async with bench.serving(box):
        box.wake("", flags=pb.VOICE_ASSISTANT_REQUEST_USE_WAKE_WORD)
        await settled(lambda: box.all(pb.VoiceAssistantResponse))
        assert box.data("ERROR")[0]["code"] == "wake-provider-missing"
        assert box.all(pb.VoiceAssistantResponse)[0].error


@pytest.mark.parametrize(
    ("formats", "ending"),
    [
        ((), ".mp3"),
        ((("flac", 48_000, 1),), ".flac"),
        ((("flac", 48_000, 1), ("mp3", 0, 2)), ".mp3"),
        ((("opus", 48_000, 1), ("wav", 16_000, 1)), ".ogg"),
        ((("quicktime", 48_000, 1),), ".mp3"),
    ],
)
async def test_the_answer_is_a_file_that_its_player_takes(
    bench: Bench, formats: tuple[tuple[str, int, int], ...], ending: str
) -> None:
    box = Box(formats=formats, features=int(LVA))
    async with bench.serving(box):
        url = await answered(bench, box)
        assert url.endswith(ending)
        wanted = next((each for each in formats if ending[1:] in each or (ending, each[0]) == (".ogg", "opus")), None)
        if wanted is not None:
            assert (bench.fetch(url).to_hz or 0, bench.fetch(url).channels) == wanted[1:]
