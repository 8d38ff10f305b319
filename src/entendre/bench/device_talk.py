"""A simulated xiaozhi speaker that says clips and times what it hears in return."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from entendre.bench.clips import NOISE_LEVEL, Recording
from entendre.bench.figures import percentile
from entendre.bench.talk import EARLY_S, REPLY_S, Clip, Turn, room_noise
from entendre.clients.sound import resampled
from entendre.clients.xiaozhi import XiaozhiSpeaker
from entendre.clients.xiaozhi_playback import UPLINK_RATE_HZ, Reply, uplink_packets

LEAD_IN_S = 0.12
"""Room noise before a clip: an encoder that begins with speech would spoil its first packet."""
REPLY_ENDS_S = 20.0


@dataclass(frozen=True, slots=True)
class SpokenClip:
    """An utterance as the device's encoder makes it."""

    clip: Clip
    packets: tuple[bytes, ...]


@dataclass(slots=True)
class Downlink:
    """How replies arrived. `gaps_s`: between neighbouring packets; `silences_s`: each time the queue ran dry."""

    gaps_s: list[float] = field(default_factory=list)
    silences_s: list[float] = field(default_factory=list)
    packets: int = 0
    overflows: int = 0
    discarded: int = 0

    def add(self, speaker: XiaozhiSpeaker) -> None:
        """Count one speaker in, at its end."""
        for reply in speaker.replies:
            self.gaps_s += reply.gaps_s()
            self.packets += len(reply.packets)
        self.silences_s += speaker.queue.underruns_s
        self.overflows += speaker.queue.overflows
        self.discarded += speaker.discarded

    def document(self) -> dict[str, Any]:
        """The figures as JSON."""
        return {
            "downlink_gap_p50_s": percentile(self.gaps_s, 50),
            "downlink_gap_p99_s": percentile(self.gaps_s, 99),
            "downlink_gap_max_s": percentile(self.gaps_s, 100),
            "packets": self.packets,
            "underruns": len(self.silences_s),
            "underrun_max_s": percentile(self.silences_s, 100),
            "overflows": self.overflows,
            "discarded": self.discarded,
        }


def spoken_clip(recording: Recording) -> SpokenClip:
    """A recording as a device sends it, its true end counted from the first packet."""
    samples = resampled(recording.samples, recording.rate_hz, UPLINK_RATE_HZ)
    lead_in = room_noise(NOISE_LEVEL, LEAD_IN_S, rate_hz=UPLINK_RATE_HZ)
    clip = Clip(recording.name, recording.text, (), recording.ends.end_s + LEAD_IN_S)
    return SpokenClip(clip, uplink_packets(np.concatenate([lead_in, samples])))


def noise_packets(seconds: float = 2.0) -> tuple[bytes, ...]:
    """What an open microphone in a quiet room sends."""
    return uplink_packets(room_noise(NOISE_LEVEL, seconds, rate_hz=UPLINK_RATE_HZ))


class DeviceTalker:
    """Says clips to one speaker, in mode auto, one after another."""

    def __init__(self, speaker: XiaozhiSpeaker) -> None:
        self.speaker = speaker
        self._turn: Turn | None = None
        self._answer: Reply | None = None
        speaker.on_message = self._note

    async def say(self, spoken: SpokenClip) -> Turn:
        """Speak now, and wait until its reply has been played, or none comes."""
        speaker = self.speaker
        await speaker.until(lambda: not speaker.speaking, REPLY_ENDS_S)
        if not speaker.listening:
            await speaker.press()
        true_end_s = speaker.say(spoken.packets) + spoken.clip.end_s
        turn = self._turn = Turn(spoken.clip, true_end_s, 0.0)
        self._answer = None
        limit_s = true_end_s - time.monotonic() + REPLY_S
        if await speaker.until(self._answered, limit_s):
            await speaker.until(lambda: self._answered(to_its_end=True), REPLY_ENDS_S)
            self._close(turn)
        self._turn = None
        speaker.forget_said()
        return turn

    def _answered(self, *, to_its_end: bool = False) -> bool:
        answer = self._answer
        return answer is not None and bool(answer.packets) and (not to_its_end or answer.stopped_s is not None)

    def _close(self, turn: Turn) -> None:
        if self._answer is not None:
            turn.first_audio_s = self._answer.audible_s(self.speaker.down_rate_hz)
            turn.reply = " ".join(self._answer.sentences)
            turn.replied = turn.first_audio_s is not None

    def _note(self, message: dict[str, Any], now_s: float) -> None:
        turn = self._turn
        if turn is None:
            return
        early = now_s < turn.true_end_s - EARLY_S
        if message["type"] == "stt":
            turn.transcript = f"{turn.transcript} {message['text']}".strip()
            turn.cut_off |= early
        # What is said before any words were heard is no reply to them: a timer rings.
        elif message["type"] == "tts" and message.get("state") == "start" and turn.transcript and not early:
            self._answer = self._answer or self.speaker.replies[-1]
