"""What recognizers write for what people say means the same as the words themselves."""

from __future__ import annotations

import pytest
from worlds import EMPTY

from entendre.core.understanding import Understanding
from entendre.skills.planner import Planner

SAME = (
    ("Set an alarm for 7:30 a.m.", "set an alarm for seven thirty am"),
    ("Set an alarm for 7.30 AM", "set an alarm for seven thirty am"),
    ("Set an alarm for 730.", "set an alarm for seven thirty"),
    ("Set an alarm for 1130 AM tomorrow.", "set an alarm for eleven thirty am tomorrow"),
    ("Remind me at 1015 to call mom.", "remind me at ten fifteen to call mom"),
    ("Set an alarm for 12 noon.", "set an alarm for twelve noon"),
    ("Set an alarm for 7 o’clock.", "set an alarm for seven o'clock"),
    ("Set an alarm for 1/4 past 7", "set an alarm for quarter past seven"),
    ("Wake me up at 7 on Monday-Friday.", "wake me up at seven on monday to friday"),
    ("Set a 10-minute timer.", "set a ten minute timer"),
    ("Set an hour-long timer.", "set a one hour timer"),
    ("Set a timer for twenty-one mins.", "set a timer for twenty one minutes"),
    ("Set a timer for 1½ hours.", "set a timer for one and a half hours"),
    ("Set a timer for 2 1/2 hours.", "set a timer for two and a half hours"),
    ("Set a timer for 2-1/2 hours.", "set a timer for two and a half hours"),
    ("Set a timer for ½ hour.", "set a timer for half an hour"),
    ("Set a timer for 1/2 an hour.", "set a timer for half an hour"),
    ("Set a timer for 3/4 of an hour.", "set a timer for three quarters of an hour"),
    ("Set a timer for an hour & a half.", "set a timer for an hour and a half"),
    ("Set a timer for 5:00 minutes.", "set a timer for five minutes"),
    ("Set the thermostat to 21ºC", "set the thermostat to twenty one degrees celsius"),
    ("Set the thermostat to 21½°", "set the thermostat to twenty one and a half degrees"),
    ("Set the desk lamp to 1/2.", "set the desk lamp to half"),
    ("Turn off the A/C.", "turn off the ac"),
    ("Turn on the T V", "turn on the tv"),
    ("Turn on the T.V.", "turn on the tv"),
    ("O.K. Turn on the desk lamp.", "ok turn on the desk lamp"),
    ("[Music] Turn on the desk lamp ♪", "turn on the desk lamp"),
    ("Goodnight.", "good night"),
    ("Un-mute.", "unmute"),
    ("What's 1,500 + 250?", "what is 1500 plus 250"),
    ("What is 12 × 14?", "what is twelve times fourteen"),
    ("What is 100 ÷ 4?", "what is one hundred divided by four"),
    ("What's 5-3?", "what is five minus three"),
    ("What's 5 − 3?", "what is five minus three"),
    ("100-37", "one hundred minus thirty seven"),
    ("What's -5 + 3?", "what is minus five plus three"),
    ("What's 2^8?", "two raised to eight equals what"),
    ("What is 5²?", "what is five squared"),
    ("What is √81?", "what is the square root of eighty one"),
    ("What's ½ of 30?", "what is half of thirty"),
    ("Convert 10 mi to km.", "convert ten miles to kilometers"),
    ("Convert 100 °F to °C.", "convert 100 degrees fahrenheit to degrees celsius"),
    ("Convert 10 km/h to mph", "convert ten kilometers per hour to miles per hour"),
    ("What time is it in the U.K.?", "what time is it in the uk"),
)


def meaning(understanding: Understanding) -> list[tuple[str, dict[str, object]]]:
    return [(command.intent, dict(command.slots)) for command in understanding.commands]


@pytest.mark.parametrize(("written", "said"), SAME)
def test_written_as_said(planner: Planner, written: str, said: str) -> None:
    expected = meaning(planner.understand(said, "en", EMPTY))
    assert expected
    assert meaning(planner.understand(written, "en", EMPTY)) == expected


@pytest.mark.parametrize("text", ["what is 12 14", "7-30", "555-1234", "what is 7-eleven"])
def test_nothing_is_added_that_was_not_said(planner: Planner, text: str) -> None:
    assert not planner.understand(text, "en", EMPTY).understood


def test_numbers_in_free_words_stay(planner: Planner) -> None:
    for text, slot, words in (
        ("add 7-up to the shopping list", "item", "7-up"),
        ("remind me to buy 200 eggs", "text", "buy 200 eggs"),
        ("remind me to call 911", "text", "call 911"),
    ):
        assert planner.understand(text, "en", EMPTY).commands[0].slots[slot] == words
