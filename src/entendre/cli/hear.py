"""`entendre hear`: recordings through the whole assistant in this process, with what came of each."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

from entendre.cli.settings import add_settings_flags, settings_of
from entendre.config import Settings


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("hear", help="hear recordings and show what was understood and done")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="sound files, one utterance each")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each file")
    parser.add_argument("--room", help="room of the speaker, an id of the home file")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="write each spoken reply there as WAV")
    parser.add_argument(
        "--fast",
        action="store_true",
        help="send each file at once instead of at real time; times are then positions in the file, "
        "and show how much sound had arrived, not how long anybody waited",
    )
    add_settings_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Hear every file; the status is 1 if one was no turn at all."""
    return asyncio.run(_hear_all(args, settings_of(args)))


async def _hear_all(args: argparse.Namespace, settings: Settings) -> int:
    from entendre.cli.hearing import hear, in_process
    from entendre.cli.show import turn_lines
    from entendre.clients.sound import read_sound, write_wav
    from entendre.core.audio import HOUSE_RATE_HZ
    from entendre.session.api import DeviceProfile

    silent = 0
    language = settings.server.language
    async with in_process(settings) as ears:
        for index, file in enumerate(args.files):
            samples = await asyncio.to_thread(read_sound, file, HOUSE_RATE_HZ)
            profile = DeviceProfile(device=f"hear-{index}", language=language, room=args.room)
            async with ears.home() as home:
                turn = await hear(home, samples, profile, fast=args.fast)
            silent += not turn.outcome or turn.outcome == "no_turn"
            if args.json:
                print(json.dumps({"file": str(file)} | turn.document(language), ensure_ascii=False), flush=True)
            else:
                print("\n".join(turn_lines(str(file), turn, len(samples) / HOUSE_RATE_HZ)), flush=True)
            if args.output is not None and turn.reply_pcm16:
                target = args.output / f"{file.stem}.reply.wav"
                await asyncio.to_thread(write_wav, target, bytes(turn.reply_pcm16), turn.reply_rate_hz)
    return 1 if silent else 0
