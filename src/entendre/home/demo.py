"""The built-in demo home, for trying everything without an appliance."""

from __future__ import annotations

import json
from importlib.resources import files

from entendre.core.home import HomeSnapshot
from entendre.home.document import load_home


def demo_home() -> HomeSnapshot:
    """A family house of eight rooms, the yard and some thirty appliances."""
    text = files("entendre.home").joinpath("data/demo.json").read_text(encoding="utf-8")
    return load_home(json.loads(text))
