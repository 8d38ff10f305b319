"""A client's settings as the profile of a device."""

from __future__ import annotations

from dataclasses import dataclass, field

from entendre.core.plan import ToolDefinition
from entendre.gateways.realtime.settings import RealtimeSettings
from entendre.markets.loader import taught_tags
from entendre.session.api import DeviceProfile, ListenMode, Standing
from entendre.wire.realtime import SessionConfig

_EAGER_END = {"low": 1.6, "medium": 1.0, "auto": 1.0, "high": 0.7}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who connected: the device it says it is, and where. `named`: it said so, and can be rung on before it speaks.

    `standing`: what its credentials speak for, whatever it says.
    """

    device: str
    room: str | None = None
    language: str | None = None
    named: bool = False
    standing: Standing = field(default_factory=Standing)


def profile_of(config: SessionConfig, caller: Caller, settings: RealtimeSettings) -> DeviceProfile:
    """The device as a session sees it. Clients of this protocol cancel the echo of their own sound, or drop it."""
    detection = config.turn_detection
    named = caller.language or ""
    chosen = config.language or (named if config.transcribes_only else taught_tags(named))
    return DeviceProfile(
        device=caller.device,
        language=chosen or settings.language,
        room=caller.room or settings.room,
        mode=ListenMode.MANUAL if detection is None else ListenMode.CONTINUOUS,
        cancels_echo=True,
        listens_while_speaking=detection is not None and detection.interrupt_response,
        reply_lead_s=settings.reply_lead_s,
        auto_respond=detection is not None and detection.create_response and not config.transcribes_only,
        semantic=detection is not None and detection.semantic,
        silence_s=detection.silence_duration_ms / 1000 if detection else 0.5,
        eager_end=_EAGER_END[detection.eagerness] if detection else 1.0,
        speed=config.speed,
        tools=tuple(tool.name for tool in config.tools),
        tool_definitions=tuple(
            ToolDefinition(tool.name, tool.description, tool.parameters, tool.sentences) for tool in config.tools
        ),
        replies_aloud=config.speaks,
        voice=None if config.voice == settings.voice else config.voice,
        proven=caller.standing.device is not None,
        household=caller.standing.household,
        account=caller.standing.account,
        language_chosen=bool(chosen),
    )
