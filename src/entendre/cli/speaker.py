"""`entendre speaker`: be a speaker for a server, with the machine's microphone or a recording."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from pathlib import Path
from typing import Any

from entendre.core.errors import InvalidInputError

DEFAULT_URL = "http://127.0.0.1:8770"


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("speaker", help="be a speaker: a microphone or a recording, against a server")
    parser.add_argument("--url", default=DEFAULT_URL, help=f"the server (default {DEFAULT_URL})")
    parser.add_argument("--key", default=os.environ.get("ENTENDRE_KEY", ""), help="API key (default: ENTENDRE_KEY)")
    parser.add_argument("--wav", type=Path, metavar="FILE", help="say this recording instead of using a microphone")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="where the reply is written (with --wav)")
    parser.add_argument("--language", help="language tag of what is said")
    parser.add_argument("--json", action="store_true", help="print every event as a line of JSON, without its audio")


def run(args: argparse.Namespace) -> int:
    """Talk to the server."""
    try:
        return asyncio.run(_say_recording(args) if args.wav else _talk(args))
    except KeyboardInterrupt:  # how a talk at the microphone ends
        return 0


async def _say_recording(args: argparse.Namespace) -> int:
    from entendre.clients.realtime import RealtimeClient, RealtimeOptions
    from entendre.clients.sound import read_sound, write_wav
    from entendre.clients.speaker import Collected, Speaker, paced

    options = RealtimeOptions(language=args.language)
    samples = await asyncio.to_thread(read_sound, args.wav, options.rate_hz)
    player = Collected(rate_hz=options.rate_hz)
    async with RealtimeClient(args.url, key=args.key, options=options) as client:
        speaker = Speaker(client, player, _printer(args.json))
        answered = await speaker.run(paced(samples.tobytes(), options.rate_hz), replies=1)
    if not answered:
        raise InvalidInputError(f"The server gave no reply to {args.wav}.")
    if args.output is not None:
        await asyncio.to_thread(write_wav, args.output, bytes(player.pcm16), options.rate_hz)
        _say(args.json, f"reply written to {args.output}")
    return 0


async def _talk(args: argparse.Namespace) -> int:
    from entendre.clients.realtime import RealtimeClient, RealtimeOptions
    from entendre.clients.speaker import SoundCard, Speaker

    options = RealtimeOptions(language=args.language)
    card = SoundCard(options.rate_hz)
    async with RealtimeClient(args.url, key=args.key, options=options) as client:
        _say(args.json, f"connected to {args.url}: speak (Ctrl-C ends)")
        await Speaker(client, card, _printer(args.json)).run(card.microphone())
    return 0


def _printer(as_json: bool) -> Any:
    if as_json:
        return lambda event: print(
            json.dumps({name: value for name, value in event.items() if name != "delta"}, ensure_ascii=False),
            flush=True,
        )
    return _print_event


def _print_event(event: dict[str, Any]) -> None:
    match event["type"]:
        case "conversation.item.input_audio_transcription.completed":
            print(f"you:  {event.get('transcript', '')}", flush=True)
        case "response.output_audio_transcript.done" | "response.output_text.done":
            print(f"it:   {event.get('transcript') or event.get('text') or ''}", flush=True)
        case "error":
            print(f"error: {event.get('error', {}).get('message', '')}", flush=True)


def _say(as_json: bool, line: str) -> None:
    if not as_json:
        print(line, flush=True)
