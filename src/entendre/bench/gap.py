"""Response gap: from the true end of speech to the first reply audio, through the real gateway at real time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entendre.bench.clips import Recording, meanings, recordings_of, reset, sentences_with_pauses, spoken, with_pause
from entendre.bench.ends import write_ends
from entendre.bench.figures import medians, percentile
from entendre.bench.machine import describe_machine, resident_bytes
from entendre.bench.server import MeasuredServer, measured_server
from entendre.bench.talk import Talker, Turn
from entendre.clients.realtime import RealtimeClient, RealtimeOptions
from entendre.core.errors import InvalidInputError

CHUNK_S = 0.02
LEAD_S = 0.4
"""Room noise before a clip, so that it does not begin with the connection."""


@dataclass(frozen=True, slots=True)
class GapOptions:
    """What to measure. `data`: the folder of recordings; `pauses`: also test for cut-offs at pauses."""

    data: Path | None = None
    count: int = 60
    language: str = "en"
    url: str | None = None
    key: str = ""
    rate_hz: int = 24_000
    detection: str = "semantic_vad"
    pauses: bool = True
    ends_file: Path | None = None


async def measure_gap(options: GapOptions, show: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """The report. Raises: InvalidInputError without anything to say, ServerNotReadyError."""
    with measured_server(options.url) as server:
        show(f"server ready after {server.cold_start_s:.2f} s" if server.pid else f"measuring {server.url}")
        recordings = await _utterances(options, server)
        if options.ends_file is not None:
            write_ends(options.ends_file, {each.name: each.ends for each in recordings})
        means = await meanings(server.url, options.key, recordings, options.language)
        turns = [await _one(options, server, each, show) for each in recordings]
        paused = [await _one(options, server, each, show) for each in await _paused(options, server)]
        return _report(turns, paused, means, server)


async def _utterances(options: GapOptions, server: MeasuredServer) -> list[Recording]:
    if options.data is not None:
        found = recordings_of(options.data, language=options.language, count=options.count)
    else:  # without recordings: the pause test's sentences in the server's own voice
        sentences = sentences_with_pauses(options.language)["sentences"][: options.count]
        spoken_ones = [await spoken(server.url, options.key, " ".join(parts), options.language) for parts in sentences]
        found = [each for each in spoken_ones if each.ends.sure]
    if not found:
        raise InvalidInputError(f"There is nothing to say in {options.language!r}: no recordings and no sentences.")
    return found


async def _paused(options: GapOptions, server: MeasuredServer) -> list[Recording]:
    if not options.pauses:
        return []
    document = sentences_with_pauses(options.language)
    cases = []
    for index, (first, second) in enumerate(document["sentences"]):
        pauses_s = document["pauses_s"]
        parts = [await spoken(server.url, options.key, text, options.language) for text in (first, second)]
        # Every sentence with the longest pause, and with one of the others in turn.
        for pause_s in {pauses_s[-1], pauses_s[index % (len(pauses_s) - 1)]}:
            cases.append(with_pause(parts[0], parts[1], pause_s))
    return cases


async def _one(options: GapOptions, server: MeasuredServer, recording: Recording, show: Callable[[str], None]) -> Turn:
    wanted = RealtimeOptions(options.rate_hz, options.language, options.detection)
    clip = recording.clip(options.rate_hz, CHUNK_S)
    client = RealtimeClient(server.url, key=options.key, options=wanted)
    async with client, Talker(client, chunk_s=CHUNK_S) as talker:
        await asyncio.sleep(LEAD_S)
        turn = await talker.say(clip)
    await reset(server.url, options.key, options.language)
    show(describe_turn(turn))
    return turn


def describe_turn(turn: Turn) -> str:
    """One line for people."""
    gap = "  cut off" if turn.cut_off else "no audio" if turn.gap_s is None else f"{turn.gap_s * 1000:5.0f} ms"
    return f"{gap}  {turn.clip.text[:44]:44}  heard {turn.transcript[:44]!r}"


def parts_of(turn: Turn) -> dict[str, float]:
    """A turn's gap by stage, seconds. Recognition and understanding of a draft run during the wait, so they overlap."""
    spans, gap_s = turn.trace, turn.gap_s
    if gap_s is None or "commit_s" not in spans or "first_audio_s" not in spans:
        return {}
    end_s = turn.true_end_stream_s
    parts = {
        "wait": spans["commit_s"] - end_s,
        "recognition": spans.get("draft_s", 0.0) - spans.get("draft_asked_s", 0.0),
        "understanding": spans.get("understood_s", 0.0) - spans.get("draft_s", spans.get("understood_s", 0.0)),
        "synthesis": spans["first_audio_s"] - max(spans.get("synthesis_s", 0.0), spans["commit_s"]),
        "network": gap_s - (spans["first_audio_s"] - end_s),
    }
    return {name: round(seconds, 4) for name, seconds in parts.items()}


def _report(turns: list[Turn], paused: list[Turn], means: Mapping[str, str], server: MeasuredServer) -> dict[str, Any]:
    """The headline is of complete commands; what may go on, or is no command here, waits longer on purpose."""
    complete = [turn for turn in turns if means[turn.clip.text] == "complete"]
    extendable = [turn for turn in turns if means[turn.clip.text] == "extendable"]
    others = [turn for turn in turns if means[turn.clip.text] not in ("complete", "extendable")]
    return {
        **_percentiles(complete),
        "cut_offs": sum(turn.cut_off for turn in [*turns, *paused]),
        "parts": medians(parts_of(turn) for turn in complete),
        "extendable": _percentiles(extendable),
        "not_understood": _percentiles(others),
        "all": _percentiles(turns),
        "without_reply_audio": [turn.clip.text for turn in turns if turn.gap_s is None and not turn.cut_off],
        "cut_off": [turn.clip.name for turn in [*turns, *paused] if turn.cut_off],
        "pauses": {"n": len(paused), "cut_offs": sum(turn.cut_off for turn in paused)},
        "cold_start_s": server.cold_start_s,
        "resident_mb": round(resident_bytes(server.pid) / 1e6) if server.pid else None,
        "machine": describe_machine(),
    }


def _percentiles(turns: list[Turn]) -> dict[str, Any]:
    gaps = [turn.gap_s for turn in turns if turn.gap_s is not None]
    return {"n": len(gaps), "p50_s": percentile(gaps, 50), "p95_s": percentile(gaps, 95)}
