"""The runner against satellites made of the unmodified `wyoming` library's server, over TCP."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import psutil
import pytest
from wyoming.audio import AudioChunk
from wyoming.event import Event
from wyoming.info import AsrProgram, Attribution, Describe, Info
from wyoming.info import Satellite as SatelliteInfo
from wyoming.ping import Ping, Pong
from wyoming.pipeline import PipelineStage, RunPipeline
from wyoming.satellite import RunSatellite
from wyoming.server import AsyncEventHandler, AsyncTcpServer

from entendre.core.actions import ControlMedia, SetVolume
from entendre.core.errors import ConfigurationError, MissingExtraError, OverloadedError
from entendre.gateways.wyoming import RunnerSettings, SatelliteRunner, SatelliteSettings, SatelliteStatus
from entendre.gateways.wyoming.discovery import Announced
from entendre.gateways.wyoming.settings import parse_satellite
from entendre.session import api

ATTRIBUTION = Attribution("A maker", "https://example.org")
QUICK = RunnerSettings(
    dial_s=0.5,
    describe_s=0.3,
    first_retry_s=0.02,
    longest_retry_s=0.05,
    busy_retry_s=0.03,
    stable_s=0.0,
    ping_every_s=0.02,
    describe_every_s=0.02,
    pong_within_s=0.2,
    write_within_s=0.2,
)


class Box:
    """A satellite: one server at a time, as the reference one."""

    def __init__(self, *, pongs: bool = True, satellite: bool = True, silent: bool = False) -> None:
        self.pongs = pongs
        self.silent = silent
        self.leaves_open = False
        self.received: list[Event] = []
        self.server: Handler | None = None
        self.port = 0
        info = SatelliteInfo("Hall box", ATTRIBUTION, True, None, None, area="hall")
        service = AsrProgram("whisper", ATTRIBUTION, True, None, None, models=[])
        self.info = Info(satellite=info) if satellite else Info(asr=[service])

    async def send(self, event: Event) -> None:
        assert self.server is not None
        await self.server.write_event(event)

    def types(self) -> list[str]:
        return [event.type for event in self.received]


class Handler(AsyncEventHandler):
    def __init__(self, box: Box, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(reader, writer)
        self.box = box

    async def handle_event(self, event: Event) -> bool:
        if self.box.silent:
            return True
        if Describe.is_type(event.type):
            await self.write_event(self.box.info.event())
            return True
        if self.box.server is not None and self.box.server is not self:
            if self.box.leaves_open:
                await asyncio.sleep(0.5)
            return False
        self.box.server = self
        if Ping.is_type(event.type) and self.box.pongs:
            await self.write_event(Pong().event())
        elif not Ping.is_type(event.type):
            self.box.received.append(event)
        return True

    async def disconnect(self) -> None:
        if self.box.server is self:
            self.box.server = None


@asynccontextmanager
async def switched_on(*boxes: Box) -> AsyncIterator[None]:
    servers = []
    for box in boxes:
        server = AsyncTcpServer("127.0.0.1", box.port)
        await server.start(lambda reader, writer, box=box: Handler(box, reader, writer))
        assert server._server is not None
        box.port = server._server.sockets[0].getsockname()[1]
        servers.append(server)
    try:
        yield
    finally:
        for server in servers:
            await server.stop()
            await asyncio.gather(*server._handlers, return_exceptions=True)


@asynccontextmanager
async def running(
    factory: Any, *satellites: SatelliteSettings, settings: RunnerSettings = QUICK, **options: Any
) -> AsyncIterator[SatelliteRunner]:
    runner = SatelliteRunner(factory, satellites, settings, chance=lambda: 0.5, **options)
    task = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def settled(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def at(box: Box, **changes: Any) -> SatelliteSettings:
    return replace(SatelliteSettings("127.0.0.1", box.port), **changes)


def status_of(runner: SatelliteRunner) -> SatelliteStatus:
    (status,) = runner.statuses()
    return status


def asr() -> Event:
    return RunPipeline(PipelineStage.ASR, PipelineStage.TTS).event()


def wake() -> Event:
    return RunPipeline(PipelineStage.WAKE, PipelineStage.TTS, restart_on_end=True).event()


async def test_a_satellite_is_described_run_and_heard(factory: Any) -> None:
    box = Box()
    async with switched_on(box), running(factory, at(box, name="kitchen", language="th")) as runner:
        await settled(lambda: RunSatellite.is_type((box.types() or [""])[0]))
        (conversation,) = factory.opened
        profile = conversation.profile
        assert (profile.device, profile.language, profile.room) == ("wyoming-kitchen", "th", "hall")
        assert profile.mode is api.ListenMode.AUTO
        await box.send(asr())
        await box.send(AudioChunk(16_000, 2, 1, bytes(2048)).event())
        await settled(lambda: len(conversation.heard) == 2048)
        assert status_of(runner).state == "serving"
        assert status_of(runner).peer == ("127.0.0.1", box.port)
        await conversation.link.deliver(api.ReplyStarted("r", "t", "Hello", 16_000))
        await conversation.link.deliver(api.ReplyAudio("r", b"ab" * 800))
        await conversation.link.deliver(api.ReplyEnded("r", "t", 0.05))
        await settled(lambda: box.types()[-1] == "audio-stop")
        assert box.types()[1:] == ["transcribe", "synthesize", "audio-start", "audio-chunk", "audio-stop"]
        assert await conversation.link.perform(SetVolume(30))
        assert not await conversation.link.perform(ControlMedia("play"))
    assert conversation.ended


async def test_the_room_that_its_owner_configured_wins(factory: Any) -> None:
    box = Box()
    async with switched_on(box), running(factory, at(box, room="kitchen")):
        await settled(lambda: factory.opened)
        assert factory.opened[0].profile.room == "kitchen"
        assert factory.opened[0].profile.device == f"wyoming-127.0.0.1-{box.port}"


async def test_a_satellite_that_was_taken_for_another_kind_gets_a_fitting_conversation(factory: Any) -> None:
    box = Box()
    async with switched_on(box), running(factory, at(box, wake_words=("okay_nabu",))):
        await settled(lambda: box.received)
        assert factory.opened[0].profile.mode is api.ListenMode.WAKE
        await box.send(asr())
        await settled(lambda: len(factory.opened) == 2 and factory.opened[1].calls)
        assert factory.opened[0].ended
        assert factory.opened[1].profile.mode is api.ListenMode.AUTO
        await box.send(wake())
        await settled(lambda: "detect" in box.types())
        assert [each.profile.mode for each in factory.opened] == [
            api.ListenMode.WAKE,
            api.ListenMode.AUTO,
            api.ListenMode.WAKE,
        ]


async def test_a_satellite_that_comes_back_is_served_again_at_its_volume(factory: Any) -> None:
    box = Box()
    async with running(factory, SatelliteSettings("127.0.0.1", 9)) as runner:
        await settled(lambda: status_of(runner).state == "unreachable")
    async with switched_on(box):
        pass
    async with running(factory, at(box)) as runner:
        await settled(lambda: status_of(runner).state == "unreachable")
        for number in range(1, 3):
            async with switched_on(box):
                await settled(lambda number=number: status_of(runner).connections == number)
                await factory.opened[-1].link.perform(SetVolume(40))
            await settled(lambda: status_of(runner).state != "serving")
        told = [call[1] for call in factory.opened[0].calls if call[0] == "reconfigure"]
        assert [profile.volume for profile in told] == [40], "so that it can be asked for"
        assert factory.opened[1].profile.volume == 40
        assert all(conversation.ended for conversation in factory.opened)


async def test_a_satellite_of_another_server_is_reported_and_taken_over_when_free(
    factory: Any, caplog: pytest.LogCaptureFixture
) -> None:
    box = Box()
    with caplog.at_level(logging.WARNING, "entendre"):
        async with switched_on(box), running(factory, at(box)) as first:
            await settled(lambda: status_of(first).state == "serving")
            async with running(factory, at(box)) as second:
                await settled(lambda: status_of(second).state == "busy")
                assert "another server" in status_of(second).message
                assert status_of(first).state == "serving"
                first.tasks[status_of(first).device].cancel()
                await settled(lambda: status_of(second).state == "serving")
    assert [record.message for record in caplog.records].count("satellite busy") == 1


async def test_a_second_connection_that_is_left_open_and_dead_is_reported_too(factory: Any) -> None:
    box = Box(pongs=False)
    box.leaves_open = True
    hasty = replace(QUICK, pong_within_s=0.05)
    async with switched_on(box), running(factory, at(box), settings=hasty) as first:
        await settled(lambda: status_of(first).state == "serving")
        async with running(factory, at(box), settings=hasty) as second:
            await settled(lambda: status_of(second).state == "busy")
        assert status_of(first).connections == 1


async def test_a_service_that_is_no_satellite_is_left_alone(factory: Any) -> None:
    box = Box(satellite=False)
    async with switched_on(box), running(factory, at(box)) as runner:
        await settled(lambda: status_of(runner).state == "not_a_satellite")
        await settled(lambda: all(task.done() for task in runner.tasks.values()))
    assert factory.opened == []


async def test_silent_ones_are_given_up_and_block_nobody(factory: Any) -> None:
    silent, stalled, good = Box(silent=True), Box(), Box()
    async with (
        switched_on(silent, stalled, good),
        running(factory, at(silent, name="a"), at(stalled, name="b"), at(good, name="c")) as runner,
    ):
        await settled(lambda: stalled.received and good.received)
        await settled(lambda: [status.state for status in runner.statuses()][1:] == ["serving", "serving"])
        await settled(lambda: runner.statuses()[0].state == "silent")
        stalled.pongs = False
        stalled.silent = True
        await settled(lambda: runner.statuses()[1].state == "silent")
        assert runner.statuses()[2].state == "serving"
        assert runner.statuses()[2].connections == 1


async def test_an_old_satellite_that_knows_no_pings_is_kept(factory: Any) -> None:
    box = Box(pongs=False)
    async with switched_on(box), running(factory, at(box), settings=replace(QUICK, pong_within_s=0.05)) as runner:
        await settled(lambda: box.received)
        await asyncio.sleep(0.2)
        await box.send(asr())
        await settled(lambda: "transcribe" in box.types())
        assert status_of(runner).connections == 1


async def test_a_satellite_that_does_not_read_is_dropped(factory: Any) -> None:
    box = Box()
    async with switched_on(box), running(factory, at(box)) as runner:
        await settled(lambda: box.received)
        assert box.server is not None
        conversation, transport = factory.opened[0], box.server.writer.transport
        transport.pause_reading()
        await conversation.link.deliver(api.ReplyStarted("r", "t", "Hello", 16_000))
        with pytest.raises(Exception, match="does not read"):
            for _ in range(200):
                await conversation.link.deliver(api.ReplyAudio("r", bytes(100_000)))
        await settled(lambda: conversation.ended)
        assert status_of(runner).connections == 1
        transport.resume_reading()
        await settled(lambda: status_of(runner).connections == 2)


@pytest.mark.parametrize("piece", [b"garbage\n", b'{"type": "info", "payload_length": 99999999999}\n', b"x" * 70_000])
async def test_a_satellite_that_breaks_the_protocol_is_dropped_with_a_reason(
    factory: Any, piece: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    box = Box()
    async with switched_on(box), running(factory, at(box), settings=replace(QUICK, first_retry_s=5.0)) as runner:
        await settled(lambda: box.received)
        assert box.server is not None
        box.server.writer.write(piece)
        await settled(lambda: "error" in box.types())
        await settled(lambda: status_of(runner).state in ("bad_json", "length_too_large", "header_too_long"))
        assert factory.opened[0].ended


async def test_what_a_conversation_raises_ends_only_its_connection(factory: Any) -> None:
    first, second, third = Box(), Box(), Box()
    async with (
        switched_on(first, second, third),
        running(factory, at(first, name="a"), at(second, name="b"), at(third, name="c")) as runner,
    ):
        await settled(lambda: len([box for box in (first, second, third) if box.received]) == 3)
        by_device = {each.profile.device: each for each in factory.opened}
        by_device["wyoming-a"].failure = OverloadedError("Too much.")
        by_device["wyoming-b"].failure = RuntimeError("a bug")
        by_device["wyoming-a"].close()
        by_device["wyoming-b"].close()
        await settled(lambda: [each.connections for each in runner.statuses()] == [2, 2, 1])
        await settled(lambda: [each.state for each in runner.statuses()] == ["serving"] * 3)


async def test_it_ends_even_if_a_connection_fails_while_it_is_cancelled(factory: Any) -> None:
    box = Box()

    async def fail_when_cancelled() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise OverloadedError("Too much.")

    async with switched_on(box):
        runner = SatelliteRunner(factory, [at(box)], QUICK)
        factory.prepare = lambda conversation: setattr(conversation, "run", fail_when_cancelled)
        task = asyncio.create_task(runner.run())
        await settled(lambda: box.received)
        task.cancel()
        async with asyncio.timeout(1):
            await asyncio.gather(task, return_exceptions=True)
        assert task.done()


async def test_too_much_audio_stops_the_stream_and_keeps_the_connection(factory: Any) -> None:
    box = Box()

    def refuse(pcm16: bytes) -> None:
        raise OverloadedError("Too much audio.")

    async with switched_on(box), running(factory, at(box)) as runner:
        await settled(lambda: box.received)
        factory.opened[0].hear = refuse
        await box.send(asr())
        await box.send(AudioChunk(16_000, 2, 1, bytes(2048)).event())
        await settled(lambda: "error" in box.types())
        assert status_of(runner).connections == 1
        await box.send(AudioChunk(16_000, 2, 1, bytes(3)).event())
        await settled(lambda: status_of(runner).connections == 2)


async def test_announced_satellites_are_dialled_once(factory: Any) -> None:
    box, moved, service = Box(), Box(), Box(satellite=False)

    async def announcements() -> AsyncIterator[Announced]:
        yield Announced("configured", "127.0.0.1", known.port)
        for _ in range(2):
            yield Announced("box", "127.0.0.1", box.port)
            yield Announced("whisper", "127.0.0.1", service.port)
        await settled(lambda: box.received)
        yield Announced("box", "127.0.0.1", moved.port)
        for number in range(200):
            yield Announced(f"n{number}", "127.0.0.1", 1 + number)
        await asyncio.Event().wait()

    known = Box()
    settings = replace(QUICK, discover=True, language="hi", wake_words=("alexa",))
    async with (
        switched_on(box, moved, service, known),
        running(factory, at(known, name="own"), settings=settings, browse=announcements) as runner,
    ):
        await settled(lambda: moved.received and known.received)
        profiles = {each.profile.device: each.profile for each in factory.opened}
        assert set(profiles) == {"wyoming-own", "wyoming-box"}
        assert (profiles["wyoming-box"].language, profiles["wyoming-box"].wake_words) == ("hi", ("alexa",))
        most = 64 + 1  # one of them turned out to be no satellite
        await settled(lambda: len(runner.statuses()) == most)
        await asyncio.sleep(0.02)
        assert len(runner.statuses()) == most


@pytest.mark.parametrize("error", [MissingExtraError("Install it."), OSError(19, "No such device")])
async def test_configured_satellites_go_on_when_none_can_be_looked_for(
    factory: Any, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    box = Box()

    async def announcements() -> AsyncIterator[Announced]:
        raise error
        yield  # an async iterator that fails at once

    settings = replace(QUICK, discover=True)
    with caplog.at_level(logging.WARNING, "entendre"):
        async with switched_on(box), running(factory, at(box), settings=settings, browse=announcements) as runner:
            await settled(lambda: status_of(runner).state == "serving")
            await settled(lambda: "looked for" in caplog.text)


async def test_two_hundred_reconnects_leave_nothing_behind(factory: Any) -> None:
    box = Box()
    eager = replace(QUICK, first_retry_s=0.0, longest_retry_s=0.0)
    async with switched_on(box), running(factory, at(box), settings=eager) as runner:

        async def storm(times: int) -> None:
            for _ in range(times):
                before = status_of(runner).connections
                await settled(lambda: box.server is not None)
                assert box.server is not None
                box.server.writer.transport.abort()
                await settled(lambda before=before: status_of(runner).connections > before)
                factory.opened.clear()

        await storm(20)
        process = psutil.Process()
        gc.collect()
        before = (process.num_fds(), len(gc.get_objects()), len(asyncio.all_tasks()))
        await storm(200)
        gc.collect()
        after = (process.num_fds(), len(gc.get_objects()), len(asyncio.all_tasks()))
    assert after[0] <= before[0] + 2
    assert after[1] - before[1] < 1_000
    assert after[2] <= before[2] + 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hall.local", ("hall.local", 10_700, None, None)),
        ("192.0.2.7:10701", ("192.0.2.7", 10_701, None, None)),
        ("kitchen@Kitchen=box:1", ("box", 1, "kitchen", "Kitchen")),
        ("@Kitchen=box:1", ("box", 1, None, "Kitchen")),
        ("k=[fe80::1%eth0]:10700", ("fe80::1%eth0", 10_700, "k", None)),
        ("2001:db8::1", ("2001:db8::1", 10_700, None, None)),
    ],
)
def test_a_satellite_is_written_in_one_line(text: str, expected: tuple[Any, ...]) -> None:
    parsed = parse_satellite(text, language="pt", wake_words=("alexa",))
    assert (parsed.host, parsed.port, parsed.name, parsed.room) == expected
    assert (parsed.language, parsed.wake_words) == ("pt", ("alexa",))


@pytest.mark.parametrize("text", ["", "a=", "box:", "box:http", "box:0", "box:70000", "[::1", ":10700"])
def test_a_satellite_that_is_written_wrong_is_refused(text: str) -> None:
    if text in ("box:", "[::1"):
        assert parse_satellite(text).port == 10_700
        return
    with pytest.raises(ConfigurationError, match="host:port"):
        parse_satellite(text)
