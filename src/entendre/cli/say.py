"""`entendre say TEXT -o FILE`: speak a text into a sound file."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from entendre.cli.settings import add_settings_flags, settings_of
from entendre.config import Settings
from entendre.core.errors import ConfigurationError, InvalidInputError
from entendre.speech.load import load_voices, voice_for


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("say", help="speak a text into a sound file")
    parser.add_argument("text", metavar="TEXT", help="what to say; - reads standard input")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=".wav, .flac or .ogg")
    parser.add_argument("--speed", type=float, default=1.0, help="0.5 (slow) to 2 (fast)")
    add_settings_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Speak; 0 when the file is written."""
    text = sys.stdin.read() if args.text == "-" else args.text
    if not text.strip():
        raise InvalidInputError("There is nothing to say.")
    if not 0.5 <= args.speed <= 2.0:
        raise InvalidInputError("The speed is between 0.5 and 2.")
    return asyncio.run(_say(text, settings_of(args), args.output, args.speed))


async def _say(text: str, settings: Settings, output: Path, speed: float) -> int:
    from entendre.speech.audio import write_audio

    language = settings.language
    with load_voices(settings) as voices:
        voice = voice_for(voices, language)
        if voice is None:
            raise ConfigurationError(f"No installed voice speaks {language}; `entendre models list` names voices.")
        chunks = [chunk async for chunk in voice.synthesize(text, language=language, speed=speed)]
    pcm = b"".join(chunks)
    write_audio(output, pcm, voice.rate_hz)
    print(f"{output}: {len(pcm) / 2 / voice.rate_hz:.1f} s, {voice.name}")
    return 0
