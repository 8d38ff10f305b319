"""Understanding with a few sentences of its own: templates, repair, several commands, context, completeness."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from homes import HOME, world
from hypothesis import given, settings
from hypothesis import strategies as st

from entendre.core.errors import InvalidInputError
from entendre.core.home import Appliance, HomeSnapshot
from entendre.core.plan import DeviceView, Mentioned, TimerView
from entendre.core.understanding import Completeness
from entendre.language.sentences import sentence_file
from entendre.language.understander import Understander
from entendre.markets.loader import load_pack

DOCUMENT = {
    "language": "en",
    "intents": {
        "On": {
            "data": [
                {
                    "sentences": [
                        "<turn> on [<the>] {appliance} [<in> [<the>] {room}]",
                        "<turn> [<the>] {appliance} on",
                        "<turn> on [<all>] [<the>] {kind} [<in> [<the>] {room}]",
                        "{kind} on",
                    ]
                }
            ]
        },
        "Off": {
            "data": [
                {"sentences": ["<turn> off [<the>] {appliance}", "<turn> [<the>] {appliance} off", "{kind} off"]},
                {"sentences": ["<turn> off [<all>] [<the>] {kind} [<in> [<the>] {room}]"]},
            ]
        },
        "Heat": {
            "data": [
                {"sentences": ["set [<the>] {kind} to {temperature}"], "requires_context": {"kind": ["thermostat"]}},
                {"sentences": ["set [<the>] {kind} to {percent}"], "requires_context": {"kind": "light"}},
            ]
        },
        "Close": {"data": [{"sentences": ["close [<the>] {kind} [in [<the>] {room}]"]}]},
        "Timer": {
            "data": [
                {"sentences": ["set [a] timer for {duration} [(called|named) {name}]", "{duration} timer"]},
                {"sentences": ["set [a] timer"], "completeness": "extendable"},
            ],
            "keywords": ["timer; {duration}"],
        },
        "Left": {"data": [{"sentences": ["how long is left"], "requires_context": {"timers": True}}]},
        "Alarm": {
            "data": [
                {
                    "sentences": [
                        "(wake me [up]|set [an] alarm) [on] {date} [at] {time}",
                        "(wake me [up]|set [an] alarm) (at|for) {time} [{days}]",
                    ]
                }
            ]
        },
        "Add": {"data": [{"sentences": ["(add|put) {item} (to|on) [<the>] {list} [list]"]}]},
        "Remind": {"data": [{"sentences": ["remind me to {text}", "remind me {datetime} to {text}"]}]},
        "Weather": {"data": [{"sentences": ["<what_is> [the] weather [like] [{date}] [in {place}]"]}]},
        "Play": {"data": [{"sentences": ["play {query}"]}], "excludes": ["chess"]},
        "Level": {"data": [{"sentences": ["level {0..10:level} [{direction}]"]}]},
        "Ringing": {
            "data": [{"sentences": ["stop"], "requires_context": {"ringing": True}, "slots": {"what": "ring"}}]
        },
        "Stop": {"data": [{"sentences": ["stop"]}]},
        "Order": {"data": [{"sentences": ["bring (tea; {color})", "wash[ing] (up|down)"]}]},
    },
    "lists": {"direction": {"values": ["up", {"in": "(down|lower)", "out": "minus"}]}},
}
UNDERSTANDER = Understander(load_pack("en"), [sentence_file("trial", DOCUMENT)], HOME)

SPOKEN = [
    word
    for row in (
        "turn on off the lights kitchen lamp and in it set a timer for ten minutes half past seven tomorrow",
        "add milk to shopping list remind me what is weather like please bedroom desk not play wake",
        "up at every monday fan then close blinds xyz 50% 7:30",
    )
    for word in row.split()
]


def heard(text, **changes):
    """Intents and slots of a sentence."""
    return [
        (command.intent, dict(command.slots)) for command in UNDERSTANDER.understand(text, world(**changes)).commands
    ]


def ending(text):
    """The completeness of a sentence."""
    return UNDERSTANDER.understand(text, world()).completeness


@pytest.mark.parametrize(
    ("text", "intent", "slots"),
    [
        ("Turn on the kitchen light.", "On", {"appliance": ["kitchen_light"]}),
        ("turn on the lights in the bedroom", "On", {"kind": "light", "room": "bedroom"}),
        ("turn on the lights upstairs", "On", {"kind": "light", "room": "upstairs"}),
        ("turn off all the lights in here", "Off", {"kind": "light", "room": "living_room"}),
        ("set a timer for an hour and a half called pasta", "Timer", {"duration": 5400, "name": "pasta"}),
        ("wake me up tomorrow at seven", "Alarm", {"date": "2026-11-24", "time": "07:00", "time_ambiguous": True}),
        (
            "set an alarm for 7 am every weekday",
            "Alarm",
            {"time": "07:00", "days": ["mon", "tue", "wed", "thu", "fri"]},
        ),
        ("put milk and eggs on my shopping list", "Add", {"item": "milk and eggs", "list": "shopping"}),
        ("remind me tomorrow at 9 am to call Mom", "Remind", {"datetime": "2026-11-24T09:00", "text": "call Mom"}),
        ("what's the weather in New York", "Weather", {"place": "New York"}),
        ("how's the weather this weekend", "Weather", {"date": "2026-11-28"}),
        ("level 7 lower", "Level", {"level": 7, "direction": "minus"}),
        ("set the heating to 21", "Heat", {"kind": "thermostat", "temperature": 21}),
        ("set the lights to 21", "Heat", {"kind": "light", "percent": 21}),
        ("bring red tea", "Order", {"color": "red"}),
        ("bring tea red", "Order", {"color": "red"}),
        ("washing up", "Order", {}),
        ("wash down", "Order", {}),
    ],
)
def test_templates(text, intent, slots):
    assert heard(text) == [(intent, slots)]


@pytest.mark.parametrize(
    ("text", "intent", "slots"),
    [
        ("turn of the kitchen lite", "Off", {"appliance": ["kitchen_light"]}),
        ("could you please turn on kitchen light for me", "On", {"appliance": ["kitchen_light"]}),
        ("would you mind turning on the desk lamp", "On", {"appliance": ["desk_lamp"]}),
        ("turn on the livingroom lamp", "On", {"appliance": ["living_lamp"]}),
        ("turn on the bed room lamp", "On", {"appliance": ["bedroom_lamp"]}),
        ("turn on the cofee machine", "On", {"appliance": ["coffee_machine"]}),
        ("set tamer for ten minutes", "Timer", {"duration": 600}),
        ("i need a timer of ten minutes", "Timer", {"duration": 600}),
        ("at eggs to the shopping list", "Add", {"item": "eggs", "list": "shopping"}),
        ("in the bedroom turn on the lights", "On", {"kind": "light", "room": "bedroom"}),
    ],
)
def test_repairs(text, intent, slots):
    assert heard(text) == [(intent, slots)]


@pytest.mark.parametrize(
    "text",
    [
        "who won the world cup",
        "turn on the charm",
        "kill the process",
        "book me a flight",
        "do not turn on the kitchen light",
        "play chess with me",
        "turn the page",
        "",
        "?!",
        "the the the",
        "turn on the phone",
        "light",
    ],
)
def test_nothing_is_better_than_wrong(text):
    assert heard(text) == []


def test_repair_lowers_confidence():
    exact = UNDERSTANDER.understand("turn off the kitchen light", world())
    repaired = UNDERSTANDER.understand("turn of the kitchen lite", world())
    assert exact.confidence > 0.98
    assert 0.6 <= repaired.confidence < 0.9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("turn off the desk lamp and the fan", [("Off", ["desk_lamp"]), ("Off", ["bedroom_fan"])]),
        ("turn the desk lamp and the fan off", [("Off", ["desk_lamp"]), ("Off", ["bedroom_fan"])]),
        ("turn off the desk lamp and set a timer for ten minutes", [("Off", ["desk_lamp"]), ("Timer", None)]),
        ("turn on the kitchen light and close the blinds in the bedroom", [("On", ["kitchen_light"]), ("Close", None)]),
        ("add salt and pepper to the shopping list and turn on the fan", [("Add", None), ("On", ["bedroom_fan"])]),
        (
            "Turn on the desk lamp, the fan and the kitchen light.",
            [("On", [name]) for name in ("desk_lamp", "bedroom_fan", "kitchen_light")],
        ),
        ("Turn on the fan. Set a timer for five minutes.", [("On", ["bedroom_fan"]), ("Timer", None)]),
        ("Add milk, eggs and bread to the shopping list.", [("Add", None)]),
        ("Hey, can you turn off the desk lamp and the fan?", [("Off", ["desk_lamp"]), ("Off", ["bedroom_fan"])]),
        ("add salt and pepper to the shopping list", [("Add", None)]),
        ("play bed and breakfast playlist", [("Play", None)]),
        ("remind me to call mom and turn on the fan", [("Remind", None)]),
        ("set a timer for one hour and ten minutes", [("Timer", None)]),
        ("turn on the desk lamp and turn it off", [("On", ["desk_lamp"]), ("Off", ["desk_lamp"])]),
        (
            "turn on the desk lamp turn off the fan and set a timer for five minutes",
            [("On", ["desk_lamp"]), ("Off", ["bedroom_fan"]), ("Timer", None)],
        ),
        (
            "turn off the desk lamp the bedroom fan and the blinds",
            [("Off", ["desk_lamp"]), ("Off", ["bedroom_fan"]), ("Off", None)],
        ),
        (
            "set a timer for five minutes and turn on the desk lamp turn off the fan",
            [("Timer", None), ("On", ["desk_lamp"]), ("Off", ["bedroom_fan"])],
        ),
        (
            "turn on the fan then close the blinds and then lights off",
            [("On", ["bedroom_fan"]), ("Close", None), ("Off", None)],
        ),
    ],
)
def test_several_commands(text, expected):
    found = [(intent, slots.get("appliance")) for intent, slots in heard(text)]
    assert found == expected


def test_rooms_in_a_row_are_each_meant():
    found = heard("please turn off the lights in the kitchen, the bedroom and the hallway")
    assert found == [("Off", {"kind": "light", "room": room}) for room in ("kitchen", "bedroom", "hallway")]


def test_it_is_what_was_mentioned():
    mentioned = Mentioned(intent="On", appliances=("desk_lamp",))
    assert heard("turn it off", mentioned=mentioned) == [("Off", {"appliance": ["desk_lamp"]})]
    assert heard("turn it off") == []


def test_a_follow_up_repeats_the_last_command_with_a_new_value():
    lights = Mentioned(intent="On", slots={"kind": "light", "room": "kitchen"})
    weather = Mentioned(intent="Weather", slots={"date": "2026-11-23", "place": "Paris"})
    lamp = Mentioned(intent="On", slots={"appliance": ["desk_lamp"]})
    assert heard("and in the bedroom too", mentioned=lights) == [("On", {"kind": "light", "room": "bedroom"})]
    assert heard("what about tomorrow", mentioned=weather) == [("Weather", {"date": "2026-11-24", "place": "Paris"})]
    assert heard("how about in London", mentioned=weather) == [("Weather", {"date": "2026-11-23", "place": "London"})]
    assert heard("and the kitchen light", mentioned=lights) == [("On", {"appliance": ["kitchen_light"]})]
    assert heard("and in the kitchen", mentioned=lamp) == [("On", {"kind": "light", "room": "kitchen"})]
    assert heard("and in the bedroom too") == []


def test_an_answer_fills_what_was_asked():
    timer = Mentioned(intent="Timer", slots={"name": "egg"}, question="duration")
    which = Mentioned(intent="On", slots={"appliance": ["desk_lamp", "bedroom_lamp"]}, question="appliance")
    item = Mentioned(intent="Add", slots={"list": "shopping"}, question="item")
    assert heard("ten minutes", mentioned=timer) == [("Timer", {"name": "egg", "duration": 600})]
    assert heard("um for ten minutes please", mentioned=timer) == [("Timer", {"name": "egg", "duration": 600})]
    assert heard("the bedroom one", mentioned=which) == [("On", {"appliance": ["bedroom_lamp"], "room": "bedroom"})]
    assert heard("yes please", mentioned=which)[0][1]["confirmed"] is True
    assert heard("nope", mentioned=which)[0][1]["confirmed"] is False
    assert heard("milk and eggs", mentioned=item) == [("Add", {"list": "shopping", "item": "milk and eggs"})]
    assert heard("turn on the fan", mentioned=timer) == [("On", {"appliance": ["bedroom_fan"]})]


def test_a_required_context_decides():
    ringing = TimerView("t", None, 60, 0, ringing=True)
    assert heard("stop") == [("Stop", {})]
    assert heard("stop", timers=(ringing,)) == [("Ringing", {"what": "ring"})]
    assert heard("how long is left") == []
    assert heard("how long is left", timers=(ringing,)) == [("Left", {})]


def test_a_shared_name_is_decided_by_room():
    twins = tuple(
        Appliance(f"lamp_{room}", "light", {"en": ("Reading lamp",)}, room=room) for room in ("bedroom", "office")
    )
    home = replace(HOME, appliances=HOME.appliances + twins)
    other = UNDERSTANDER.with_home(home)

    def chosen(text, room):
        found = other.understand(text, world(home=home, device=DeviceView(room=room)))
        return found.commands[0].slots["appliance"]

    assert chosen("turn on the reading lamp", "office") == ["lamp_office"]
    assert chosen("turn on the reading lamp in the bedroom", "office") == ["lamp_bedroom"]
    assert chosen("turn on the reading lamp", "kitchen") == ["lamp_bedroom", "lamp_office"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(SPOKEN), max_size=14))
def test_any_row_of_words_is_understood_or_left_alone(words):
    found = UNDERSTANDER.understand(" ".join(words), world(mentioned=Mentioned(intent="On", appliances=("desk_lamp",))))
    for command in found.commands:
        assert 0.6 <= command.confidence <= 1
        json.dumps(dict(command.slots))


@given(st.text(max_size=80))
def test_any_text_is_read(text):
    assert UNDERSTANDER.understand(text, world()).text == text


def test_what_is_longer_than_any_sentence_is_not_read():
    found = UNDERSTANDER.understand("turn on the desk lamp" + " " * 2000, world())
    assert not found.understood
    assert found.completeness is Completeness.UNKNOWN


def test_a_salad_of_joining_words_is_no_row_of_commands():
    assert not UNDERSTANDER.understand("and " * 40 + "turn on the desk lamp", world()).understood


def test_another_home_has_other_names_and_the_first_keeps_its_own():
    home = HomeSnapshot(appliances=(Appliance("disco", "light", {"en": ("Disco ball",)}),))
    other = UNDERSTANDER.with_home(home)
    assert other.understand("turn on the disco ball", world(home=home)).commands[0].slots == {"appliance": ["disco"]}
    assert heard("turn on the disco ball") == []


def test_alternatives_are_heard_when_the_first_reading_makes_no_sense():
    found = UNDERSTANDER.understand("done on the fun", world(), alternatives=("who knows", "turn on the fan"))
    assert [command.intent for command in found.commands] == ["On"]
    assert found.text == "turn on the fan"
    assert found.confidence < 1


def test_alternatives_never_replace_a_clear_reading():
    found = UNDERSTANDER.understand("turn off the fan", world(), alternatives=("turn on the fan",))
    assert [command.intent for command in found.commands] == ["Off"]
    assert found.confidence == 1


def test_an_alternative_that_is_itself_doubtful_counts_for_nothing():
    doubtful = "turn of the kitchen lite"
    assert 0 < UNDERSTANDER.understand(doubtful, world()).confidence < 0.88
    assert not UNDERSTANDER.understand("who knows", world(), alternatives=(doubtful,)).understood


def test_an_alternative_does_not_finish_what_the_first_reading_leaves_open():
    assert UNDERSTANDER.understand("turn off", world()).completeness is Completeness.INCOMPLETE
    found = UNDERSTANDER.understand("turn off", world(), alternatives=("turn off the fan",))
    assert found.understood
    assert found.completeness is Completeness.INCOMPLETE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("turn off the kitchen light", Completeness.COMPLETE),
        ("stop", Completeness.COMPLETE),
        ("lights off", Completeness.COMPLETE),
        ("set a timer for ten minutes", Completeness.EXTENDABLE),
        ("set a timer", Completeness.EXTENDABLE),
        ("remind me to call", Completeness.EXTENDABLE),
        ("wake me at seven", Completeness.EXTENDABLE),
        ("wake me at seven am", Completeness.COMPLETE),
        ("turn on the", Completeness.INCOMPLETE),
        ("turn on the living", Completeness.INCOMPLETE),
        ("set a timer for", Completeness.INCOMPLETE),
        ("set a timer for ten", Completeness.INCOMPLETE),
        ("add milk and", Completeness.INCOMPLETE),
        ("remind me to", Completeness.INCOMPLETE),
        ("turn on the lights in", Completeness.INCOMPLETE),
        ("turn off the fan and", Completeness.INCOMPLETE),
        ("could you", Completeness.INCOMPLETE),
        ("wake me at half past", Completeness.INCOMPLETE),
        ("turn", Completeness.INCOMPLETE),
        ("who won the world cup", Completeness.UNKNOWN),
        ("", Completeness.UNKNOWN),
        ("turn the fan on", Completeness.COMPLETE),
    ],
)
def test_completeness(text, expected):
    assert ending(text) == expected


@pytest.mark.parametrize(
    ("template", "complaint"), [("turn <nothing>", "nothing"), ("turn {nothing}", "nothing"), ("turn (on", "turn (on")]
)
def test_a_template_that_can_not_be_compiled_is_named(template, complaint):
    document = {"intents": {"Bad": {"data": [{"sentences": [template]}]}}}
    with pytest.raises(InvalidInputError) as caught:
        Understander(load_pack("en"), [sentence_file("bad", document)], HomeSnapshot())
    assert complaint in caught.value.public_message


def test_an_unknown_completeness_is_refused():
    document = {"intents": {"Bad": {"data": [{"sentences": ["x"], "completeness": "soon"}]}}}
    with pytest.raises(InvalidInputError, match="soon"):
        sentence_file("bad", document)


@pytest.mark.parametrize(("said", "intents"), [("um", []), ("okay um", []), ("that", ["Same"])])
def test_a_sentence_of_which_nothing_was_said_is_not_supplied(said, intents):
    document = {"intents": {"Same": {"data": [{"sentences": ["that"]}]}}}
    understander = Understander(load_pack("en"), [sentence_file("small", document)], HomeSnapshot())
    assert [command.intent for command in understander.understand(said, world()).commands] == intents
