"""One connection to one device: reach it, ask what it is, run its conversation, and notice when it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from dataclasses import replace

from aioesphomeapi import (
    EntityState,
    VoiceAssistantAnnounceFinished,
    VoiceAssistantAudioSettings,
    VoiceAssistantCommandFlag,
    VoiceAssistantEventType,
    VoiceAssistantFeature,
)
from aioesphomeapi.client import APIClient
from aioesphomeapi.core import (
    APIConnectionError,
    BadMACAddressAPIError,
    BadNameAPIError,
    EncryptionHelloAPIError,
    EncryptionPlaintextAPIError,
    InvalidAuthAPIError,
    InvalidEncryptionKeyAPIError,
    RequiresEncryptionAPIError,
)

from entendre.core.actions import Action
from entendre.core.errors import EntendreError
from entendre.gateways.esphome.device import VoiceDevice
from entendre.gateways.esphome.dial_in import Caller
from entendre.gateways.esphome.dialogue import DeviceDialogue
from entendre.gateways.esphome.house import House
from entendre.gateways.esphome.outgoing import Fetched
from entendre.gateways.esphome.settings import DeviceSettings, RunnerSettings
from entendre.gateways.esphome.udp import UdpAudio
from entendre.gateways.esphome.wake_words import configure_wake_words
from entendre.gateways.parts import Parts
from entendre.gateways.redial import ConnectionEndedError
from entendre.session.api import Conversation, DeviceProfile, ListenMode, SessionEvent

logger = logging.getLogger(__name__)

CLIENT_NAME = "entendre"
UNPACED_S = 3_600.0
"""Lead for devices that fetch: HTTP paces them, and what is synthesised early is there early."""
PUSHED_LEAD_S = 0.3
"""Lead for bare speakers, whose ring holds 512 ms: with a piece of 60 ms on top at most 360 ms are ahead."""
REFUSALS: tuple[tuple[type[APIConnectionError], str, str], ...] = (
    (RequiresEncryptionAPIError, "needs_key", "the device is encrypted: add its key to esphome.noise_keys"),
    (EncryptionPlaintextAPIError, "not_encrypted", "the device is not encrypted: remove its key"),
    (EncryptionHelloAPIError, "not_encrypted", "the device is not encrypted: remove its key"),
    (InvalidEncryptionKeyAPIError, "wrong_key", "the device has another key"),
    (InvalidAuthAPIError, "needs_password", "the device has a password, which ESPHome has given up: use a key"),
    (BadNameAPIError, "another_device", "another device answers there"),
    (BadMACAddressAPIError, "another_device", "another device answers there"),
)
SLOW_REASONS = frozenset({reason for _, reason, _ in REFUSALS} | {"no_voice"})
"""What will not change by itself."""


class DeviceConnection:
    """From dialling to the end of one connection; implements `DeviceLink`."""

    def __init__(self, device: DeviceSettings, settings: RunnerSettings, house: House, caller: Caller | None) -> None:
        """`caller`: where a device that dials in is waited for."""
        self._settings = device
        self._runner = settings
        self._house = house
        self._caller = caller
        self._client = APIClient(
            device.host or device.hardware,
            device.port,
            None,
            client_info=CLIENT_NAME,
            keepalive=settings.keep_alive_s,
            noise_psk=device.key,
            expected_mac=device.hardware or None,
            outgoing_connection_target=caller is not None,
        )
        self._peer = (device.host, device.port)
        self._local = ""
        self._device: VoiceDevice
        self._dialogue: DeviceDialogue
        self._profile: DeviceProfile
        self._conversation: Conversation
        self._conversation_task: asyncio.Task[None]
        self._udp: UdpAudio | None = None
        self._parts = Parts()
        self.serving = asyncio.Event()

    @property
    def peer(self) -> tuple[str, int]:
        """The numeric address that was reached."""
        return self._peer

    async def run(self) -> None:
        """Serve the device until the connection ends.

        Raises: ConnectionEndedError, always unless cancelled; its `reason` says why.
        """
        try:
            await self._reach()
            await self._describe()
            await self._serve()
        except APIConnectionError as error:
            raise _ended(error) from error
        finally:
            await self._hang_up()

    # -- the session's side ------------------------------------------------------------------------------------------

    async def deliver(self, event: SessionEvent) -> None:
        """Send a session's event in the device's terms."""
        await self._dialogue.deliver(event)

    async def perform(self, action: Action) -> bool:
        """Volume, media and the device's own light."""
        done = self._device.perform(action)
        self._note_volume()
        return done

    # -- reaching it -------------------------------------------------------------------------------------------------

    async def _reach(self) -> None:
        called = await self._caller.call() if self._caller is not None else None
        try:
            async with asyncio.timeout(self._runner.dial_s if called is None else self._runner.called_s):
                if called is not None:
                    self._local = str(called.getsockname()[0]).removeprefix("::ffff:")
                    self._client.start_connection_from_socket(called, on_stop=self._stopped, log_errors=False)
                else:
                    await self._client.start_resolve_host(on_stop=self._stopped, log_errors=False)
                    await self._client.start_connection()
                await self._client.finish_connection(login=True)
        except TimeoutError:
            raise ConnectionEndedError("unreachable", "the device did not answer in time") from None
        except OSError as error:
            raise ConnectionEndedError("unreachable", error.strerror or "no connection") from error
        address = self._client.connected_address or self._settings.host
        self._peer = (address, self._settings.port)
        self._local = self._local or _local_address(address)

    async def _stopped(self, expected: bool) -> None:
        """The library says that the connection is gone."""
        reason = "closed" if expected else "lost"
        self._parts.fail(
            ConnectionEndedError(reason, "the device closed the connection" if expected else "it was lost")
        )

    async def _describe(self) -> None:
        try:
            async with asyncio.timeout(self._runner.describe_s):
                info, entities, _ = await self._client.device_info_and_list_entities()
        except TimeoutError:
            raise ConnectionEndedError("silent", "the device did not describe itself in time") from None
        self._device = VoiceDevice(self._client, info, entities)
        if not self._device.has(VoiceAssistantFeature.VOICE_ASSISTANT):
            raise ConnectionEndedError("no_voice", "the device has no voice assistant")

    # -- serving it --------------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        device = self._device
        self._profile = self._profile_at_first()
        self._dialogue = DeviceDialogue(
            device,
            self,
            name=self._settings.device,
            push=self._push,
            start=self._parts.start,
            dismiss=self._dismiss_all,
            chimes=self._runner.chime,
        )
        self._open_conversation()
        self._client.subscribe_states(self._state)
        self._client.subscribe_voice_assistant(
            handle_start=self._on_start,
            handle_stop=self._on_stop,
            handle_audio=self._on_audio if device.has(VoiceAssistantFeature.API_AUDIO) else None,
            handle_announcement_finished=self._on_finished,
        )
        for timer in self._house.timers(self._settings.device):
            await self._dialogue.deliver(timer)
        self._parts.start(self._configure())
        self.serving.set()
        try:
            await self._parts.until_failed()
        finally:
            self._dialogue.close()

    def _profile_at_first(self) -> DeviceProfile:
        device = self._device
        tools = device.tools()
        return DeviceProfile(
            device=self._settings.device,
            language=self._runner.language,
            room=self._settings.room or device.area,
            mode=ListenMode.AUTO,
            reply_lead_s=PUSHED_LEAD_S if device.takes_pushed_audio else UNPACED_S,
            volume=device.volume,
            tools=tuple(each.name for each in tools),
            tool_definitions=tools,
        )

    def _open_conversation(self) -> None:
        self._conversation = self._house.factory.open(self._profile, self)
        self._dialogue.attach(self._conversation)
        self._conversation_task = self._parts.start(self._converse(self._conversation))

    async def _converse(self, conversation: Conversation) -> None:
        try:
            await conversation.run()
        except ConnectionEndedError:
            raise
        except EntendreError as error:
            raise ConnectionEndedError(error.code, error.public_message) from error
        raise ConnectionEndedError("closed", "this server ended the conversation")

    async def _serve_wake_words(self) -> None:
        """A wake word engine is opened with a conversation, so a device that wants it needs another one."""
        if self._profile.mode is ListenMode.WAKE:
            return
        self._conversation_task.cancel()
        await asyncio.wait([self._conversation_task])
        words = self._runner.served_wake_words
        self._profile = replace(self._profile, mode=ListenMode.WAKE, wake_words=words)
        self._open_conversation()

    async def _configure(self) -> None:
        """Wake words on the device, where it knows of such a thing."""
        if self._device.has(VoiceAssistantFeature.ANNOUNCE):
            await configure_wake_words(
                self._client,
                self._runner.wake_words,
                self._house.wake_words,
                self._house.url(self._local, ""),
                within_s=self._runner.configure_s,
            )

    def _dismiss_all(self, rings: tuple[str, ...]) -> None:
        for ring in rings:
            self._parts.start(self._dismiss(ring))

    async def _dismiss(self, ring: str) -> None:
        try:
            await self._house.dismiss(ring)
        except EntendreError as error:
            logger.warning("a ring was not dismissed", extra={"device": self._settings.device, "code": error.code})

    # -- what the device says ----------------------------------------------------------------------------------------

    async def _on_start(
        self, conversation: str, flags: int, audio: VoiceAssistantAudioSettings, wake_word: str | None
    ) -> int | None:
        """A voice turn begins; the UDP port for its audio, 0 where that rides the connection."""
        serves = bool(flags & VoiceAssistantCommandFlag.USE_WAKE_WORD)
        if serves and not self._runner.served_wake_words:
            data = {"code": "wake-provider-missing", "message": "no wake word is configured on this server"}
            self._device.event(VoiceAssistantEventType.VOICE_ASSISTANT_ERROR, data)
            return None
        if serves:
            await self._serve_wake_words()
        port = 0 if self._device.has(VoiceAssistantFeature.API_AUDIO) else await self._udp_port()
        if port is not None:
            self._dialogue.start(wake_word=wake_word, serves_wake_word=serves)
        return port

    async def _udp_port(self) -> int | None:
        """Where its audio is heard over UDP; None if no port is to be had."""
        if self._udp is None:
            try:
                self._udp = await UdpAudio.open(self._peer[0], self._dialogue.hear)
            except OSError as error:
                self._parts.fail(ConnectionEndedError("internal", error.strerror or "no UDP port"))
                return None
        return self._udp.port

    async def _on_stop(self, aborted: bool) -> None:
        self._dialogue.stop(aborted=aborted)

    async def _on_audio(self, pcm16: bytes, second_channel: bytes | None = None) -> None:
        """The second channel, where there is one, is the first one unprocessed or the speaker's echo."""
        self._dialogue.hear(pcm16)

    async def _on_finished(self, finished: VoiceAssistantAnnounceFinished) -> None:
        """Whether it says that it succeeded is not asked: some devices always deny it."""
        self._dialogue.finished()

    def _state(self, state: EntityState) -> None:
        if self._device.note_state(state):
            self._dialogue.player_changed(self._device.player_state)
            self._note_volume()

    def _note_volume(self) -> None:
        if self._profile.volume != self._device.volume:
            self._profile = replace(self._profile, volume=self._device.volume)
            self._conversation.reconfigure(self._profile)

    # -- what the dialogue needs -------------------------------------------------------------------------------------

    def post(self, reply: str, rate_hz: int) -> tuple[Fetched, str]:
        """A reply for this device, and its URL."""
        wanted = self._device.wanted_sound()
        posted = self._house.shelf.open(rate_hz, kind=wanted.kind, to_hz=wanted.to_hz, channels=wanted.channels)
        return Fetched(reply, rate_hz, posted), self._house.url(self._local, posted.path)

    def _push(self, pcm16: bytes) -> None:
        if self._udp is not None:
            self._udp.send(pcm16)
        else:
            self._device.audio(pcm16)

    async def _hang_up(self) -> None:
        await self._parts.stop()
        if self._udp is not None:
            self._udp.close()
        with contextlib.suppress(APIConnectionError, TimeoutError, OSError):
            async with asyncio.timeout(self._runner.goodbye_s):
                await self._client.disconnect()
        self._client.force_disconnect()
        if self._caller is not None:
            self._caller.hung_up()


def _ended(error: APIConnectionError) -> ConnectionEndedError:
    for kind, reason, message in REFUSALS:
        if isinstance(error, kind):
            return ConnectionEndedError(reason, message)
    return ConnectionEndedError("unreachable", str(error) or type(error).__name__)


def _local_address(peer: str) -> str:
    """Our own address on the way to a device; no packet is sent."""
    family = socket.AF_INET6 if ":" in peer else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((peer, 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
