"""The speaker as a device: screen, theme, light, camera, battery. Each works where the device offers a tool for it."""

from __future__ import annotations

from entendre.core.actions import CallDeviceTool
from entendre.core.colors import COLORS
from entendre.core.plan import Plan
from entendre.skills.base import Request
from entendre.skills.offered import call_for
from entendre.skills.slots import number, text
from entendre.skills.status import parse_status
from entendre.skills.tools import spoken_answer

COOL_KELVIN = 3500
"""A white from here on is a cool one."""
BATTERY, SCREEN = "DeviceBatteryAsk", "DeviceScreenAsk"


class DeviceSkill:
    """Plans calls of a device's well-known tools, and says what they answered."""

    name = "device"
    intents = frozenset(
        {BATTERY, SCREEN, "DeviceScreenSet", "DeviceThemeSet", "DeviceLook", "DeviceLightOn", "DeviceLightOff",
         "DeviceLightSet"}
    )  # fmt: skip

    async def plan(self, request: Request) -> Plan:
        """A plan for one command."""
        device = request.world.device
        match request.command.intent:
            case "DeviceScreenSet":
                return _screen(request)
            case "DeviceThemeSet":
                theme = text(request, "theme")
                return _called(request, call_for(device, "theme", theme=theme), "theme_set", "theme_none")
            case "DeviceLook":
                question = request.command.text
                return _called(request, call_for(device, "photo", question=question), None, "photo_none")
            case "DeviceLightOn":
                return _called(request, call_for(device, "light_on"), "light_done", "light_none")
            case "DeviceLightOff":
                return _called(request, call_for(device, "light_off"), "light_done", "light_none")
            case "DeviceLightSet":
                return _light(request)
        return _called(request, call_for(device, "status"), None, "status_none")

    def told(self, request: Request, call: CallDeviceTool, answer: str) -> str:
        """What to say of a tool's answer."""
        intent = request.command.intent
        if intent == "DeviceLook":
            return spoken_answer(answer) or request.say("photo_nothing")
        status = parse_status(answer)
        if status is None:
            return request.say("status_none")
        if intent == SCREEN:
            percent = status.screen_brightness
            return request.say("screen_none") if percent is None else request.say("screen_is", percent=percent)
        if status.battery is None:
            return request.say("battery_none")
        return request.say("battery_charging" if status.charging else "battery_is", percent=status.battery)


def _called(request: Request, call: CallDeviceTool | None, done: str | None, missing: str) -> Plan:
    """The call, and what to say of it at once: nothing if its answer is what is said."""
    if call is None:
        return Plan(request.say(missing), refusal=True)
    return Plan(request.say(done, theme=text(request, "theme")) if done is not None else "", (call,))


def _screen(request: Request) -> Plan:
    device, percent = request.world.device, number(request, "percent")
    if call_for(device, "screen_brightness", percent=0) is None:
        return Plan(request.say("screen_none"), refusal=True)
    if percent is None:
        return Plan(request.say("percent_ask"), expects_reply=True, question="percent")
    call = call_for(device, "screen_brightness", percent=round(percent))
    assert call is not None
    return Plan(request.say("screen_set", percent=percent), (call,))


def _light(request: Request) -> Plan:
    device, color, percent = request.world.device, text(request, "color"), number(request, "percent")
    kelvin = number(request, "kelvin")
    if kelvin is not None:
        color = "warmwhite" if kelvin < COOL_KELVIN else "coolwhite"
    if call_for(device, "light_off") is None:
        return Plan(request.say("light_none"), refusal=True)
    if color is not None:
        red, green, blue = COLORS.get(color, COLORS["white"])
        hex_color = f"#{red:02x}{green:02x}{blue:02x}"
        call = call_for(device, "light_color", red=red, green=green, blue=blue, hex=hex_color)
        return _called(request, call, "light_done", "light_no_color")
    if percent is None:
        return Plan(request.say("percent_ask"), expects_reply=True, question="percent")
    call = call_for(device, "light_brightness", percent=round(percent))
    return _called(request, call, "light_done", "light_no_brightness")


SKILL = DeviceSkill()
