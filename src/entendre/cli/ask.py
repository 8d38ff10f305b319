"""`entendre ask`: understand typed sentences and show what would be said and done, without a server."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from entendre.core.errors import InvalidInputError
from entendre.core.tags import first_tag, tags_of

if TYPE_CHECKING:
    from entendre.core.home import HomeSnapshot
    from entendre.core.plan import Plan, World
    from entendre.core.understanding import Understanding
    from entendre.skills.planner import Planner

EXIT_OK = 0
EXIT_NOT_UNDERSTOOD = 1


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("ask", help="understand typed sentences")
    parser.add_argument("text", nargs="?", help="one sentence")
    parser.add_argument("--file", help="a file with one sentence a line, - for standard input")
    parser.add_argument("--json", action="store_true", help="one JSON object a sentence")
    parser.add_argument("--home", help="home file (docs/home.md); the built-in demo home otherwise")
    parser.add_argument("--language", default="en", help="language tag, or a few such as hi,en; en otherwise")
    parser.add_argument("--room", help="id or name of the room that the speaker stands in")
    parser.add_argument("--now", help="ISO 8601 moment to plan for; the present otherwise")
    parser.add_argument("--skills", help="folder of own skills")
    parser.add_argument("--weather", help="JSON weather file (docs/skills.md)")


def run(args: argparse.Namespace) -> int:
    """Answer one sentence or a file of them; each is planned on a fresh copy of the home.

    Raises: InvalidInputError, ConfigurationError.
    """
    from entendre.home.demo import demo_home, demo_languages
    from entendre.home.document import load_home
    from entendre.skills.planner import Planner
    from entendre.skills.plugins import load_skills

    if (args.text is None) == (args.file is None):
        raise InvalidInputError("Give one sentence, or --file with sentences.")
    home = load_home(Path(args.home)) if args.home else demo_home(demo_languages())
    weather = {"provider": "file", "file": args.weather} if args.weather else {}
    skills = load_skills([args.skills] if args.skills else [], {"weather": weather})
    planner = Planner(skills, home, first_tag(args.language))
    for broken in planner.broken:
        print(f"entendre: the skill {broken.name} was left out: {broken.reason}", file=sys.stderr)
    world = _world(home, args)
    sentences = [args.text] if args.file is None else _lines(args.file)
    answered = asyncio.run(_answer(planner, world, sentences, args))
    return EXIT_OK if answered or args.file is not None else EXIT_NOT_UNDERSTOOD


async def _answer(planner: Planner, world: World, sentences: Iterable[str], args: argparse.Namespace) -> bool:
    """Print each sentence's answer; whether the last was understood."""
    from entendre.core.document import document_of
    from entendre.session.tongue import understand_in

    understood = False
    for sentence in sentences:
        _, understanding = await understand_in(planner, sentence, tags_of(args.language), world)
        plan = await planner.plan(understanding, world)
        understood = understanding.understood
        print(
            json.dumps(document_of(understanding, plan), ensure_ascii=False)
            if args.json
            else _shown(understanding, plan)
        )
    return understood


def _shown(understanding: Understanding, plan: Plan) -> str:
    from entendre.core.actions import action_to_json

    intents = ", ".join(command.intent for command in understanding.commands) or "-"
    lines = [plan.reply or "(says nothing)"]
    lines += [f"  {json.dumps(action_to_json(action), ensure_ascii=False)}" for action in plan.actions]
    lines.append(f"  [{intents}, confidence {understanding.confidence:.2f}, {understanding.completeness.value}]")
    return "\n".join(lines)


def _lines(source: str) -> list[str]:
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{source} can't be read.", detail=str(error)) from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _world(home: HomeSnapshot, args: argparse.Namespace) -> World:
    from entendre.core.home import all_names
    from entendre.core.plan import DeviceView, World

    room = None
    if args.room:
        wanted = args.room.casefold()
        room = next(
            (one.id for one in home.rooms if wanted in {one.id.casefold(), *map(str.casefold, all_names(one.names))}),
            None,
        )
        if room is None:
            raise InvalidInputError(f"The home has no room {args.room!r}.")
    return World(now=_now(home, args.now), home=home, device=DeviceView(id="ask", room=room))


def _now(home: HomeSnapshot, given: str | None) -> datetime:
    """The moment to plan for, in the home's zone."""
    try:
        zone = ZoneInfo(home.time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InvalidInputError(f"There is no time zone {home.time_zone!r}.") from error
    if given is None:
        return datetime.now(zone)
    try:
        moment = datetime.fromisoformat(given)
    except ValueError as error:
        raise InvalidInputError("--now must be ISO 8601, such as 2026-11-23T10:00.") from error
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)
