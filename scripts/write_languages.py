"""Write what is measured of every language into docs/languages.md, and every reply into docs/replies/.

The sentences are those of tests/unit/skills/spoken: run it after sentences or replies changed.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "unit" / "skills"))

from spoken.scoring import HERE, cases, homes, score, world_of  # noqa: E402

from entendre.core.home import HomeSnapshot, name_in  # noqa: E402
from entendre.markets.loader import languages, load_pack, read_yaml  # noqa: E402
from entendre.skills.planner import Planner  # noqa: E402
from entendre.skills.plugins import BUILT_IN, load_skills  # noqa: E402
from entendre.skills.speech import PHRASES, SkillSpeech, load_speech  # noqa: E402

BEGIN, END = "<!-- measured: understanding -->", "<!-- /measured: understanding -->"
DOCUMENT = ROOT / "docs" / "languages.md"
REPLIES = ROOT / "docs" / "replies"
TODAY = date(2026, 11, 25)
WEATHER = ROOT / "tests" / "unit" / "skills" / "weather.json"
SAMPLES: dict[str, Any] = {
    "code": "481 516", "color": "blue", "condition": "rain", "count": 3, "date": "2026-11-29", "days": ("mon", "wed"),
    "duration": 5400, "high": 21, "low": 12, "left": 330, "length": 600, "mode": "heat", "month": "3", "percent": 40,
    "rest": 2, "result": 12.5, "temperature": 19, "theme": "dark", "time": "18:30", "trait": "temperature",
    "value": 21, "week": 48, "weekday": "sun", "weeks": 3, "year": 2027, "kind": "light", "state": "on",
}  # fmt: skip


def taught() -> list[str]:
    """The languages that have sentences written for them, English first."""
    named = [tag for tag in languages() if (HERE / f"{tag}.txt").is_file()]
    return sorted(named, key=lambda tag: (tag != "en", tag))


async def tally(planner: Planner, language: str, name: str) -> Counter[str]:
    """How many sentences of a file went right, wrong or not at all."""
    known, found, at = homes(), Counter[str](), ""
    for case in cases(f"{name}.txt"):
        if (
            case.home != at
        ):  # its names are learned in every language that was compiled, which takes longer than a sentence
            planner.set_home(known[case.home])
            at = case.home
        world = world_of(case, known[case.home])
        understanding = planner.understand(case.text, language, world)
        found[score(case, understanding, await planner.plan(understanding, world))] += 1
    return found


def row(language: str, inside: Counter[str], outside: Counter[str]) -> str:
    """One line of the table."""
    wrong = inside["wrong"] + outside["wrong"]
    share = wrong / (inside.total() + outside.total())
    cells = (
        language,
        f"{inside['right']} / {inside['wrong']} / {inside['none']}",
        f"{outside['right']} / {outside['wrong']}",
        f"{inside['right'] / inside.total():.0%}",
        f"{share:.1%}",
    )
    return f"| {' | '.join(cells)} |"


async def table() -> str:
    """The table of what was understood, by language."""
    settings = {"weather": {"provider": "file", "file": str(WEATHER)}}
    lines = [
        "| language | commands: right / wrong / none | no commands: left alone / acted | right | wrong of all |",
        "|---|---|---|---|---|",
    ]
    planner = Planner(load_skills([], settings), HomeSnapshot())
    for language in taught():
        inside = await tally(planner, language, language)
        outside = await tally(planner, language, f"{language}_outside")
        lines.append(row(language, inside, outside))
    return "\n".join(lines)


def samples(language: str) -> dict[str, Any]:
    """Values to fill replies with, names from the language's own home."""
    home = homes().get(language) or homes()["loft"]
    names = [name_in(appliance.names, language) for appliance in home.appliances]
    items = [item for known in home.lists for item in known.items] or ["A", "B"]
    rooms = [name_in(room.names, language) for room in home.rooms]
    return SAMPLES | {
        "item": items[0], "items": tuple(items[:2]), "label": names[0], "labels": tuple(names[:2]), "name": names[1],
        "names": tuple(names[:2]), "query": names[2], "room": rooms[0], "text": items[0], "what": names[0],
        "list": name_in(home.lists[0].names, language), "scene": name_in(home.scenes[0].names, language),
        "place": rooms[1], "other": rooms[2], "from": "A", "to": "B",
    }  # fmt: skip


def reply_lines(speech: SkillSpeech, folder: Path, language: str) -> list[str]:
    """One line for each reply of a skill: its key, and how it sounds."""
    keys = read_yaml(folder / f"{language}.yaml").get("replies") or {}
    said = speech.phrases if folder == PHRASES else speech.replies_on(folder.name, TODAY)
    lines = []
    for key in keys:
        values = {name: samples(language).get(name, "…") for name in said.placeholders(key)}
        lines.append(f"- `{key}` {said.say(key, **values)}")
    return lines


def replies(language: str) -> str:
    """The page of a language's replies."""
    speech = load_speech(load_skills(), language)
    lines = [f"# Replies in {load_pack(language).say.get('own_name', language)} ({language})", ""]
    lines += ["Every reply with sample values, as it is spoken. Written by `python scripts/write_languages.py`.", ""]
    folders = sorted({path.parent for path in BUILT_IN.glob(f"*/{language}.yaml")} - {PHRASES})
    for folder in (PHRASES, *folders):
        lines += [f"## {folder.name}", "", *reply_lines(speech, folder, language), ""]
    return "\n".join(lines)


def main() -> None:
    """Write the table and the pages."""
    text = DOCUMENT.read_text("utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{asyncio.run(table())}\n{END}{after}", "utf-8")
    REPLIES.mkdir(exist_ok=True)
    for language in taught():
        print(f"docs/replies/{language}.md")
        (REPLIES / f"{language}.md").write_text(replies(language), "utf-8")


if __name__ == "__main__":
    main()
