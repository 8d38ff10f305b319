"""What one connection's uplink is heard with: its recent audio, its voice activity and its wake word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from entendre.core.audio import HOUSE_RATE_HZ, Samples, samples_of
from entendre.ports import WakeDetection
from entendre.session.api import DeviceProfile, ListenMode
from entendre.session.arbiter import Wake
from entendre.session.assistant import Assistant
from entendre.session.likeness import rhythm_of, signal_db
from entendre.session.uplink import UplinkBuffer
from entendre.turn.barge_in import hears_user
from entendre.turn.events import FrameScored
from entendre.turn.state import Phase, TurnState

IDLE_KEEP_S = 1.0


@dataclass(frozen=True, slots=True)
class Woken:
    """A wake word opened the microphone. `at` is monotonic; `sounding`: the speaker rang, spoke or played then."""

    at: float
    sounding: bool

    def wake(self, began_at: float, audio: Samples) -> Wake:
        """How the utterance that it opened reached this speaker. Units: monotonic seconds."""
        return Wake(self.at, began_at, signal_db(audio), self.sounding, rhythm_of(audio))


class Listening:
    """One stream's ears. Each piece is appended, then searched for wake words, then scored. Units: stream seconds."""

    def __init__(self, assistant: Assistant, profile: DeviceProfile) -> None:
        self._buffer = UplinkBuffer(assistant.limits.pushed_utterance_s + 5.0)
        self._vad = assistant.vad.open()
        self._vad_cold = True
        self._scored_s = 0.0
        wakes = profile.mode is ListenMode.WAKE and assistant.wake_word is not None
        self._wake = assistant.wake_word.open(profile.wake_words) if wakes and assistant.wake_word else None

    @property
    def end_s(self) -> float:
        """Where the audio heard so far ends."""
        return self._buffer.end_s

    def append(self, pcm16: bytes) -> float:
        """Take a piece of whole samples; returns where it begins."""
        from_s = self._buffer.end_s
        self._buffer.append(pcm16)
        return from_s

    def wake_words(self, pcm16: bytes) -> list[WakeDetection]:
        """Wake words in the piece, none where the device listens for none."""
        return [] if self._wake is None else self._wake.push(samples_of(pcm16))

    def frames(self, pcm16: bytes, from_s: float, state: TurnState) -> Iterator[FrameScored]:
        """The piece that begins at `from_s`, frame by frame; one frame of silence while speech is not heeded."""
        if _is_deaf(state):
            self._vad_cold, self._scored_s = True, self._buffer.end_s
            yield FrameScored(from_s, self._scored_s, 0.0)
            return
        if self._vad_cold:
            self._vad.reset()
            self._vad_cold, self._scored_s = False, from_s
        frame_s = self._vad.frame_samples / HOUSE_RATE_HZ
        for probability in self._vad.push(samples_of(pcm16)):
            start_s, self._scored_s = self._scored_s, self._scored_s + frame_s
            yield FrameScored(start_s, self._scored_s, probability)

    def cut(self, from_s: float, to_s: float) -> Samples:
        """A copy of the audio between two positions, as far as it is still there. Shape: (n,)."""
        return self._buffer.cut(from_s, to_s)

    def forget(self, state: TurnState) -> None:
        """Let go of audio that no turn can ask for any more."""
        keep_s = self._buffer.end_s - IDLE_KEEP_S
        if state.phase is Phase.HEARING:
            keep_s = min(keep_s, state.audio_from_s)
        if state.reopen_from_s is not None:
            keep_s = min(keep_s, state.reopen_from_s)
        self._buffer.forget_before(keep_s)


def _is_deaf(state: TurnState) -> bool:
    """Whether speech means nothing now: nobody listens, or it may be the reply's own echo."""
    return state.phase is Phase.IDLE or (state.phase is Phase.BUSY and not hears_user(state.policy))
