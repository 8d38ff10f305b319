from __future__ import annotations

from entendre.gateways.realtime.items import Items
from entendre.wire.realtime_items import Item, Part


def spoken(name: str, role: str = "user") -> Item:
    return Item(name, role=role, parts=(Part("input_audio", audio=bytes(1000)), Part("input_text", text=name)))


def test_only_the_newest_audio_of_the_user_is_kept() -> None:
    items = Items()
    for number in range(300):
        items.add(spoken(f"u{number}"))
        items.ask(items[f"u{number}"])
        items.add(spoken(f"a{number}", role="assistant"))
    held = [name for name in (f"{kind}{n}" for kind in "ua" for n in range(300)) if name in items and items[name].audio]
    assert held == ["u299"]
    items.add(spoken("last"))
    items.ask(items["last"])
    assert len(items["last"].audio) == 1000
    assert items["u299"].text == "u299", "its words stay"
    asked = items.take_asked()
    assert asked is not None
    assert asked.id == "last"
    assert asked.audio
