"""A transcript of linux-voice-assistant, replayed: its frames byte by byte, and what it was told in its order."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from aioesphomeapi import api_pb2 as pb
from device_box import EVENT, NUMBERS, Client
from esphome_bench import Bench, settled

from entendre.gateways.esphome.settings import DeviceSettings
from entendre.session import api

TRANSCRIPT = Path(__file__).parents[3] / "wire" / "transcripts" / "esphome_lva.jsonl"
UNTOLD = {"url", "media_id", "preannounce_media_id"}
"""What differs each time: the addresses of replies."""


def rows() -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in TRANSCRIPT.read_text().splitlines()]
    assert "provenance" in lines[0]
    return lines[1:]


def message(row: dict[str, Any]) -> Any:
    return getattr(pb, row["type"]).FromString(bytes.fromhex(row["data"]))


class Recorded:
    """The device's side of the transcript: it says what it said, after it was told what it was told."""

    def __init__(self, bench: Bench, piece_bytes: int) -> None:
        self._bench = bench
        self._piece_bytes = piece_bytes
        self._told: deque[Any] = deque()
        self._news = asyncio.Event()
        self._writer: asyncio.StreamWriter
        self._turn = 0
        self._reply = ""
        self.audio_bytes = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        client = Client(None, reader, writer)  # type: ignore[arg-type]
        try:
            while True:
                told = await client.receive()
                if not isinstance(told, pb.PingRequest | pb.DisconnectRequest):
                    self._told.append(told)
                    self._news.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def play(self) -> None:
        for row in rows():
            if row["from"] == "device":
                await self._say(row)
            else:
                await self._expect(message(row))

    async def _say(self, row: dict[str, Any]) -> None:
        if row["type"] == "VoiceAssistantAudio":
            for size in row["audio_bytes"]:
                self.audio_bytes += size
                self._write(pb.VoiceAssistantAudio(data=bytes(size)))
            return
        if row["type"] == "VoiceAssistantAnnounceFinished" and self._reply:
            await self._end_reply()
        self._write(message(row))
        await asyncio.sleep(0.003)

    def _write(self, said: Any) -> None:
        data = said.SerializeToString()
        frame = b"\x00" + _varint(len(data)) + _varint(NUMBERS[type(said)]) + data
        for start in range(0, len(frame), self._piece_bytes):
            self._writer.write(frame[start : start + self._piece_bytes])

    async def _expect(self, wanted: Any) -> None:
        """The next thing that it is told, which the conversation may have to bring about first."""
        if not self._told:
            await self._bring_about(wanted)
        async with asyncio.timeout(5):
            while not self._told:
                self._news.clear()
                await self._news.wait()
        told = self._told.popleft()
        assert _comparable(told) == _comparable(wanted)
        if isinstance(told, pb.VoiceAssistantAnnounceRequest):
            self._bench.fetch(told.media_id)

    async def _bring_about(self, wanted: Any) -> None:
        await asyncio.sleep(0.005)
        if self._told:
            return
        turn = f"t{self._turn}"
        match wanted:
            case pb.VoiceAssistantEventResponse():
                data = {item.name: item.value for item in wanted.data}
                await self._event(EVENT[wanted.event_type], data, turn)
            case pb.VoiceAssistantTimerEventResponse():
                change = {0: "started", 3: "ringing"}[wanted.event_type]
                shown = (wanted.timer_id, change, None, wanted.total_seconds, wanted.seconds_left, False)
                await self._bench.tell(api.TimerChanged(*shown))
            case pb.VoiceAssistantAnnounceRequest():
                await self._begin_reply("", wanted.text, expects_reply=False)

    async def _event(self, name: str, data: dict[str, str], turn: str) -> None:
        match name:
            case "STT_VAD_START":
                await self._bench.tell(api.SpeechStarted(turn, 0.1))
            case "STT_VAD_END":
                later = (row for row in rows() if row["type"] == "VoiceAssistantEventResponse")
                texts = [m for m in map(message, later) if EVENT[m.event_type] == "STT_END"]
                await self._bench.tell(api.TurnCommitted(turn, texts[self._turn].data[0].value, "en"))
            case "INTENT_END":
                later = (row for row in rows() if row["type"] == "VoiceAssistantEventResponse")
                texts = [m for m in map(message, later) if EVENT[m.event_type] == "TTS_START"]
                said, again = texts[self._turn].data[0].value, data["continue_conversation"] == "1"
                await self._begin_reply(turn, said, expects_reply=again)
                self._turn += 1
            case "ERROR":
                await self._bench.tell(api.ListeningEnded("no_speech"))

    async def _begin_reply(self, turn: str, text: str, *, expects_reply: bool) -> None:
        self._reply = f"reply-{turn}"
        await self._bench.tell(
            api.ReplyStarted(self._reply, turn, text, 24_000, expects_reply), api.ReplyAudio(self._reply, bytes(4_800))
        )

    async def _end_reply(self) -> None:
        link = self._bench.conversation.link
        out = link._dialogue._out
        if out is not None:
            out.posted.fetched_at = out.posted.fetched_at or 1.0
            task = asyncio.ensure_future(self._bench.tell(api.ReplyEnded(self._reply, "t", 0.1)))
            self._ended = task
        self._reply = ""


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)


def _comparable(told: Any) -> tuple[str, dict[str, Any]]:
    """A message without what differs each time."""
    if isinstance(told, pb.VoiceAssistantEventResponse):
        data = {item.name: item.value for item in told.data if item.name not in UNTOLD}
        return EVENT[told.event_type], data
    found = {field.name: value for field, value in told.ListFields() if field.name not in UNTOLD}
    return type(told).__name__, found


@pytest.mark.parametrize("piece_bytes", [1, 100_000])
async def test_linux_voice_assistant_is_told_what_it_was_told(bench: Bench, piece_bytes: int) -> None:
    recorded = Recorded(bench, piece_bytes)
    server = await asyncio.start_server(recorded.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    device = DeviceSettings("127.0.0.1", port, name="kitchen", room="kitchen")
    async with server, bench.running(device):
        await asyncio.wait_for(_dialled(bench, recorded), 30)
        conversation = bench.conversation
        starts = [call for call in conversation.calls if call[0] == "start_listening"]
        assert len(starts) == sum(row["type"] == "VoiceAssistantRequest" for row in rows())
        assert 0 < len(conversation.heard) <= recorded.audio_bytes
        volumes = [call[1].volume for call in conversation.calls if call[0] == "reconfigure"]
        assert volumes == [50]


async def _dialled(bench: Bench, recorded: Recorded) -> None:
    await settled(lambda: hasattr(recorded, "_writer"))
    await recorded.play()
