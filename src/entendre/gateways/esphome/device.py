"""A connected device: what it can do, and the commands that it takes."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from aioesphomeapi import (
    ColorMode,
    DeviceInfo,
    EntityInfo,
    EntityState,
    LightColorCapability,
    LightInfo,
    MediaPlayerCommand,
    MediaPlayerEntityFeature,
    MediaPlayerEntityState,
    MediaPlayerFormatPurpose,
    MediaPlayerInfo,
    MediaPlayerState,
    VoiceAssistantEventType,
    VoiceAssistantFeature,
    VoiceAssistantTimerEventType,
)
from aioesphomeapi.client import APIClient
from aioesphomeapi.core import APIConnectionError, TimeoutAPIError

from entendre.core.actions import (
    Action,
    AdjustVolume,
    CallDeviceTool,
    ControlMedia,
    SetMuted,
    SetVolume,
    StopRinging,
    StopSpeaking,
)
from entendre.core.errors import ActionError
from entendre.core.plan import ToolDefinition

logger = logging.getLogger(__name__)

LVA_PROJECT = "open home foundation.linux voice assistant"
RINGING_PROJECTS = ("nabucasa.home-assistant-voice", LVA_PROJECT)
"""Firmware that rings by itself when it is told that a timer has finished, as it names its project, in lower case."""
LIGHT_TOOL = "set_light"
FORMATS = {"mp3": "mp3", "opus": "ogg", "ogg": "ogg", "flac": "flac", "wav": "wav"}
"""What media players call a format, best first, and the file that we make of it."""
FULL_PERCENT = 100
USUAL_VOLUME = 0.5
"""Taken for the volume of a media player that has not told it."""
_SOUNDS = frozenset({MediaPlayerState.PLAYING, MediaPlayerState.ANNOUNCING})
"""Music may be under an announcement."""
_PAUSED = frozenset({MediaPlayerState.PAUSED, MediaPlayerState.ANNOUNCING})
MEDIA_COMMANDS: dict[str, tuple[MediaPlayerCommand, frozenset[MediaPlayerState]]] = {
    "pause": (MediaPlayerCommand.PAUSE, _SOUNDS),
    "resume": (MediaPlayerCommand.PLAY, _PAUSED),
    "play": (MediaPlayerCommand.PLAY, _PAUSED),
    "stop": (MediaPlayerCommand.STOP, _SOUNDS | _PAUSED),
}
"""What is sent, and in which states of the media player it changes anything."""
WEB_SCHEMES = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class WantedSound:
    """The file that a device plays: its kind, its rate (None: any) and how many channels."""

    kind: str = "mp3"
    to_hz: int | None = None
    channels: int = 1


class VoiceDevice:
    """One connected device. Commands don't wait; a connection that is gone ends elsewhere."""

    def __init__(self, client: APIClient, info: DeviceInfo, entities: Iterable[EntityInfo]) -> None:
        self._client = client
        self.info = info
        version = client.api_version
        assert version is not None
        self.features = VoiceAssistantFeature(info.voice_assistant_feature_flags_compat(version))
        entities = list(entities)
        self._player = next((each for each in entities if isinstance(each, MediaPlayerInfo)), None)
        self._light = next((each for each in entities if isinstance(each, LightInfo)), None)
        self._player_features = MediaPlayerEntityFeature(
            self._player.feature_flags_compat(version) if self._player is not None else 0
        )
        self.player_state: MediaPlayerState | None = None
        self._volume: float | None = None
        self._muted = False

    # -- what it is --------------------------------------------------------------------------------------------------

    def has(self, feature: VoiceAssistantFeature) -> bool:
        """Whether it has a feature."""
        return bool(self.features & feature)

    @property
    def area(self) -> str | None:
        """Where it says it stands."""
        return self.info.suggested_area or self.info.area.name or None

    @property
    def takes_pushed_audio(self) -> bool:
        """Whether replies are pushed to it; the others fetch them."""
        return self.has(VoiceAssistantFeature.SPEAKER) and self._player is None

    @property
    def plays_announcements(self) -> bool:
        """Whether its media player interrupts what it plays for an announcement."""
        return bool(self._player_features & MediaPlayerEntityFeature.MEDIA_ANNOUNCE)

    @property
    def is_known_to_ring(self) -> bool:
        """Whether it is of a make that rings by itself when a timer has finished."""
        return self.info.project_name.lower().startswith(RINGING_PROJECTS)

    @property
    def waits_for_its_player(self) -> bool:
        """Whether it reports an end, too, when its media player does not begin to sound in time."""
        return not self.info.project_name.lower().startswith(LVA_PROJECT)

    @property
    def volume(self) -> int | None:
        """Percent, if it has told."""
        return None if self._volume is None else round(self._volume * FULL_PERCENT)

    def wanted_sound(self) -> WantedSound:
        """What its media player says it plays announcements in; MP3 if it says nothing."""
        formats = list(self._player.supported_formats) if self._player is not None else []
        announced = [each for each in formats if each.purpose is MediaPlayerFormatPurpose.ANNOUNCEMENT] or formats
        for name, kind in FORMATS.items():
            for each in announced:
                if each.format.lower() == name:
                    return WantedSound(kind, each.sample_rate or None, max(1, min(2, each.num_channels)))
        return WantedSound()

    def tools(self) -> tuple[ToolDefinition, ...]:
        """What it offers beyond volume and media."""
        if self._light is None:
            return ()
        properties: dict[str, Any] = {
            "on": {"type": "boolean"},
            "brightness": {"type": "integer", "minimum": 0, "maximum": FULL_PERCENT},
            "color": {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$"},
        }
        schema = {"type": "object", "properties": properties, "additionalProperties": False}
        return (ToolDefinition(LIGHT_TOOL, "Set this speaker's own light.", json.dumps(schema)),)

    def note_state(self, state: EntityState) -> bool:
        """Take a state that it reports; whether it was the media player's."""
        if not isinstance(state, MediaPlayerEntityState) or self._player is None or state.key != self._player.key:
            return False
        self.player_state, self._volume, self._muted = state.state, state.volume, state.muted
        return True

    # -- voice -------------------------------------------------------------------------------------------------------

    def event(self, kind: VoiceAssistantEventType, data: dict[str, str] | None = None) -> None:
        """Send an event of a voice turn."""
        self._try(lambda: self._client.send_voice_assistant_event(kind, data))

    def audio(self, pcm16: bytes) -> None:
        """Push reply audio over the connection."""
        self._try(lambda: self._client.send_voice_assistant_audio(pcm16))

    async def announce(
        self, url: str, text: str, *, chime_url: str = "", start_conversation: bool = False, within_s: float
    ) -> None:
        """Have it fetch and play an announcement; returns when it is done, whatever it says of its success.

        Raises: TimeoutError, ConnectionError.
        """
        try:
            await self._client.send_voice_assistant_announcement_await_response(
                url, within_s, text, preannounce_media_id=chime_url, start_conversation=start_conversation
            )
        except TimeoutAPIError as error:
            raise TimeoutError("the announcement was not reported as done") from error
        except APIConnectionError as error:
            raise ConnectionError("the connection is gone") from error

    def timer(
        self, kind: VoiceAssistantTimerEventType, timer: str, name: str | None, total_s: int, left_s: int, active: bool
    ) -> None:
        """Tell it of a timer."""
        self._try(lambda: self._client.send_voice_assistant_timer_event(kind, timer, name, total_s, left_s, active))

    # -- media and light ---------------------------------------------------------------------------------------------

    def play(self, url: str, *, announcement: bool) -> bool:
        """Have its media player fetch and play a URL."""
        return self._player_command(media_url=url, announcement=announcement)

    def stop_announcement(self) -> None:
        """Stop the reply or announcement that its media player plays; music goes on."""
        if self.plays_announcements:
            self._player_command(command=MediaPlayerCommand.STOP, announcement=True)

    def perform(self, action: Action) -> bool:
        """Do a device's own action; False if this device can't. Raises: ActionError."""
        match action:
            case SetVolume(percent):
                return self._set_volume(percent / FULL_PERCENT)
            case AdjustVolume(delta):
                now = USUAL_VOLUME if self._volume is None else self._volume
                return self._set_volume(now + delta / FULL_PERCENT)
            case SetMuted(muted):
                return self._mute(muted)
            case ControlMedia():
                return self._control_media(action)
            case CallDeviceTool(tool, arguments) if tool == LIGHT_TOOL:
                return self._set_light(arguments)
            case StopSpeaking():
                if self.player_state is MediaPlayerState.PLAYING:
                    self._player_command(command=MediaPlayerCommand.STOP)
                return True
            case StopRinging():
                return True
        return False

    def _set_volume(self, volume: float) -> bool:
        volume = max(0.0, min(1.0, volume))
        if self._muted:
            self._mute(False)
        if not self._player_command(volume=volume):
            return False
        self._volume = volume
        return True

    def _mute(self, muted: bool) -> bool:
        if not self._player_features & MediaPlayerEntityFeature.VOLUME_MUTE:
            return False
        return self._player_command(command=MediaPlayerCommand.MUTE if muted else MediaPlayerCommand.UNMUTE)

    def _control_media(self, action: ControlMedia) -> bool:
        """Play an address, or change what plays; False where nothing does, so that somebody says so.

        Raises: ActionError for an address that it can't play: it can't be streamed to instead.
        """
        url = action.url or (action.query if (action.query or "").startswith(WEB_SCHEMES) else None)
        if action.command == "play" and url:
            if not url.startswith(WEB_SCHEMES) or not self.play(url, announcement=False):
                raise ActionError(detail="this device can't play an address")
            return True
        if action.command == "play" and action.query:
            return False
        command, states = MEDIA_COMMANDS.get(action.command, (None, frozenset()))
        changes = self.player_state is None or self.player_state in states
        return command is not None and changes and self._player_command(command=command)

    def _player_command(self, **options: Any) -> bool:
        player = self._player
        if player is None:
            return False
        return self._try(lambda: self._client.media_player_command(player.key, device_id=player.device_id, **options))

    def _set_light(self, arguments: str) -> bool:
        light, wanted = self._light, _light_of(arguments)
        if light is None or wanted is None:
            return False
        modes = light.supported_color_modes_compat(self._client.api_version) if self._client.api_version else []
        capable = LightColorCapability(0)
        for mode in modes:
            capable |= LightColorCapability(int(mode))
        options: dict[str, Any] = {"state": wanted.on}
        if wanted.brightness is not None and capable & LightColorCapability.BRIGHTNESS:
            options["brightness"] = wanted.brightness
        if wanted.color is not None:
            if not capable & LightColorCapability.RGB:
                return False
            options |= {"rgb": wanted.color, "color_mode": ColorMode.RGB}
        return self._try(lambda: self._client.light_command(light.key, device_id=light.device_id, **options))

    def _try(self, command: Callable[[], None]) -> bool:
        """Send; a connection that is gone is noticed by whoever waits for its end."""
        try:
            command()
        except APIConnectionError:
            logger.debug("not sent: the connection is gone", extra={"device": self.info.name})
            return False
        return True


@dataclass(frozen=True, slots=True)
class _Light:
    on: bool
    brightness: float | None
    color: tuple[float, float, float] | None


def _light_of(arguments: str) -> _Light | None:
    """What a call of the light tool asks for; None if it makes no sense."""
    try:
        wanted = json.loads(arguments or "{}")
        color = str(wanted["color"]).removeprefix("#") if wanted.get("color") else None
        brightness = wanted.get("brightness")
        share = None if brightness is None else max(0, min(FULL_PERCENT, int(brightness))) / FULL_PERCENT
        rgb = None
        if color is not None:
            red, green, blue = bytes.fromhex(color)
            rgb = (red / 255, green / 255, blue / 255)
        return _Light(bool(wanted.get("on", True)), share, rgb)
    except (ValueError, TypeError, AttributeError, KeyError):
        return None
