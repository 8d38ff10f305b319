"""Load: many speakers with open microphones, each saying commands and hearing replies, on one server."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entendre.bench.clips import (
    Recording,
    answered_aloud,
    meanings,
    recordings_of,
    reset,
    sentences_with_pauses,
    spoken,
)
from entendre.bench.device_talk import DeviceTalker, Downlink, SpokenClip, noise_packets, spoken_clip
from entendre.bench.devices import bound_speakers
from entendre.bench.figures import percentile
from entendre.bench.machine import cpu_s, describe_machine, resident_bytes
from entendre.bench.server import MeasuredServer, measured_server
from entendre.bench.talk import REPLY_S, Clip, Talker, Turn
from entendre.clients.realtime import RealtimeClient, RealtimeOptions
from entendre.clients.xiaozhi import Habits, XiaozhiSpeaker
from entendre.clients.xiaozhi_links import WebSocketLink
from entendre.core.errors import EntendreError

CHUNK_S = 0.06
"""What speakers send at once: fewer, larger messages than a browser's."""
MOST_P95_S = 1.0
PAUSE_S = (1.0, 3.0)
"""How long a speaker is silent between a reply and the next command."""
RAMP_S = 4.0
"""Speakers begin within this time, not all at once."""
RESET_EVERY_S = 5.0
"""Timers that speakers start are cancelled this often, before the shortest of them rings."""
SEED = 11
FIRST_GUESS = 8
FINEST_STEP = 4


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What to measure. Without `conversations`, the largest number within the p95 is searched for.

    `protocol`: "realtime", as apps speak it, or "xiaozhi", with simulated devices.
    """

    conversations: int | None = None
    seconds: float = 25.0
    data: Path | None = None
    language: str = "en"
    url: str | None = None
    key: str = ""
    rate_hz: int = 24_000
    protocol: str = "realtime"


@dataclass(frozen=True, slots=True)
class Setting:
    """What every speaker of a measurement needs."""

    options: LoadOptions
    server: MeasuredServer
    clips: list[Clip]
    spoken: list[SpokenClip]
    noise: tuple[bytes, ...]


@dataclass(slots=True)
class LoadResult:
    """What one number of conversations came to."""

    conversations: int
    gaps_s: list[float]
    turns: int
    cut_offs: int
    failed: int
    late_s: float
    server_cores: float
    client_cores: float
    downlink: Downlink | None = None

    @property
    def holds(self) -> bool:
        """Whether nearly everybody was answered within the limit."""
        p95_s = percentile(self.gaps_s, 95)
        return p95_s is not None and p95_s <= MOST_P95_S

    def document(self) -> dict[str, Any]:
        """The figures as JSON."""
        return {
            "conversations": self.conversations,
            "p50_s": percentile(self.gaps_s, 50),
            "p95_s": percentile(self.gaps_s, 95),
            "turns": self.turns,
            "cut_offs": self.cut_offs,
            "failed": self.failed,
            "generator_late_s": round(self.late_s, 3),
            "server_cores": round(self.server_cores, 2),
            "generator_cores": round(self.client_cores, 2),
        } | (self.downlink.document() if self.downlink is not None else {})


async def measure_load(options: LoadOptions, show: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """The report. The generator shares the machine with the server, and says how much of it it took."""
    with measured_server(options.url) as server:
        setting = await _prepared(options, server)
        if options.conversations is not None:
            tried = [await _try(setting, options.conversations, show)]
            best: LoadResult | None = tried[0]
        else:
            tried = await _search(setting, show)
            best = max((each for each in tried if each.holds), key=lambda each: each.conversations, default=None)
        shown = best or tried[0]
        return shown.document() | {
            "holds": shown.holds,
            "tried": [each.document() for each in tried],
            "resident_mb": round(resident_bytes(server.pid) / 1e6) if server.pid else None,
            "machine": describe_machine(),
        }


async def _search(setting: Setting, show: Callable[[str], None]) -> list[LoadResult]:
    tried: list[LoadResult] = []
    good, bad, guess = 0, 0, FIRST_GUESS
    while not bad or bad - good > FINEST_STEP:
        result = await _try(setting, guess, show)
        tried.append(result)
        if result.holds:
            good = guess
        else:
            bad = guess
        if bad and bad <= FINEST_STEP:
            break
        guess = (good + bad) // 2 if bad else good * 2
    return tried


async def _prepared(options: LoadOptions, server: MeasuredServer) -> Setting:
    recordings = await _recordings(options, server)
    if options.protocol != "xiaozhi":
        return Setting(options, server, [each.clip(options.rate_hz, CHUNK_S) for each in recordings], [], ())
    # A device is told nothing of what has no reply, so it could not be told from what was never heard.
    aloud = await answered_aloud(server.url, options.key, recordings, options.language)
    return Setting(options, server, [], [spoken_clip(each) for each in recordings if aloud[each.text]], noise_packets())


async def _recordings(options: LoadOptions, server: MeasuredServer) -> list[Recording]:
    """What the server can understand, with a sure end."""
    if options.data is not None:
        found = recordings_of(options.data, language=options.language, count=40)
    else:
        sentences = sentences_with_pauses(options.language)["sentences"]
        found = [await spoken(server.url, options.key, " ".join(each), options.language) for each in sentences]
    means = await meanings(server.url, options.key, found, options.language)
    return [each for each in found if each.ends.sure and means[each.text] in ("complete", "extendable")]


async def _try(setting: Setting, count: int, show: Callable[[str], None]) -> LoadResult:
    options, server = setting.options, setting.server
    devices = await _devices(setting, count)
    chance = random.Random(SEED)
    before = cpu_s(server.pid), cpu_s(os.getpid()), time.monotonic()
    until_s = time.monotonic() + RAMP_S + options.seconds
    speakers = [
        _speaker(setting, device, random.Random(chance.random()), until_s, chance.uniform(0, RAMP_S))
        for device in devices
    ]
    quieting = asyncio.create_task(_quieten(options, server))
    outcomes = await asyncio.gather(*speakers)
    quieting.cancel()
    await asyncio.gather(quieting, return_exceptions=True)
    wall_s = time.monotonic() - before[2]
    turns = [turn for each, _ in outcomes for turn in each]
    failed = sum(not turn.replied and not turn.outcome for turn in turns) + sum(not each for each, _ in outcomes)
    result = LoadResult(
        conversations=count,
        # Who was never answered waited for as long as anybody waits.
        gaps_s=[turn.gap_s for turn in turns if turn.gap_s is not None] + [REPLY_S] * failed,
        turns=len(turns),
        cut_offs=sum(turn.cut_off for turn in turns),
        failed=failed,
        late_s=max((late_s for _, late_s in outcomes), default=0.0),
        server_cores=(cpu_s(server.pid) - before[0]) / wall_s,
        client_cores=(cpu_s(os.getpid()) - before[1]) / wall_s,
        downlink=_downlink(devices),
    )
    show(f"{count:4} conversations: {result.document()}")
    return result


async def _quieten(options: LoadOptions, server: MeasuredServer) -> None:
    while True:
        await asyncio.sleep(RESET_EVERY_S)
        await reset(server.url, options.key, options.language)


async def _devices(setting: Setting, count: int) -> list[XiaozhiSpeaker | None]:
    """The devices that take part, bound to the household; none for apps."""
    if setting.options.protocol != "xiaozhi":
        return [None] * count
    known = await bound_speakers(setting.server.url, setting.options.key, count)
    habits = Habits(noise=setting.noise)
    return [XiaozhiSpeaker(WebSocketLink(each.configuration.websocket, each.hardware), habits) for each in known]


def _downlink(devices: Sequence[XiaozhiSpeaker | None]) -> Downlink | None:
    present = [device for device in devices if device is not None]
    figures = Downlink()
    for device in present:
        figures.add(device)
    return figures if present else None


async def _speaker(
    setting: Setting, device: XiaozhiSpeaker | None, chance: random.Random, until_s: float, delay_s: float
) -> tuple[list[Turn], float]:
    await asyncio.sleep(delay_s)
    options = setting.options
    turns: list[Turn] = []
    late_s = 0.0
    try:
        if device is not None:
            async with device.running():
                await device.press()
                await _say(DeviceTalker(device), setting.spoken, turns, chance, until_s)
                return turns, device.worst_late_s
        wanted = RealtimeOptions(options.rate_hz, options.language)
        client = RealtimeClient(setting.server.url, key=options.key, options=wanted)
        async with client, Talker(client, chunk_s=CHUNK_S) as talker:
            await _say(talker, setting.clips, turns, chance, until_s)
            late_s = talker.worst_late_s
    except EntendreError:
        return [], late_s  # counted as failed
    return turns, late_s


async def _say(talker: Any, clips: Sequence[Any], turns: list[Turn], chance: random.Random, until_s: float) -> None:
    while time.monotonic() < until_s:
        await asyncio.sleep(chance.uniform(*PAUSE_S))
        turns.append(await talker.say(chance.choice(clips)))
