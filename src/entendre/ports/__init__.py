"""Protocols between the assistant and the engines and stores that serve it.

Engines are blocking and run on a bounded pool; the same engine elsewhere is reached by an async adapter. Sessions see
only the async ports.
"""

from entendre.ports.access import DeviceBook, DeviceRegistry, KeyRecord, KeyVerifier
from entendre.ports.engines import (
    INFERENCE_OWNER,
    Cancelled,
    InferenceCancelled,
    MediaSource,
    Recognizer,
    RecognizerEngine,
    Transcript,
    Vad,
    VadStream,
    Voice,
    VoiceEngine,
    WakeDetection,
    WakeStream,
    WakeWord,
)
from entendre.ports.store import ActionKey, ActionRecord, Change, ItemRow, JobRow, ListRow, OutboxEvent, RingRow, Store

__all__ = [
    "INFERENCE_OWNER",
    "ActionKey",
    "ActionRecord",
    "Cancelled",
    "Change",
    "DeviceBook",
    "DeviceRegistry",
    "InferenceCancelled",
    "ItemRow",
    "JobRow",
    "KeyRecord",
    "KeyVerifier",
    "ListRow",
    "MediaSource",
    "OutboxEvent",
    "Recognizer",
    "RecognizerEngine",
    "RingRow",
    "Store",
    "Transcript",
    "Vad",
    "VadStream",
    "Voice",
    "VoiceEngine",
    "WakeDetection",
    "WakeStream",
    "WakeWord",
]
