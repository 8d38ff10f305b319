"""Worlds that the cases of skills are planned in: the demo home on a Monday morning, with more or less going on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from entendre.core.home import Station
from entendre.core.plan import AlarmView, DeviceView, Mentioned, ReminderView, TimerView, ToolDefinition, World
from entendre.home.demo import demo_home

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=ZoneInfo("Europe/Paris"))
HERE = DeviceView(id="kitchen-speaker", room="kitchen", volume=40)
EMPTY = World(now=NOW, home=demo_home(), device=HERE)

PIZZA = TimerView("t-pizza", "pizza", 600, 480.4)
PLAIN = TimerView("t-plain", None, 300, 200.0, device="bedroom-speaker")
PAUSED = TimerView("t-paused", "tea", 240, 100.0, paused=True)
RINGING = TimerView("t-ringing", None, 60, 0.0, ringing=True)

WORKDAYS = ("mon", "tue", "wed", "thu", "fri")
GYM = AlarmView("a-gym", "06:15", WORKDAYS, name="gym", next_at=NOW + timedelta(hours=20, minutes=15))
ONCE = AlarmView("a-once", "08:00", date="2026-11-24", next_at=NOW + timedelta(hours=22))
OFF = AlarmView("a-off", "21:30", date="2026-11-23", enabled=False, next_at=None)
LOUD = AlarmView("a-loud", "10:00", ringing=True, next_at=NOW)

CALL = ReminderView("r-call", "call my mom", NOW + timedelta(hours=7))
BINS = ReminderView("r-bins", "take out the bins", NOW + timedelta(days=1), days=("tue",))

STATIONS = (
    Station("jazz", {"": ("Jazz FM", "smooth jazz")}, "http://radio.test/jazz"),
    Station("news", {"en": ("World News",), "de": ("Nachrichten",)}, "https://radio.test/news"),
)
TOOLS = (
    "self.get_device_status",
    "self_screen_set_brightness",
    "self.screen.set_theme",
    "self.camera.take_photo",
    "self.led_strip.set_all_color",
)
LEVEL = '{"properties": {"level": {"type": "integer", "minimum": 0, "maximum": 8}}}'
STRIP = (ToolDefinition("self.led_strip.set_brightness", parameters=LEVEL),)

WORLDS = {
    "empty": EMPTY,
    "no lists": replace(EMPTY, home=replace(EMPTY.home, lists=())),
    "empty list": replace(EMPTY, home=replace(EMPTY.home, lists=(replace(EMPTY.home.lists[0], items=()),))),
    "one timer": replace(EMPTY, timers=(PLAIN,)),
    "one named timer": replace(EMPTY, timers=(PIZZA,)),
    "paused timer": replace(EMPTY, timers=(PAUSED,)),
    "timers": replace(EMPTY, timers=(PIZZA, PLAIN, PAUSED)),
    "ringing timer": replace(EMPTY, timers=(PIZZA, RINGING)),
    "paused timers": replace(EMPTY, timers=(PAUSED, replace(PAUSED, id="t-other", name="egg"))),
    "one alarm": replace(EMPTY, alarms=(ONCE,)),
    "alarms": replace(EMPTY, alarms=(GYM, ONCE)),
    "alarm off": replace(EMPTY, alarms=(OFF,)),
    "alarms off": replace(EMPTY, alarms=(OFF, replace(OFF, id="a-off-too", time="22:00"))),
    "ringing alarm": replace(EMPTY, alarms=(LOUD, GYM)),
    "one reminder": replace(EMPTY, reminders=(CALL,)),
    "reminders": replace(EMPTY, reminders=(BINS, CALL)),
    "after a reply": replace(EMPTY, mentioned=Mentioned(reply="It's 9 AM.")),
    "unknown volume": replace(EMPTY, device=DeviceView(id="x")),
    "device": replace(EMPTY, device=replace(HERE, volume=None, tools=TOOLS)),
    "lamp": replace(EMPTY, device=replace(HERE, tools=("set_light",))),
    "plain lamp": replace(EMPTY, device=replace(HERE, tools=("self.lamp.turn_on", "self.lamp.turn_off"))),
    "strip": replace(
        EMPTY, device=replace(HERE, tools=("self.led_strip.turn_off", STRIP[0].name), tool_definitions=STRIP)
    ),
    "speakers": replace(EMPTY, rooms_with_speakers=("kitchen", "office")),
    "stations": replace(EMPTY, home=replace(EMPTY.home, media=STATIONS), rooms_with_speakers=("kitchen", "bedroom")),
    "radio": replace(
        EMPTY, home=replace(EMPTY.home, media=STATIONS), device=replace(HERE, media="Jazz FM", playing=True)
    ),
    "paused radio": replace(EMPTY, device=replace(HERE, media="Jazz FM")),
    "fahrenheit": replace(EMPTY, home=replace(EMPTY.home, temperature_unit="F")),
}
