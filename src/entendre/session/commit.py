"""Carrying a committed plan out: durable actions before the reply, other effects beside it, failures said aloud."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

from entendre.core import actions as act
from entendre.core.errors import ActionError, EntendreError, NothingPlaysError, UnknownMediaError
from entendre.core.plan import Plan
from entendre.session.announcing import Announcement, Audience, announce
from entendre.session.api import DeviceLink
from entendre.session.assistant import Assistant
from entendre.session.media import Media

log = logging.getLogger(__name__)

DEVICE_ACTIONS = (
    act.SetVolume,
    act.AdjustVolume,
    act.SetMuted,
    act.CallDeviceTool,
)
DURABLE_ACTIONS = (
    act.StartTimer,
    act.ChangeTimer,
    act.CreateAlarm,
    act.ChangeAlarm,
    act.CreateReminder,
    act.ChangeReminder,
    act.AddItem,
    act.RemoveItem,
    act.CompleteItem,
    act.ClearList,
    act.StopRinging,
)
"""What the household remembers: a reply that acknowledges one is spoken only after it is on disk."""


@dataclass(frozen=True, slots=True)
class Effects:
    """What became of a plan's effects: errors of what failed, and what device tools answered, in their order."""

    failed: tuple[EntendreError, ...] = ()
    answers: tuple[tuple[act.CallDeviceTool, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Committer:
    """Runs the actions of one conversation's turns."""

    assistant: Assistant
    link: DeviceLink
    media: Media | None = None

    async def durable(self, plan: Plan, *, turn: str, device: str, language: str) -> list[EntendreError]:
        """Do what must be on disk before anything is acknowledged; the errors of what failed."""
        numbered = [(index, a) for index, a in enumerate(plan.actions) if isinstance(a, DURABLE_ACTIONS)]
        return list((await self._all(numbered, turn=turn, device=device, language=language)).failed)

    async def effects(self, plan: Plan, *, turn: str, device: str, language: str) -> Effects:
        """Do everything else: appliances, other speakers, this device."""
        numbered = [(index, a) for index, a in enumerate(plan.actions) if not isinstance(a, DURABLE_ACTIONS)]
        return await self._all(numbered, turn=turn, device=device, language=language)

    async def apart(self, plan: Plan, *, turn: str, device: str, language: str) -> None:
        """Do what needs no speaker, for one that is gone; what fails is logged, for nobody can be told."""
        left = replace(plan, actions=tuple(action for action in plan.actions if not _needs_speaker(action)))
        await self.durable(left, turn=turn, device=device, language=language)
        await self.effects(left, turn=turn, device=device, language=language)

    async def _all(
        self, numbered: Iterable[tuple[int, act.Action]], *, turn: str, device: str, language: str
    ) -> Effects:
        errors: list[EntendreError] = []
        answers: list[tuple[act.CallDeviceTool, str]] = []
        limits = self.assistant.limits
        for index, action in numbered:
            calls_tool = isinstance(action, act.CallDeviceTool)
            try:
                async with asyncio.timeout(limits.tool_s if calls_tool else limits.action_s):
                    answer = await self._one(action, turn=turn, index=index, device=device, language=language)
                if isinstance(action, act.CallDeviceTool):
                    answers.append((action, answer))
            except TimeoutError:
                errors.append(ActionError(detail=f"{action.type} timed out"))
            except EntendreError as error:
                errors.append(error)
        for failed in errors:
            log.warning("action failed", extra={"turn": turn, "device": device, "code": failed.code})
        return Effects(tuple(errors), tuple(answers))

    async def _one(self, action: act.Action, *, turn: str, index: int, device: str, language: str) -> str:
        """Do one action; what a device's tool answered."""
        if isinstance(action, act.StopSpeaking):
            if self.media is not None:
                self.media.stop()
                self.media.device_did("stop", None)
            await self.link.perform(action)
        elif isinstance(action, act.ControlMedia) and action.room is not None:
            audience = Audience(room=None if action.room == act.EVERYWHERE else action.room)
            if not self.assistant.announcer.control_media(action, audience):
                raise ActionError(detail="no speaker is in that room")
        elif isinstance(action, act.ControlMedia) and action.appliance is None:
            await self.control_media(action)
        elif isinstance(action, DEVICE_ACTIONS):
            done = await self.link.perform(action)
            if done is False:
                raise ActionError(detail=f"this device can't {action.type}")
            return done if isinstance(done, str) else ""
        elif isinstance(action, act.Broadcast):
            await self._broadcast(action, turn=turn, index=index, device=device, language=language)
        else:
            await self.assistant.household.execute(action, turn=turn, index=index, device=device, language=language)
        return ""

    async def control_media(self, action: act.ControlMedia) -> None:
        """What plays here comes first, then what the device can do itself, then what can be streamed to it.

        Raises: NothingPlaysError, UnknownMediaError.
        """
        media = self.media
        changes = {"pause": media.pause, "resume": media.resume, "stop": media.stop} if media is not None else {}
        if media is not None and action.query is None and action.url is None:
            changes["play"] = media.resume
        if action.command in changes and changes[action.command]():
            return
        if await self.link.perform(action) is not False:
            if media is not None:
                media.device_did(action.command, action.query)
            return
        if action.command != "play":
            raise NothingPlaysError(detail=f"nothing to {action.command}")
        if action.url is None or media is None or not media.available:
            raise UnknownMediaError(action.query or "", detail="no station, or no way to stream it")
        media.play(action.query or "", action.url)

    async def _broadcast(self, action: act.Broadcast, *, turn: str, index: int, device: str, language: str) -> None:
        announcement = Announcement(action.text, language)
        audience = Audience(room=action.room, besides="" if action.room else device)
        if not await announce(self.assistant, announcement, audience, turn=turn, index=index):
            raise ActionError(detail="no other speaker is connected")


def _needs_speaker(action: act.Action) -> bool:
    """Whether it is the asking speaker itself that does this."""
    own_media = isinstance(action, act.ControlMedia) and action.room is None and action.appliance is None
    return own_media or isinstance(action, (*DEVICE_ACTIONS, act.StopSpeaking))
