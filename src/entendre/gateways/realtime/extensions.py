"""Events of our own, for clients that name them in `session.include`. Documented in docs/realtime.md."""

from __future__ import annotations

from entendre.core.document import document_of
from entendre.session.api import (
    PartialHeard,
    RingStarted,
    RingStopped,
    SessionEvent,
    StillWorking,
    TimerChanged,
    TurnEnded,
    TurnUnderstood,
)
from entendre.wire.realtime_server import Extension

EXTENSIONS = ("entendre.turn", "entendre.partial", "entendre.ring", "entendre.timer")


def extension_of(event: SessionEvent, include: tuple[str, ...], item: str | None) -> Extension | None:
    """The extension event for a session event, if the client asked for its kind."""
    if not include:
        return None
    extension = _extension_of(event, item)
    return extension if extension is not None and f"entendre.{extension.name}" in include else None


def _extension_of(event: SessionEvent, item: str | None) -> Extension | None:
    match event:
        case PartialHeard():
            return Extension("partial", {"turn": event.turn, "item_id": item, "text": event.text})
        case StillWorking():
            return Extension("turn", {"turn": event.turn, "item_id": item, "stage": "working", "text": event.text})
        case TurnUnderstood():
            body = {"turn": event.turn, "item_id": item, "stage": "understood"}
            return Extension("turn", body | document_of(event.understanding, event.plan))
        case TurnEnded():
            ended = {"turn": event.turn, "item_id": item, "stage": "ended", "outcome": str(event.outcome)}
            return Extension("turn", ended | {"trace": {name: round(at_s, 4) for name, at_s in event.trace.items()}})
        case RingStarted():
            return Extension("ring", {"ring": event.ring, "ringing": True, "kind": event.kind, "name": event.name})
        case RingStopped():
            return Extension("ring", {"ring": event.ring, "ringing": False})
        case TimerChanged():
            timer = {"timer": event.timer, "change": event.change, "name": event.name, "paused": event.paused}
            return Extension("timer", timer | {"total_s": event.total_s, "remaining_s": round(event.remaining_s, 3)})
        case _:
            return None
