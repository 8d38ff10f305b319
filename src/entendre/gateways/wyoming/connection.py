"""One connection to one satellite: dial, ask what it is, run its conversation, and notice when it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace

from entendre.core.actions import Action
from entendre.core.errors import EntendreError, OverloadedError
from entendre.gateways.parts import Parts
from entendre.gateways.wyoming.dialogue import SatelliteDialogue, mode_at_first, mode_of
from entendre.gateways.wyoming.loudness import Loudness
from entendre.gateways.wyoming.settings import RunnerSettings, SatelliteSettings
from entendre.gateways.wyoming.stream import READ_BYTES, ConnectionEndedError, WyomingStream
from entendre.session.api import Conversation, ConversationFactory, DeviceProfile, SessionEvent
from entendre.wire.wyoming_events import Describe, Error, Ping, Pong, RunPipeline, RunSatellite, WyomingEvent
from entendre.wire.wyoming_info import Info

logger = logging.getLogger(__name__)

PING_TEXT = "entendre"
BUSY_MESSAGE = "another server runs this satellite, which serves one at a time"
"""A satellite that has a server describes itself to a second one, and closes at the first thing it is told."""


class SatelliteConnection:
    """From dialling to the end of one connection; implements `DeviceLink`."""

    def __init__(
        self,
        factory: ConversationFactory,
        satellite: SatelliteSettings,
        settings: RunnerSettings,
        loudness: Loudness,
    ) -> None:
        self._factory = factory
        self._satellite = satellite
        self._settings = settings
        self._loudness = loudness
        self._stream: WyomingStream
        self._info = Info()
        self._profile: DeviceProfile
        self._dialogue: SatelliteDialogue
        self._conversation: Conversation
        self._conversation_task: asyncio.Task[None] | None = None
        self._parts = Parts()
        self._sign_of_life = asyncio.Event()
        self._heard_from = False
        self.serving = asyncio.Event()

    @property
    def peer(self) -> tuple[str, int]:
        """The numeric address that was dialled."""
        return self._stream.peer

    async def run(self) -> None:
        """Serve the satellite until the connection ends.

        Raises: ConnectionEndedError, always unless cancelled; its `reason` says why.
        """
        self._stream = await self._dial()
        last: Error | None = None
        try:
            self._info = await self._describe()
            self._profile = self._profile_of(self._info)
            await self._serve()
        except ConnectionEndedError as error:
            last = Error(error.public_message, error.reason)
            raise
        finally:
            await self._stream.close(last)

    async def deliver(self, event: SessionEvent) -> None:
        """Send a session's event in the satellite's terms."""
        for item in self._dialogue.deliver(event):
            await self._stream.send(item)

    async def perform(self, action: Action) -> bool:
        """Volume and mute; a satellite can do nothing else."""
        done = self._loudness.perform(action)
        if self._loudness.percent != self._profile.volume:
            self._profile = replace(self._profile, volume=self._loudness.percent)
            self._conversation.reconfigure(self._profile)
        return done

    async def _dial(self) -> WyomingStream:
        host, port = self._satellite.host, self._satellite.port
        try:
            async with asyncio.timeout(self._settings.dial_s):
                reader, writer = await asyncio.open_connection(host, port, limit=READ_BYTES)
        except TimeoutError:
            raise ConnectionEndedError("unreachable", "the satellite did not answer in time") from None
        except OSError as error:
            raise ConnectionEndedError("unreachable", error.strerror or "no connection") from error
        return WyomingStream(reader, writer, write_within_s=self._settings.write_within_s)

    async def _describe(self) -> Info:
        await self._stream.send(Describe())
        try:
            async with asyncio.timeout(self._settings.describe_s):
                return await self._info_event()
        except TimeoutError:
            raise ConnectionEndedError("silent", "the satellite did not describe itself in time") from None

    async def _info_event(self) -> Info:
        while (events := await self._stream.receive()) is not None:
            for event in events:
                if isinstance(event, Info):
                    if event.satellite is None:
                        raise ConnectionEndedError("not_a_satellite", "this Wyoming service is no satellite")
                    return event
        raise ConnectionEndedError("lost", "the satellite closed the connection")

    def _profile_of(self, info: Info) -> DeviceProfile:
        satellite = self._satellite
        area = info.satellite.area if info.satellite is not None else None
        return DeviceProfile(
            device=satellite.device,
            language=satellite.language,
            room=satellite.room or area,
            mode=mode_at_first(info, satellite.wake_words),
            wake_words=satellite.wake_words,
            cancels_echo=satellite.cancels_echo,
            listens_while_speaking=True,
            reply_lead_s=self._settings.reply_lead_s,
            volume=self._loudness.percent,
            takes_fillers=True,
        )

    async def _serve(self) -> None:
        try:
            self._open_conversation()
            await self._stream.send(RunSatellite())
            self._parts.start(self._read())
            self._parts.start(self._watch())
            await self._parts.until_failed()
        except ConnectionEndedError as error:
            if error.reason == "lost" and not self._heard_from:
                raise ConnectionEndedError("busy", BUSY_MESSAGE) from error
            raise
        finally:
            await self._parts.stop()

    def _open_conversation(self) -> None:
        conversation = self._conversation = self._factory.open(self._profile, self)
        self._dialogue = SatelliteDialogue(self._profile, self._info, self._loudness)
        self._dialogue.attach(conversation)
        self._conversation_task = self._parts.start(self._converse(conversation))

    async def _converse(self, conversation: Conversation) -> None:
        try:
            await conversation.run()
        except ConnectionEndedError:
            raise
        except EntendreError as error:
            raise ConnectionEndedError(error.code, error.public_message) from error
        raise ConnectionEndedError("closed", "this server ended the conversation")

    async def _read(self) -> None:
        while (events := await self._stream.receive()) is not None:
            self._heard_from = True
            self.serving.set()
            for event in events:
                await self._received(event)
        raise ConnectionEndedError("lost", "the satellite closed the connection")

    async def _received(self, event: WyomingEvent) -> None:
        if isinstance(event, Pong | Info):
            self._sign_of_life.set()
            return
        if isinstance(event, RunPipeline):
            await self._fit_mode(event)
        try:
            answers = self._dialogue.received(event)
        except OverloadedError as error:
            answers = [Error(error.public_message, error.code)]
        except EntendreError as error:
            raise ConnectionEndedError(error.code, error.public_message) from error
        for answer in answers:
            self._stream.post(answer)

    async def _fit_mode(self, pipeline: RunPipeline) -> None:
        """A wake word engine is opened with a conversation, so the other way of waking needs another one."""
        mode = mode_of(pipeline, self._profile)
        if mode is self._profile.mode or self._conversation_task is None:
            return
        self._conversation_task.cancel()
        await asyncio.wait([self._conversation_task])
        self._profile = replace(self._profile, mode=mode)
        self._open_conversation()

    async def _watch(self) -> None:
        """Ask for signs of life: by pings, or by descriptions where pings are unknown (wyoming-satellite 1.0).

        One that has another server may leave our connection open and dead; that too answers nothing.
        """
        settings = self._settings
        knows_pings = await self._answers(Ping(PING_TEXT))
        while knows_pings or await self._answers(Describe()):
            await asyncio.sleep(settings.ping_every_s if knows_pings else settings.describe_every_s)
            if knows_pings and not await self._answers(Ping(PING_TEXT)):
                break
        if not self._heard_from:
            raise ConnectionEndedError("busy", BUSY_MESSAGE)
        raise ConnectionEndedError("silent", "the satellite no longer answers")

    async def _answers(self, question: WyomingEvent) -> bool:
        self._sign_of_life.clear()
        self._stream.post(question)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.pong_within_s):
                await self._sign_of_life.wait()
        return self._sign_of_life.is_set()
