"""The JSON document of a sentence: what it means and what would be said and done. Documented in docs/actions.md."""

from __future__ import annotations

from typing import Any

from entendre.core.actions import action_to_json
from entendre.core.plan import Plan
from entendre.core.understanding import Understanding


def document_of(understanding: Understanding, plan: Plan) -> dict[str, Any]:
    """One sentence with its first intent on top, every command below, and the plan."""
    first = understanding.commands[0] if understanding.commands else None
    commands = [
        {"intent": each.intent, "slots": dict(each.slots), "confidence": round(each.confidence, 3), "text": each.text}
        for each in understanding.commands
    ]
    return {
        "text": understanding.text,
        "language": understanding.language,
        "intent": first.intent if first else None,
        "slots": dict(first.slots) if first else {},
        "confidence": round(understanding.confidence, 3),
        "completeness": understanding.completeness.value,
        "commands": commands,
        "plan": {
            "reply": plan.reply,
            "actions": [action_to_json(action) for action in plan.actions],
            "expects_reply": plan.expects_reply,
            "refusal": plan.refusal,
        },
    }
