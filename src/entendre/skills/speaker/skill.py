"""This speaker itself: volume, media, stop, never mind, repeat."""

from __future__ import annotations

from entendre.core.actions import (
    AdjustVolume,
    CallDeviceTool,
    SetMuted,
    SetVolume,
    StopRinging,
    StopSpeaking,
)
from entendre.core.plan import Plan
from entendre.skills.base import Request
from entendre.skills.offered import call_for
from entendre.skills.slots import number, text
from entendre.skills.speaker.media import COMMANDS, plan_media, plan_playing
from entendre.skills.status import parse_status

STEP_PERCENT = 10
SMALL_STEP_PERCENT = 5
LARGE_STEP_PERCENT = 25
_STEPS = {"small": SMALL_STEP_PERCENT, "large": LARGE_STEP_PERCENT}


class SpeakerSkill:
    """Plans what concerns the speaker that was spoken to."""

    name = "speaker"
    intents = frozenset(
        {
            "VolumeSet",
            "VolumeUp",
            "VolumeDown",
            "VolumeAsk",
            "Mute",
            "Unmute",
            "Stop",
            "NeverMind",
            "Repeat",
            "MediaAsk",
            *COMMANDS,
        }
    )
    by_sound = frozenset({"VolumeSet", "VolumeUp", "VolumeDown", "VolumeAsk", "Mute", "Unmute"})

    async def plan(self, request: Request) -> Plan:
        """A plan for one speaker command."""
        intent = request.command.intent
        if intent in COMMANDS:
            return plan_media(request, COMMANDS[intent])
        match intent:
            case "Stop":
                return _stop(request)
            case "MediaAsk":
                return plan_playing(request)
            case "NeverMind":
                return Plan(request.say("never_mind"))
            case "Repeat":
                return Plan(request.world.mentioned.reply or request.say("repeat_nothing"))
            case "Mute":
                return Plan(request.say("muted"), (SetMuted(True),))
            case "Unmute":
                return Plan(request.say("unmuted"), (SetMuted(False),))
            case _:
                return _volume(request)

    def told(self, request: Request, call: CallDeviceTool, answer: str) -> str:
        """What to say of the device's own status."""
        status = parse_status(answer)
        return _said_volume(request, status.volume if status is not None else None)


def _said_volume(request: Request, volume: int | None) -> str:
    return request.say("volume_unknown" if volume is None else "volume_is", percent=volume)


def _volume(request: Request) -> Plan:
    if request.command.intent == "VolumeAsk":
        volume = request.world.device.volume
        if volume is None and (call := call_for(request.world.device, "status")) is not None:
            return Plan("", (call,))
        return Plan(_said_volume(request, volume))
    if request.command.intent == "VolumeSet":
        percent = number(request, "percent")
        if percent is None:
            return Plan(request.say("volume_ask"), expects_reply=True, question="percent")
        return Plan(request.say("volume_set", percent=percent), (SetVolume(round(percent)),))
    by = number(request, "percent")
    step = round(by) if by is not None else _STEPS.get(text(request, "step") or "", STEP_PERCENT)
    down = request.command.intent == "VolumeDown"
    return Plan(request.say("volume_down" if down else "volume_up"), (AdjustVolume(-step if down else step),))


def _stop(request: Request) -> Plan:
    world = request.world
    if any(timer.ringing for timer in world.timers) or any(alarm.ringing for alarm in world.alarms):
        return Plan("", (StopRinging(),))
    return Plan("", (StopSpeaking(),))


SKILL = SpeakerSkill()
