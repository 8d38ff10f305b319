"""Turns without a conversation: a sentence in, what it means and what was done out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from entendre.core.actions import Action
from entendre.core.errors import EntendreError
from entendre.core.plan import DeviceView, Mentioned, Plan
from entendre.core.tags import tags_of
from entendre.core.understanding import Understanding
from entendre.ports.households import TurnRecord
from entendre.session.api import Outcome, SessionEvent
from entendre.session.assistant import Assistant
from entendre.session.commit import Committer
from entendre.session.tongue import understand_in


@dataclass(frozen=True, slots=True)
class Answer:
    """A sentence answered. `failed`: codes of actions that could not be done."""

    understanding: Understanding
    plan: Plan
    failed: tuple[str, ...] = ()


async def answer_text(
    assistant: Assistant,
    text: str,
    *,
    device: DeviceView,
    language: str,
    act: bool,
    turn: str | None = None,
    account: str | None = None,
) -> Answer:
    """Understand and plan a sentence; `act` carries it out, once per `turn` however often it is asked.

    `language` may be a few, "hi,en": the one in which it makes most sense. `account`: of the person who asks.
    """
    world = assistant.household.world(device, Mentioned())
    language, understanding = await understand_in(assistant.planner, text, tags_of(language) or (language,), world)
    plan = await assistant.planner.plan(understanding, world)
    if not act:
        return Answer(understanding, plan)
    committer = Committer(assistant, _NoDevice())
    arguments = {"turn": turn or assistant.new_id(), "device": device.id, "language": language}

    async def carry_out() -> list[EntendreError]:
        failed = await committer.durable(plan, **arguments)
        return [*failed, *(await committer.effects(plan, **arguments)).failed]

    failed = await asyncio.shield(assistant.keeper.start(carry_out(), "text-turn"))
    if assistant.remember is not None:
        outcome = Outcome.NOT_UNDERSTOOD if plan.refusal else Outcome.ANSWERED
        record = TurnRecord(device.id, account, language, text, plan.reply, outcome.value)
        assistant.keeper.start(assistant.remember(record), "history")
    return Answer(understanding, plan, tuple(error.code for error in failed))


class _NoDevice:
    """A sentence that came without a speaker has none that could do anything."""

    async def deliver(self, event: SessionEvent) -> None:
        return None

    async def perform(self, action: Action) -> bool:
        return False
