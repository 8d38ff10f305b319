"""The numbers of a conversation: thresholds, silences and time-outs, all in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ListenMode(StrEnum):
    """Who decides where an utterance starts and ends."""

    AUTO = "auto"
    """The server ends the utterance; one turn, then the device waits for a wake word (or a follow-up)."""
    CONTINUOUS = "continuous"
    """The server starts and ends utterances for as long as the connection lasts (the microphone stays open)."""
    WAKE = "wake"
    """As AUTO, but the server itself listens for the wake word that opens the microphone."""
    MANUAL = "manual"
    """Push to talk: the client says where the utterance ends."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How one conversation takes turns.

    Silences are counted from the end of the last voiced frame. `draft_pause_s` is one quiet frame: a draft that turns
    out to be too early costs a core for a moment, a draft that is late costs the user. Progress drafts, made while the
    voice goes on, begin only in utterances longer than most commands, where they do not compete with the last draft.
    `incomplete_s` is above the longest pause (1.4 s) that people make inside a sentence that they mean to finish.
    """

    mode: ListenMode = ListenMode.AUTO
    semantic: bool = True
    listens_while_speaking: bool = False
    cancels_echo: bool = False

    speech_on: float = 0.4
    speech_off: float = 0.2
    min_speech_s: float = 0.064
    preroll_s: float = 0.3

    draft_pause_s: float = 0.03
    redraft_pause_s: float = 0.2
    first_progress_draft_s: float = 2.6
    progress_draft_s: float = 1.2

    complete_s: float = 0.12
    extendable_s: float = 0.36
    incomplete_s: float = 1.7
    unknown_s: float = 0.9
    unsure_s: float = 0.35
    empty_s: float = 0.4
    fixed_silence_s: float = 0.5
    undrafted_s: float = 2.5

    no_speech_s: float = 5.0
    max_utterance_s: float = 20.0
    stall_grace_s: float = 0.25

    barge_in_on: float = 0.6
    barge_in_s: float = 0.096
    echo_tail_s: float = 0.25
