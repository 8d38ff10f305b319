"""The unmodified `xiaozhi-sdk` as a device, driven by JSON lines, telling JSON lines.

Usage: xiaozhi_sdk_device.py OTA_URL MAC FOLDER. As the SDK's own command line does, it sends its microphone
but while a reply is spoken. Orders: `{"say": "recording.raw"}` (mono PCM16 at 24 kHz), `{"type": "text"}`.
Each reply's sound becomes `FOLDER/N.wav`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import wave
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from xiaozhi_sdk import XiaoZhiWebsocket
from xiaozhi_sdk.config import INPUT_AUDIO_FRAME_DURATION, INPUT_AUDIO_SAMPLE_RATE

FRAME_S = INPUT_AUDIO_FRAME_DURATION / 1000
FRAME_BYTES = int(INPUT_AUDIO_SAMPLE_RATE * FRAME_S) * 2
MUTED_AFTER_REPLY_S = 0.5
VOLUME_TOOL = "self.audio_speaker.set_volume"


def tell(**event: Any) -> None:
    print(json.dumps(event), flush=True)


def set_volume(arguments: dict[str, Any]) -> tuple[Any, bool]:
    """A plain function: the SDK copies its tools deeply, with whatever a method is bound to."""
    tell(type="tool", name=VOLUME_TOOL, arguments=arguments)
    return True, False


def frames_of(recording: Path) -> list[bytes]:
    """A recording cut as a sound card delivers it."""
    pcm16 = recording.read_bytes()
    return [pcm16[at : at + FRAME_BYTES].ljust(FRAME_BYTES, b"\0") for at in range(0, len(pcm16), FRAME_BYTES)]


class Device:
    def __init__(self, ota_url: str, mac: str, folder: Path) -> None:
        self.mac, self.folder = mac, folder
        self.sdk = XiaoZhiWebsocket(self.told, ota_url=ota_url)
        self.said: deque[bytes] = deque()
        self.speaking, self.muted_until_s = False, 0.0
        self.replies = 0

    async def told(self, message: dict[str, Any]) -> None:
        if message["type"] == "tts" and message["state"] == "start":
            self.speaking = True
            self.sdk.output_audio_queue.clear()
        if message["type"] == "tts" and message["state"] == "stop":
            self.speaking, self.muted_until_s = False, time.monotonic() + MUTED_AFTER_REPLY_S
            message = message | {"sound": self.keep()}
        tell(**message)

    def keep(self) -> str:
        """The reply's sound as a file; the queue holds one array a packet."""
        self.replies += 1
        pieces = list(self.sdk.output_audio_queue)
        self.sdk.output_audio_queue.clear()
        file = self.folder / f"{self.replies}.wav"
        with wave.open(str(file), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(INPUT_AUDIO_SAMPLE_RATE)
            sound.writeframes(np.concatenate(pieces, axis=None).astype("<i2").tobytes() if pieces else b"")
        return str(file)

    async def microphone(self) -> None:
        due_s = time.monotonic()
        while True:
            due_s += FRAME_S
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            frame = self.said.popleft() if self.said else bytes(FRAME_BYTES)
            if not self.speaking and time.monotonic() >= self.muted_until_s:
                await self.sdk.send_audio(frame)

    async def obey(self) -> None:
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := await lines.readline():
            order = json.loads(line)
            if "say" in order:
                self.said.extend(frames_of(Path(order["say"])))
            else:
                await self.sdk.send_text(order["type"])

    async def run(self) -> None:
        schema = {"type": "object", "required": ["volume"], "properties": {}}
        schema["properties"] = {"volume": {"type": "integer", "minimum": 0, "maximum": 100}}
        tool = {"name": VOLUME_TOOL, "description": "Set the volume of the audio speaker", "inputSchema": schema}
        await self.sdk.set_mcp_tool([tool | {"tool_func": set_volume, "is_async": False}])
        assert await self.sdk.init_connection(self.mac)
        tell(type="connected")
        speaking = asyncio.create_task(self.microphone())
        await self.obey()
        speaking.cancel()
        await self.sdk.close()


asyncio.run(Device(sys.argv[1], sys.argv[2], Path(sys.argv[3])).run())
