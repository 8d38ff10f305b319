"""What a device is told that belongs to nobody yet: its code, shown and spoken digit by digit, and nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from entendre.core.actions import Action
from entendre.core.clock import Clock
from entendre.core.errors import EntendreError
from entendre.core.tags import first_tag
from entendre.gateways.xiaozhi.downlink import AudioPacket, Downlink
from entendre.gateways.xiaozhi.settings import FRAME_S, XiaozhiSettings
from entendre.gateways.xiaozhi.talk import Channel
from entendre.ports import Voice
from entendre.session.api import ReplyAudio, SessionEvent
from entendre.session.speaking import Playback, Sound, play
from entendre.wire import xiaozhi_messages as wire

log = logging.getLogger(__name__)

SayCode = Callable[[str, str], str]
"""`say_code("482913", "en")`: what asks a person to bind the device."""


class BindingPrompt:
    """A channel of an unbound device. Nothing that it says is heard, and it is no speaker of the home."""

    def __init__(
        self,
        channel: Channel,
        settings: XiaozhiSettings,
        *,
        session: str,
        clock: Clock,
        code: str,
        text: str,
        voice: Voice | None,
    ) -> None:
        """`text` is said in the voice, if there is one. Raises: MissingExtraError."""
        self._channel = channel
        self._settings = settings
        self._session = session
        self._clock = clock
        self._code = code
        self._text = text
        self._voice = voice
        self._downlink = Downlink(clock.monotonic, lead_s=settings.lead_packets * FRAME_S)
        self._asked = asyncio.Event()
        self._ending: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self) -> str:
        """Ask to be bound now, and again when the device is spoken to; why it ended."""
        prompting = asyncio.create_task(self._prompt())
        try:
            return await self._ending
        finally:
            prompting.cancel()
            await asyncio.gather(prompting, return_exceptions=True)

    def end(self, reason: str) -> None:
        """Have `run` return; the first reason counts."""
        if not self._ending.done():
            self._ending.set_result(reason)

    def received(self, message: wire.DeviceMessage) -> None:
        """Somebody spoke to the device, or it left."""
        if isinstance(message, wire.WakeWordDetected):
            self._asked.set()
        elif isinstance(message, wire.Goodbye):
            self.end("closed")

    def hear_packet(self, opus: bytes, lost: int = 0, timestamp_ms: int = 0) -> None:
        """Not heard."""

    async def _prompt(self) -> None:
        """Task root: a voice that fails leaves the code on the screen."""
        try:
            for _ in range(self._settings.bind_prompts):
                if self._code:  # without one the device is bound, and about to prove its key
                    await self._say()
                self._asked.clear()
                async with asyncio.timeout(self._settings.idle_s):
                    await self._asked.wait()
        except TimeoutError:
            pass
        except (ConnectionError, EntendreError) as error:
            log.info("no binding prompt", extra={"reason": type(error).__name__})
        self.end("unbound")

    async def _say(self) -> None:
        session = self._session
        self._downlink.open(self._clock.monotonic() + self._settings.first_audio_s)
        shown = " ".join(self._code)
        for text in (wire.tts_start(session), wire.tts_sentence(session, shown or self._text)):
            await self._channel.send_text(text)
        try:
            if self._voice is not None:
                await self._speak(self._voice)
        finally:
            self._downlink.stop()
            await self._channel.send_text(wire.tts_stop(session))

    async def _speak(self, voice: Voice) -> None:
        chunks = voice.synthesize(self._text, language=first_tag(self._settings.language), speed=1.0)
        playback = Playback("bind", "", voice.rate_hz, self._settings.lead_packets * FRAME_S, self._clock)
        self._downlink.begin(voice.rate_hz)
        sound = Sound(self._text, voice.rate_hz, chunks)
        await play(playback, sound, self, expects_reply=False, delivery_s=self._settings.send_s)
        await self._send(self._downlink.end())

    async def deliver(self, event: SessionEvent) -> None:
        """A piece of the prompt's sound."""
        if isinstance(event, ReplyAudio):
            await asyncio.sleep(self._downlink.wait_s())
            await self._send(self._downlink.push(event.pcm))

    async def perform(self, action: Action) -> bool:
        """Nothing is done for a stranger."""
        return False

    async def _send(self, packets: list[AudioPacket]) -> None:
        for packet in packets:
            await self._channel.send_audio(packet)
